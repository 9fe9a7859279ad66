package core

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

// What is newly owed is what a plain search says, in the order of after, whatever the
// order of both.
func TestNewlyOwed(t *testing.T) {
	is := is.New(t)
	key := func(n uint64) Command { return KillWorker{Worker: int(n), Epoch: 1} }
	random := NewRand(1, 2, 3)
	list := func() (cmds []Command) {
		for range random.Uint64() % 6 {
			if c := key(random.Uint64() % 6); !slices.Contains(cmds, c) {
				cmds = append(cmds, c)
			}
		}
		return cmds
	}
	for range 20_000 {
		before, after := list(), list()
		var want []Command
		for _, c := range after {
			if !slices.Contains(before, c) {
				want = append(want, c)
			}
		}
		is.Equal(newlyOwed(before, after), want)
	}
}
