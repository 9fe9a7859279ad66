package memory_test

import (
	"testing"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/ports/porttest"
)

func TestStore(t *testing.T) {
	porttest.TestStore(t, porttest.StoreHarness{
		Open:   func(testing.TB) ports.Store { return memory.NewStore(memory.Options{}) },
		Reopen: func(_ testing.TB, store ports.Store) ports.Store { return store.(*memory.Store).Reopen() },
	})
}
