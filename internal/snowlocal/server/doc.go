// Package server speaks the protocol of Snowflake's drivers over HTTP, before an
// engine that executes the SQL. It is the network side of the stand-in: logins,
// sessions and their tokens, requests, results, and faults on request. It knows
// no SQL, and it is for loopback: its passwords are no secrets.
//
// Laws:
//
//   - A refusal is an answer: HTTP 200 with a code of Snowflake's. Other statuses
//     come from faults, and from paths that a driver does not know.
//   - A request is executed once. One that comes again with its id, from the same
//     session and with the same text, waits for the first and gets its answer.
//   - A statement outlives the request that brought it: only an abort, a logout, a
//     timeout or the end of the server stops it.
//   - Statements of one session run one after the other, in the order in which
//     they came. Nobody waits for an asynchronous one outside a transaction.
//   - What is not confirmed about Snowflake's answers is in codes.go, and only
//     there.
//   - Everything that is remembered is bounded, by the constants beside it.
//
// Below /snowlocal/ is what Snowflake has not: faults, the statements that were
// received, and the sessions. It answers to loopback alone.
//
//	s, err := server.New(e, server.Options{})
//	http.Serve(listener, s.Handler())
//	defer s.Close()
package server
