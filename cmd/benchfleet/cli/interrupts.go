package cli

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/benchfleet/benchfleet/core"
)

// Interrupted turns the interrupts of this process into stop requests: the first
// stops the run, the second kills its workers, and the third gives up.
type Interrupted struct {
	C <-chan core.StopRequested

	signals chan os.Signal
	done    chan struct{}
	group   sync.WaitGroup
}

// Interrupts begins to listen, and says on say what each interrupt does. The
// third calls giveUp. Close ends it.
func Interrupts(say io.Writer, giveUp func()) *Interrupted {
	stops := make(chan core.StopRequested, 2)
	i := &Interrupted{C: stops, signals: make(chan os.Signal, 4), done: make(chan struct{})}
	signal.Notify(i.signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	i.group.Go(func() {
		for count := 1; ; count++ {
			select {
			case <-i.done:
				return
			case s := <-i.signals:
				switch count {
				case 1:
					fmt.Fprintln(say, "stopping; interrupt again to kill the workers at once")
					stops <- core.StopRequested{Reason: core.UserRequested, By: "signal " + s.String()}
				case 2:
					fmt.Fprintln(say, "killing the workers; interrupt again to leave without waiting")
					stops <- core.StopRequested{Reason: core.UserRequested, By: "signal " + s.String(), Rung: core.Kill}
				case 3:
					giveUp()
				}
			}
		}
	})
	return i
}

// Close stops listening.
func (i *Interrupted) Close() {
	signal.Stop(i.signals)
	close(i.done)
	i.group.Wait()
}
