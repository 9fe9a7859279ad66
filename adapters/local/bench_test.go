//go:build linux || darwin

package local

import (
	"os"
	"os/exec"
	"testing"

	"github.com/benchfleet/benchfleet/ports/porttest"
	"github.com/matryer/is"
)

// What Launch adds to the start of a process: claim, syncs, record.
func BenchmarkLaunch(b *testing.B) {
	is := is.New(b)
	dir := b.TempDir()
	l := open(b, dir)
	b.Cleanup(func() { sweep(b, dir) })
	for i := 0; b.Loop(); i++ {
		_, err := l.Launch(b.Context(), spec("run", i, "exit=0"))
		is.NoErr(err)
	}
}

func BenchmarkBareStart(b *testing.B) {
	is := is.New(b)
	for b.Loop() {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{porttest.EnvScript + "=exit=0"}
		is.NoErr(cmd.Start())
		b.StopTimer()
		is.NoErr(cmd.Wait())
		b.StartTimer()
	}
}

func BenchmarkScan(b *testing.B) {
	is := is.New(b)
	for b.Loop() {
		_, err := scan()
		is.NoErr(err)
	}
}
