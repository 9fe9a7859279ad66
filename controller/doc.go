// Package controller is the service through which people and scripts see and
// steer runs: an HTTP API with its OpenAPI document, and a live stream. It never
// talks to a worker, a launcher or a target: it writes requests through the
// RunStore and reads what is stored. Whoever drives a run, in this process or in
// another, obeys what it finds in the store.
//
// A Service is what it can do, without HTTP; pages are built on it as the API is.
// A Server is the Service behind HTTP, with one order of checks for everything
// that it serves: who asks, from where, how much, and for how long.
//
// Laws: reading costs the store the same however many watch; nothing that a viewer
// does, or does not read, holds up a run; what is refused leaves nothing behind.
package controller
