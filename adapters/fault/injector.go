package fault

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// Fault is what happens to a call.
type Fault string

// The faults.
const (
	// FailBefore: nothing is done, and the caller gets an error at once.
	FailBefore Fault = "fail-before"
	// FailAfter: the call is done, but its reply is lost: the caller gets an
	// error, whatever came out.
	FailAfter Fault = "fail-after"
	// Lose: nothing is done, and the caller hears nothing until its context ends
	// or Rule.Delay has passed (0: one minute).
	Lose Fault = "lose"
	// Delay: the call is done after Rule.Delay and up to Rule.Spread more.
	Delay Fault = "delay"
	// Duplicate: the call is done twice, and the caller gets the first reply.
	Duplicate Fault = "duplicate"
	// Conflict: nothing is done, and the caller gets core.ErrConflict.
	Conflict Fault = "conflict"
)

// longestLoss is how long a lost call waits when nothing else is said.
const longestLoss = time.Minute

// A Rule says which calls are hit, and by what. A call is hit if either Calls or
// Probability says so. Delays of several rules that hit the same call add up;
// of their other faults the first counts.
type Rule struct {
	// On names a method, like "RunStore.Commit", or all of a port, like
	// "RunStore"; empty: every method of every port.
	On    string
	Fault Fault
	// Probability of each call, from 0 to 1.
	Probability float64
	// Calls are the numbers of the calls of one method that are hit; the first
	// call of a method is 1.
	Calls []int64
	// Delay and Spread: see Delay and Lose.
	Delay, Spread time.Duration
	// Error is what FailBefore and FailAfter give; core.ErrUnavailable when nil.
	Error error
}

// Count says how often a method was called and how often a fault hit it.
type Count struct {
	Method string
	Calls  int64
	Hits   int64
}

// Injector decides over calls. Make it with New; it may be shared by many
// decorators, whose calls it then counts together.
type Injector struct {
	seed  uint64
	rules []Rule

	mu     sync.Mutex
	healed bool
	counts map[string]*Count
}

// New makes an injector. Errors: Invalid for a rule that could never hit or that
// makes no sense.
func New(seed uint64, rules ...Rule) (*Injector, error) {
	for i, r := range rules {
		if problem := r.problem(); problem != "" {
			return nil, fmt.Errorf("%w: fault: rule %d: %s", core.ErrInvalid, i, problem)
		}
	}
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Calls = slices.Clone(rules[i].Calls)
	}
	return &Injector{seed: seed, rules: rules, counts: map[string]*Count{}}, nil
}

func (r Rule) problem() string {
	switch {
	case !slices.Contains([]Fault{FailBefore, FailAfter, Lose, Delay, Duplicate, Conflict}, r.Fault):
		return fmt.Sprintf("no fault %q", r.Fault)
	case !slices.ContainsFunc(Methods(), r.covers):
		return fmt.Sprintf("no method or port %q", r.On)
	case !(r.Probability >= 0 && r.Probability <= 1):
		return fmt.Sprintf("probability %v is not within 0 to 1", r.Probability)
	case slices.ContainsFunc(r.Calls, func(n int64) bool { return n < 1 }):
		return fmt.Sprintf("calls %v: the first call is 1", r.Calls)
	case r.Probability == 0 && len(r.Calls) == 0:
		return "neither probability nor calls"
	case r.Delay < 0 || r.Spread < 0:
		return fmt.Sprintf("delay %s and spread %s must not be negative", r.Delay, r.Spread)
	case r.Fault == Delay && r.Delay+r.Spread == 0:
		return "a delay of nothing"
	default:
		return ""
	}
}

// covers says whether the rule is about the method.
func (r Rule) covers(method string) bool {
	return r.On == "" || r.On == method || strings.HasPrefix(method, r.On+".")
}

// Heal ends all faults: from then on every call goes through. Calls that are
// delayed or lost stay so.
func (in *Injector) Heal() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.healed = true
}

// Counts says what was called and hit so far, by method.
func (in *Injector) Counts() []Count {
	in.mu.Lock()
	defer in.mu.Unlock()
	var list []Count
	for _, c := range in.counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Count) int { return strings.Compare(a.Method, b.Method) })
	return list
}

// verdict is what happens to one call.
type verdict struct {
	call  int64
	delay time.Duration
	fault Fault // "" or any but Delay
	rule  Rule
}

// next counts a call and decides over it.
func (in *Injector) next(method string) verdict {
	in.mu.Lock()
	defer in.mu.Unlock()
	c := in.counts[method]
	if c == nil {
		c = &Count{Method: method}
		in.counts[method] = c
	}
	c.Calls++
	v := verdict{call: c.Calls}
	if in.healed {
		return v
	}
	hit := false
	for i, r := range in.rules {
		if !r.covers(method) {
			continue
		}
		draw := core.NewRand(in.seed, streamOf(method)+uint64(i), uint64(c.Calls))
		if chance := draw.Float64(); chance >= r.Probability && !slices.Contains(r.Calls, c.Calls) {
			continue
		}
		hit = true
		switch {
		case r.Fault == Delay:
			v.delay += r.Delay + time.Duration(math.Round(draw.Float64()*float64(r.Spread)))
		case v.fault == "":
			v.fault, v.rule = r.Fault, r
		}
	}
	if hit {
		c.Hits++
	}
	return v
}

// streamOf keeps the random numbers of methods apart.
func streamOf(method string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(method)) // never fails
	return h.Sum64()
}

// call passes one call on to do, or does to it what the rules say. discard, if
// not nil, gets the results that the caller does not.
func call[R any](ctx context.Context, in *Injector, method string, do func(context.Context) (R, error), discard func(R)) (R, error) {
	var none R
	drop := func(result R, err error) {
		if err == nil && discard != nil {
			discard(result)
		}
	}
	v := in.next(method)
	if v.delay > 0 {
		if err := wait(ctx, v.delay); err != nil {
			return none, fmt.Errorf("%w: fault: call %d of %s was delayed: %w", core.ErrUnavailable, v.call, method, err)
		}
	}
	cause := v.rule.Error
	if cause == nil {
		cause = core.ErrUnavailable
	}
	switch v.fault {
	case FailBefore:
		return none, fmt.Errorf("%w: fault: call %d of %s failed before it was done", cause, v.call, method)
	case Conflict:
		return none, fmt.Errorf("%w: fault: call %d of %s", core.ErrConflict, v.call, method)
	case Lose:
		bound := v.rule.Delay
		if bound == 0 {
			bound = longestLoss
		}
		if err := wait(ctx, bound); err != nil {
			return none, fmt.Errorf("%w: fault: call %d of %s was lost: %w", core.ErrUnavailable, v.call, method, err)
		}
		return none, fmt.Errorf("%w: fault: call %d of %s was lost", core.ErrUnavailable, v.call, method)
	case FailAfter:
		drop(do(ctx))
		return none, fmt.Errorf("%w: fault: the reply to call %d of %s was lost", cause, v.call, method)
	case Duplicate:
		result, err := do(ctx)
		drop(do(ctx))
		return result, err
	default:
		return do(ctx)
	}
}

// act is call for methods that return nothing but an error.
func act(ctx context.Context, in *Injector, method string, do func(context.Context) error) error {
	_, err := call(ctx, in, method, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) }, nil)
	return err
}

// wait returns after d, or earlier with the error of the context.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
