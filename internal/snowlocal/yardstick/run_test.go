package yardstick

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const maxOutput = 4 << 10 // bytes of what one test says that are kept: the last

// outcome is how a test ended: PASS, FAIL or SKIP as it says itself, or else one
// of these.
type outcome struct {
	is     string
	output string
}

const (
	passed  = "PASS"
	hung    = "takes too long"
	crashed = "ends the process"
)

// run runs tests one after the other, in as few processes as can be: a test that
// hangs or crashes ends its process, and the rest go on in another.
func (d driver) run(ctx context.Context, env, tests []string, limit time.Duration) (map[string]outcome, error) {
	outcomes := map[string]outcome{}
	for rest := tests; len(rest) > 0; {
		p, err := d.start(ctx, env, rest)
		if err != nil {
			return nil, err
		}
		before := len(outcomes)
		said, err := p.watch(limit, outcomes)
		rest = slices.DeleteFunc(slices.Clone(rest), func(test string) bool {
			_, known := outcomes[test]
			return known
		})
		if err == nil && len(outcomes) == before {
			err = errors.New("no test ran")
		}
		if err != nil {
			return nil, fmt.Errorf("%w; the driver's tests said last: %s", err, said)
		}
	}
	return outcomes, nil
}

// process runs tests.
type process struct {
	command *exec.Cmd
	ctx     context.Context
	events  <-chan event // closed at the process's end
}

// An event is that a test starts, or that it ended as said, or a piece of output.
type event struct {
	test, is, output string
}

func (d driver) start(ctx context.Context, env, tests []string) (*process, error) {
	p := &process{ctx: ctx}
	p.command = exec.CommandContext(ctx, d.binary, "-test.run=^("+strings.Join(tests, "|")+")$", "-test.v=test2json", "-test.timeout=0")
	p.command.Dir, p.command.Env, p.command.WaitDelay = d.folder, env, 10*time.Second
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.command.Stdout, p.command.Stderr = w, w
	if err := errors.Join(p.command.Start(), w.Close()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	events := make(chan event, 64)
	p.events = events
	go func() {
		defer close(events)
		defer r.Close()
		readEvents(r, events)
	}()
	return p, nil
}

// watch notes how tests end, until the process does or one of them takes too
// long. It returns the last output.
func (p *process) watch(limit time.Duration, outcomes map[string]outcome) (string, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var current, last, output, why string
	failed := false
	for open := true; open; {
		select {
		case e, ok := <-p.events:
			open = ok
			switch {
			case e.test == "":
				output += e.output
				output = output[max(0, len(output)-maxOutput):]
			case e.is == "":
				current, output = e.test, ""
				timer.Reset(limit)
			default:
				outcomes[e.test] = outcome{e.is, output}
				last, current, output, failed = e.test, "", "", failed || e.is == "FAIL"
				timer.Reset(limit)
			}
		case <-timer.C:
			why = hung
			_ = p.command.Process.Kill() // it may have ended; the events end with it
		}
	}
	err := p.command.Wait()
	switch {
	case p.ctx.Err() != nil:
		return output, p.ctx.Err()
	case current != "" && why == "":
		why = crashed
	case current == "" && why != "":
		return output, fmt.Errorf("nothing happens for %s between tests", limit)
	}
	if current != "" {
		outcomes[current] = outcome{why, output}
		return output, nil
	}
	if failed && strings.Contains(output, "panic: ") { // said after the test is said to have failed
		outcomes[last] = outcome{crashed, output}
	}
	if err != nil && !failed {
		return output, fmt.Errorf("no test failed, but the process did: %w", err)
	}
	return output, nil
}

// readEvents reads what the testing package writes for test2json: its own words
// come after a byte that tests do not write, wherever in a line.
func readEvents(r io.Reader, events chan<- event) {
	reader := bufio.NewReaderSize(r, 1<<20)
	for {
		part, more, err := reader.ReadLine()
		if err != nil { // the end, whatever it is: who waits for the process learns why
			return
		}
		text, words, framed := strings.Cut(string(part), "\x16")
		if text != "" || !framed {
			if !more {
				text += "\n"
			}
			events <- event{output: text}
		}
		if !framed {
			continue
		}
		if test, ok := strings.CutPrefix(words, "=== RUN   "); ok && !strings.Contains(test, "/") {
			events <- event{test: test}
		}
		if end, ok := strings.CutPrefix(words, "--- "); ok {
			is, test, _ := strings.Cut(end, ": ")
			if test, _, _ = strings.Cut(test, " "); !strings.Contains(test, "/") {
				events <- event{test: test, is: is}
			}
		}
	}
}
