// Package gateway serves a store over HTTP to workers that cannot open it
// themselves: containers, when the store is a file of this host. It has both
// sides: a Server in front of any ports.Store, and Open, a ports.Store that
// speaks to one.
//
// It is not a store and keeps nothing that matters: what it holds in memory, a
// worker says again. It is not a proxy for many hosts: it listens on one address,
// of the container bridge or of loopback.
//
// Its laws:
//
//   - All who use the store through one Server, over the wire or through
//     Server.Store, see each other's calls at once.
//   - What changes something is acknowledged when it is stored. The one exception
//     is a steady beat, which says nothing that its worker would not say again: it
//     is acknowledged at once and stored with the next batch.
//   - A run's beats are stored at most once per interval, and once more for each
//     change of a worker's state, however many workers there are; changes that
//     come together are stored together.
//   - No answer is older than its question: a held read is answered from a read
//     of the store that began after it arrived.
//   - A token opens one run, for what a worker does, or the whole store.
//   - Everything that waits has a deadline, everything that is kept has a bound,
//     and every goroutine has ended when Close returns.
package gateway
