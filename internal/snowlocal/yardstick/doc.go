// Package yardstick measures the stand-in with what its authors did not write: the
// tests of gosnowflake, Snowflake's own driver for Go, that talk to a server. They
// are built from the driver's source in the module cache and run against a
// stand-in of their own. The package holds nothing but that test.
//
// Its laws:
//   - tests.txt names every test of the selection, as pass or with the reason why
//     not. It is for one version of the driver: another one needs another look.
//   - What is listed as pass passes, and minPasses of them at least are listed.
//   - A listed pass talks to the server: with a wrong password it does not pass.
//   - What passes though listed with a reason is said, and -update lists it.
//
// The selection is the tests that log in, of the driver's files on connections,
// statements, bindings, rows, types, transactions, multi-statements and
// asynchronous queries. It leaves out OCSP, Okta, browsers, TLS, proxies, files
// in stages, structured types and vectors, and what needs a WireMock server.
package yardstick
