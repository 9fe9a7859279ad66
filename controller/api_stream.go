package controller

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// sendWait is how long a viewer may take to read one message.
const sendWait = 10 * time.Second

type watchRun struct {
	Run  string `path:"run" maxLength:"200"`
	Last string `header:"Last-Event-ID" maxLength:"100" doc:"Id of the last frame that was seen; the stream goes on there"`
	From string `query:"from" maxLength:"100" doc:"The same, for a first connection of a browser, which cannot set the header"`
}

func (a *api) stream() {
	frame := a.huma.OpenAPI().Components.Schemas.Schema(frameType, true, "Frame")
	operation(a, huma.Operation{
		OperationID: "watch-run", Method: http.MethodGet, Path: "/runs/{run}/stream", Tags: []string{"runs"},
		Summary: "Watch a run until it ends, as server-sent events",
		Description: "Each event has the type frame, the id of where the stream goes on after it, and a Frame as its data. A comment comes at least every 15 s. " +
			"After the last frame, whose end is true, the stream closes; who comes back to an ended run with the id of its last frame is answered 204, which tells a browser to stay away.",
		Responses: map[string]*huma.Response{
			"200": {Description: "Frames", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: frame}}},
			"204": {Description: "The run has ended, and everything was seen"},
		},
	}, a.watch)
}

func (a *api) watch(ctx context.Context, in *watchRun) (*huma.StreamResponse, error) {
	last := in.Last
	if last == "" {
		last = in.From
	}
	viewer, err := a.Watch(ctx, in.Run, last)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer viewer.Close()
		r, w := humago.Unwrap(c)
		first, ok, err := viewer.Next(r.Context(), heartbeatEvery)
		if err != nil {
			writeProblem(w, problemOf(err))
			return
		}
		if ok && first.End && first.ID == in.Last {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s := &sender{w: w, control: http.NewResponseController(w)}
		s.begin()
		if ok {
			s.send(first)
		}
		s.follow(r.Context(), viewer, first.End)
	}}, nil
}

// sender writes a stream.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error // the first; nothing is written after it
}

func (s *sender) begin() {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not hold it back
	_ = s.control.SetReadDeadline(time.Time{})
	s.write("retry: 2000\n\n")
}

// follow sends what comes, and a comment when nothing does, so that no proxy takes
// the stream for dead.
func (s *sender) follow(ctx context.Context, viewer *Watcher, ended bool) {
	for !ended && s.err == nil {
		m, ok, err := viewer.Next(ctx, heartbeatEvery)
		switch {
		case err != nil:
			return // the browser comes back
		case !ok:
			s.write(": still here\n\n")
		default:
			s.send(m)
			ended = m.End
		}
	}
}

func (s *sender) send(m Message) {
	s.write(fmt.Sprintf("event: frame\nid: %s\ndata: %s\n\n", m.ID, m.Data))
}

// write writes and flushes. A viewer that does not read is cut off.
func (s *sender) write(text string) {
	if s.err != nil {
		return
	}
	if s.err = s.control.SetWriteDeadline(time.Now().Add(sendWait)); s.err == nil {
		_, s.err = io.WriteString(s.w, text)
	}
	if s.err == nil {
		s.err = s.control.Flush()
	}
}
