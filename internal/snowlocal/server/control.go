package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxControl bounds the body of a request to the control.
const maxControl = 1 << 20

// control answers those who control the stand-in.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /snowlocal/faults", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, s.faults.encoded()) })
	mux.HandleFunc("POST /snowlocal/faults", s.setFaults)
	mux.HandleFunc("DELETE /snowlocal/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.faults.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /snowlocal/statements", s.listStatements)
	mux.HandleFunc("DELETE /snowlocal/statements", s.clearStatements)
	mux.HandleFunc("GET /snowlocal/sessions", s.listSessions)
	if s.options.Services != nil {
		mux.Handle("/snowlocal/spcs", s.options.Services.Control())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "this is for loopback alone", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answerJSON(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that is gone does not want it
}

// setFaults takes a fault, or a list of them.
func (s *Server) setFaults(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(io.LimitReader(r.Body, maxControl))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	list := []*Fault{}
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] != '[' {
		text = fmt.Appendf(nil, "[%s]", text)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err = decoder.Decode(&list); err == nil {
		err = s.faults.add(list)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answerJSON(w, s.faults.encoded())
}

// listSessions answers with the sessions that live.
func (s *Server) listSessions(w http.ResponseWriter, _ *http.Request) {
	type one struct {
		ID          int64     `json:"id"`
		User        string    `json:"user"`
		Role        string    `json:"role"`
		Warehouse   string    `json:"warehouse"`
		Application string    `json:"application"`
		SPCS        bool      `json:"spcs,omitempty"`
		Since       time.Time `json:"since"`
		Running     bool      `json:"running"`
	}
	list := []one{}
	for _, x := range s.sessions.all() {
		info := x.engine.Info()
		list = append(list, one{x.id, x.user, info.Role, info.Warehouse, x.application, x.spcs, x.since, x.running.Load() > 0})
	}
	answerJSON(w, encode(list))
}
