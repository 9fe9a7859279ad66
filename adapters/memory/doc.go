// Package memory implements every port in the memory of one process: Store,
// Target with Session and Loader, and Launcher, which runs workers as
// goroutines. It is the reference that the other adapters are compared with, and
// what tests and simulations run on.
//
// It is not a cache and not for production: what it holds grows with what is
// stored and is gone with the process, and nothing outside the process sees it.
//
// Its laws: nothing that was passed in or handed out is shared with what is
// stored; one mutex makes every call of the Store atomic; time comes from
// Options.Now, so a Store works on virtual time too; a Launcher's goroutines have
// ended when its Close returns without an error.
package memory
