package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

// BenchmarkStatement is a statement in the engine alone, with the protocol around
// it, and with the driver too.
func BenchmarkStatement(b *testing.B) {
	s := start(b, server.Options{})
	login := s.login(b, "BENCH", password, nil)
	b.Run("engine", func(b *testing.B) {
		session, err := s.engine.NewSession(b.Context(), engine.SessionOptions{User: "BENCH"})
		if err != nil {
			b.Fatal(err)
		}
		defer session.Close()
		for b.Loop() {
			if _, err := session.Execute(b.Context(), engine.Query{SQL: "SELECT 1"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protocol", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n++
			request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, fmt.Sprintf("%s/queries/v1/query-request?requestId=%d", s.address, n),
				bytes.NewReader([]byte(`{"sqlText":"SELECT 1"}`)))
			if err != nil {
				b.Fatal(err)
			}
			request.Header.Set("Authorization", `Snowflake Token="`+login.Data.Token+`"`)
			reply, err := http.DefaultClient.Do(request)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, reply.Body); err != nil {
				b.Fatal(err)
			}
			if err := reply.Body.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("driver", func(b *testing.B) {
		db := s.open(b, nil)
		for b.Loop() {
			if _, err := db.ExecContext(b.Context(), "SELECT 1"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
