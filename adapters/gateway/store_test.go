package gateway

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

var testKey = bytes.Repeat([]byte{7}, keySize)

// serve serves the store on a free port of loopback until the test ends, and
// returns where.
func serve(t testing.TB, s *Server) (address string) {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func open(t testing.TB, address string, options ClientOptions) ports.Store {
	t.Helper()
	store, err := Open(t.Context(), address, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// The owner's side is a store like any other.
func TestFront(t *testing.T) {
	servers := map[ports.Store]*Server{}
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(testing.TB) ports.Store {
			s := New(memory.NewStore(memory.Options{}), Options{Key: testKey})
			servers[s.Store()] = s
			return s.Store()
		},
	})
}

// So is the workers' side, with the token of the whole store.
func TestWire(t *testing.T) {
	for name, hold := range map[string]time.Duration{"at once": 0, "held": 20 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			var address string
			options := ClientOptions{Token: Token(testKey, ""), Hold: hold}
			porttest.TestStore(t, porttest.StoreHarness{
				Open: func(t testing.TB) ports.Store {
					s := New(memory.NewStore(memory.Options{}), Options{Key: testKey})
					t.Cleanup(func() { _ = s.Close() })
					address = serve(t, s)
					return open(t, address, options)
				},
				Reopen: func(t testing.TB, _ ports.Store) ports.Store { return open(t, address, options) },
			})
		})
	}
}

// Workers and owner see each other at once.
func TestWireAndFront(t *testing.T) {
	var server *Server
	porttest.TestStore(t, porttest.StoreHarness{
		Open: func(t testing.TB) ports.Store {
			server = New(memory.NewStore(memory.Options{}), Options{Key: testKey})
			return open(t, serve(t, server), ClientOptions{Token: Token(testKey, ""), Hold: 20 * time.Millisecond})
		},
		Reopen: func(testing.TB, ports.Store) ports.Store { return server.Store() },
	})
}
