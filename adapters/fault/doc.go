// Package fault decorates ports with seeded faults: calls that never arrive,
// replies that are lost, delays, repetitions, refusals. Tests and simulations
// put it between the code under test and real adapters.
//
// It is not a mock: what is not hit by a fault is done by the adapter below, and
// an Injector without rules changes nothing at all. Methods without a context
// (Capabilities, ID, QueryID, Close) are never hit.
//
// Its law: which calls are hit, and how, depends on the seed, the rules, the name
// of the method and the number of the call of that method, and on nothing else.
package fault
