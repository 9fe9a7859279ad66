// Package porttest holds one conformance suite for each port. An adapter proves
// itself in about 15 lines:
//
//	func TestStore(t *testing.T) {
//		porttest.TestStore(t, porttest.StoreHarness{
//			Open: func(t testing.TB) ports.Store {
//				return open(t, filepath.Join(t.TempDir(), "store.db"))
//			},
//		})
//	}
//
// A suite tests what the doc comments of the port promise, and nothing else: it
// does not know which adapter it tests, and it leaves open what a comment leaves
// open. What an adapter cannot do is a nil function of its harness; the cases
// that need it are skipped and say so.
//
// A suite that cannot fail proves nothing. Suite.Failing runs one against an
// adapter that is broken on purpose, and returns the cases that noticed.
//
// Suites use whole microseconds, the finest that every store keeps, and compare
// stored values by their JSON, which is what stores and wires keep of them.
package porttest
