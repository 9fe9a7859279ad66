package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func TestParseStat(t *testing.T) {
	is := is.New(t)
	stat := func(comm, state string, threads, code int) string {
		return fmt.Sprintf("4242 (%s) %s 1 4200 4100 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 %d 0 987654 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 17 18 0 0 0 0 0 1 2 3 4 5 6 7 %d\n", comm, state, threads, code)
	}
	for _, comm := range []string{"x", "a b", ") R 1 2 (", "((", "", "line\nbreak"} {
		now, err := parseStat([]byte(stat(comm, "S", 5, 0)))
		is.NoErr(err)
		is.Equal(now, sight{process: process{PID: 4242, Start: 987654}, session: 4100})
	}
	now, err := parseStat([]byte(stat("x", "Z", 1, 3<<8)))
	is.NoErr(err)
	is.True(now.zombie)
	is.Equal(now.exit, exit{Code: 3})
	now, err = parseStat([]byte(stat("x", "Z", 4, 0))) // only its first thread has ended
	is.NoErr(err)
	is.True(!now.zombie)
	for _, bad := range []string{"", "1", "1 (x", "1 )(", "1 (x) S 1 2 3", strings.Replace(stat("x", "S", 1, 0), "987654", "soon", 1)} {
		_, err := parseStat([]byte(bad))
		is.True(err != nil)
	}
}

// A group dies through the pidfd of its leader, and without one.
func TestSignalGroup(t *testing.T) {
	for what, send := range map[string]func(process, syscall.Signal, bool) error{"pidfd": signal, "number": signalByNumber} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			alone, group := newVictim(t), newVictim(t)
			is.NoErr(send(alone.process, syscall.SIGTERM, false))
			is.True(!alone.ask())
			is.NoErr(send(process{PID: group.PID, Start: group.Start - 1}, sigHard, true))
			is.True(group.ask())
			is.NoErr(send(group.process, sigHard, true))
			is.True(!group.ask())
		})
	}
}

func TestRoom(t *testing.T) {
	is := is.New(t)
	free, err := roomNow()
	is.NoErr(err)
	is.True(free.memory > 1<<20)
	is.True(free.files > 0)
	threads, err := threadsOfUser()
	is.NoErr(err)
	is.True(threads > 1) // at least this process's
	is.Equal(available([]byte("MemTotal: 9 kB\nMemAvailable:    2048 kB\n")), int64(2048<<10))
	is.Equal(available([]byte("MemTotal: 9 kB\n")), int64(unknown))

	root := t.TempDir()
	for file, text := range map[string]string{
		"pids.max": "max", "pids.current": "900",
		"a/pids.max": "100", "a/pids.current": "70",
		"a/b/pids.max": "50", "a/b/pids.current": "10",
		"c/pids.max": "5", "c/pids.current": "7",
	} {
		is.NoErr(os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o700))
		is.NoErr(os.WriteFile(filepath.Join(root, file), []byte(text+"\n"), 0o600))
	}
	for self, want := range map[string]int64{
		"0::/a/b\n":              30, // a's bound is the tightest
		"4:pids:/c\n0::/a/b/x\n": 30,
		"0::/c\n":                0, // never below nothing
		"0::/\n":                 unknown,
		"8:pids:/a\n":            unknown,
		"":                       unknown,
	} {
		is.Equal(cgroupRoom(root, []byte(self), "pids.max", "pids.current"), want)
	}
}
