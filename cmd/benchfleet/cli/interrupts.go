package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/benchfleet/benchfleet/core"
)

// heard are those of the signals that this process was not started to ignore,
// as nohup starts one to ignore that its terminal goes away.
func heard(signals ...os.Signal) []os.Signal {
	var heard []os.Signal
	for _, s := range signals {
		if !signal.Ignored(s) {
			heard = append(heard, s)
		}
	}
	return heard
}

// interruptible ends the context at an interrupt. A command that drives a run
// takes the interrupts over; any other simply ends.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	signals := heard(os.Interrupt, syscall.SIGTERM)
	if len(signals) == 0 { // none would mean all
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, signals...)
}

// Interrupted turns the interrupts of this process into stop requests: the first
// stops the run, the second kills its workers, and the third leaves. A
// terminal that goes away is an interrupt too; output that nobody reads any more
// is none.
type Interrupted struct {
	C <-chan core.StopRequested

	signals chan os.Signal
	pipes   chan os.Signal // where SIGPIPE goes, unread: else it would end this process
	done    chan struct{}
	group   sync.WaitGroup
}

// stage is how far a run is, as far as an interrupt is concerned.
type stage int32

const (
	working stage = iota // workers may live
	storing              // they are gone; the result is being stored
	ended                // only its end is not stored yet
)

// Interrupts begins to listen, and says on say what each interrupt does. giveUp
// is called when there is nothing more to stop or to kill. Close ends it.
func Interrupts(say io.Writer, at func() stage, giveUp func()) *Interrupted {
	stops := make(chan core.StopRequested, 2)
	i := &Interrupted{C: stops, signals: make(chan os.Signal, 4), pipes: make(chan os.Signal, 1), done: make(chan struct{})}
	if signals := heard(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP); len(signals) > 0 { // none would mean all
		signal.Notify(i.signals, signals...)
	}
	signal.Notify(i.pipes, syscall.SIGPIPE)
	i.group.Go(func() {
		for count := 1; ; count++ {
			select {
			case <-i.done:
				return
			case s := <-i.signals:
				if request, ok := interrupted(say, count, at(), s.String()); ok {
					stops <- request // there is room for both
				} else {
					giveUp()
				}
			}
		}
	})
	return i
}

// interrupted is what the nth interrupt asks for; false: to leave at once.
func interrupted(say io.Writer, nth int, at stage, signal string) (core.StopRequested, bool) {
	request := core.StopRequested{Reason: core.UserRequested, By: "signal " + signal}
	switch {
	case at == ended || nth > 2 || nth == 2 && at == storing:
		return request, false
	case nth == 2:
		request.Rung = core.Kill
		fmt.Fprintln(say, "killing the workers; interrupt again to leave without waiting")
	case at == storing:
		fmt.Fprintln(say, "the workers are gone and the result is being stored; interrupt again to leave without waiting")
	default:
		fmt.Fprintln(say, "stopping; interrupt again to kill the workers at once")
	}
	return request, true
}

// Close stops listening.
func (i *Interrupted) Close() {
	signal.Stop(i.signals)
	signal.Stop(i.pipes)
	close(i.done)
	i.group.Wait()
}
