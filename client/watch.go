package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// The bounds of a stream.
const (
	silentFor    = 45 * time.Second // the controller says something each 15 s
	maxFrame     = 16 << 20
	comeBackFor  = time.Minute // without one frame
	comeBackWait = 2 * time.Second
)

// Watch yields the frames of a run until the last one. last is the ID of a frame
// that was seen; empty: it begins with where the run stands now. A connection that
// breaks is made again, where the stream was, for a minute. An error is the last
// thing that it yields.
func (c *Client) Watch(ctx context.Context, id, last string) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		heard := time.Now()
		for {
			err := c.watchOnce(ctx, id, &last, func(f Frame) error {
				heard = time.Now()
				if !yield(f, nil) || f.End {
					return errEnough
				}
				return nil
			})
			switch code := core.CodeOf(err); {
			case errors.Is(err, errEnough):
				return
			case ctx.Err() != nil:
				yield(Frame{}, ctx.Err())
				return
			case err != nil && code != core.Unavailable, time.Since(heard) > comeBackFor:
				yield(Frame{}, err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(comeBackWait):
			}
		}
	}
}

// errEnough says that nobody wants more frames.
var errEnough = errors.New("enough")

// watchOnce reads one connection until it breaks.
func (c *Client) watchOnce(ctx context.Context, id string, last *string, take func(Frame) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := c.open(ctx, call{method: http.MethodGet, path: []string{"runs", id, "stream"}, accept: "text/event-stream", last: *last})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent { // the run has ended, and it was seen
		return errEnough
	}
	silence := time.AfterFunc(silentFor, cancel)
	defer silence.Stop()
	lines := bufio.NewReader(response.Body)
	for {
		event, err := readEvent(lines, func() { silence.Reset(silentFor) })
		if err != nil {
			return fmt.Errorf("%w: the stream of run %s broke: %w", core.ErrUnavailable, id, err)
		}
		if event.kind != "frame" {
			continue
		}
		f := Frame{}
		if err := json.Unmarshal([]byte(event.data), &f); err != nil {
			return fmt.Errorf("%w: a frame of run %s: %w", core.ErrInternal, id, err)
		}
		f.ID, *last = event.id, event.id
		if err := take(f); err != nil {
			return err
		}
	}
}

type sentEvent struct{ kind, id, data string }

// readEvent reads one server-sent event; alive is called for each line of it.
func readEvent(lines *bufio.Reader, alive func()) (e sentEvent, err error) {
	for size := 0; ; {
		line, err := readLine(lines)
		if err != nil {
			return e, err
		}
		alive()
		if size += len(line); size > maxFrame {
			return e, fmt.Errorf("%w: an event has more than %d bytes", core.ErrInternal, maxFrame)
		}
		if line == "" && e != (sentEvent{}) {
			return e, nil
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.kind = value
		case "id":
			e.id = value
		case "data":
			if e.data != "" {
				e.data += "\n"
			}
			e.data += value
		}
	}
}

// readLine reads a line of bounded length, without its end.
func readLine(lines *bufio.Reader) (string, error) {
	var text []byte
	for {
		part, err := lines.ReadSlice('\n')
		if text = append(text, part...); len(text) > maxFrame {
			return "", fmt.Errorf("%w: a line has more than %d bytes", core.ErrInternal, maxFrame)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(string(text), "\r\n"), err
		}
	}
}
