//go:build unix

package plugin

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func kill(t testing.TB, pid int, signal syscall.Signal) {
	is.New(t).NoErr(syscall.Kill(pid, signal))
}

// A plugin that dies in the middle of a call is an error of that call; the next
// one starts it again.
func TestDeathInACall(t *testing.T) {
	for worker, says := range map[string]string{"exit": "it exited with code 3", "panic": "it exited with code 2", "hang": "signal: killed"} {
		t.Run(worker, func(t *testing.T) {
			is := is.New(t)
			l := open(t, "odd")
			first := pid(t, l)
			if worker == "hang" {
				time.AfterFunc(100*time.Millisecond, func() { _ = syscall.Kill(first, syscall.SIGKILL) })
			}
			_, err := l.Launch(t.Context(), key(worker))
			is.Equal(core.CodeOf(err), core.Unavailable)
			is.True(strings.Contains(err.Error(), says))
			is.True(strings.Contains(err.Error(), l.path))
			is.True(pid(t, l) != first)
		})
	}
}

// All calls under way fail, and all that follow use one new process.
func TestDeathUnderManyCalls(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	first := pid(t, l)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { _, errs[i] = l.Launch(t.Context(), key("hang")) })
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = syscall.Kill(first, syscall.SIGKILL) })
	wg.Wait()
	for _, err := range errs {
		is.Equal(core.CodeOf(err), core.Unavailable)
	}
	pids := make([]string, 16)
	for i := range pids {
		wg.Go(func() {
			all, err := l.Inspect(t.Context(), []core.Handle{{Launcher: "odd"}})
			if err == nil {
				pids[i] = all[0].Cause
			}
		})
	}
	wg.Wait()
	for _, p := range pids {
		is.Equal(p, pids[0])
		is.True(p != "" && p != strconv.Itoa(first))
	}
}

// A handle means the same to the next process.
func TestDeathBetweenCalls(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	handle, err := l.Launch(t.Context(), key("worker-0"))
	is.NoErr(err)
	data, err := json.Marshal(handle)
	is.NoErr(err)
	first := pid(t, l)
	old := l.current
	kill(t, first, syscall.SIGKILL)
	<-old.gone
	_, err = os.Stat(old.socketFolder(t))
	is.True(errors.Is(err, os.ErrNotExist)) // nothing of it is left

	var reloaded core.Handle
	is.NoErr(json.Unmarshal(data, &reloaded))
	all, err := l.Inspect(t.Context(), []core.Handle{reloaded})
	is.NoErr(err)
	is.True(all[0].Cause != strconv.Itoa(first))
}

// socketFolder is what go-plugin has told the process.
func (p *process) socketFolder(t testing.TB) string {
	for _, v := range p.cmd.Env {
		if dir, ok := strings.CutPrefix(v, "PLUGIN_UNIX_SOCKET_DIR="); ok {
			return dir
		}
	}
	t.Fatal("no folder of a socket")
	return ""
}

// The first restart is at once; the more deaths in a row, the longer the pause.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		l := &Launcher{}
		is.Equal(l.nextPause(), time.Duration(0)) // the start
		for _, want := range []time.Duration{0, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
			pause := l.nextPause()
			is.Equal(pause, want*time.Millisecond)
			time.Sleep(pause) // of the bubble
		}
		time.Sleep(steady)
		is.Equal(l.nextPause(), time.Duration(0))
		is.Equal(l.nextPause(), time.Duration(0))
		is.Equal(l.nextPause(), firstPause)
	})
}

// Whoever waits for a restart waits no longer than his context.
func TestRestartIsAwaitedWithinTheContext(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	old := l.current
	kill(t, pid(t, l), syscall.SIGKILL)
	<-old.done
	l.mu.Lock()
	l.pause = time.Minute
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := l.List(ctx, "")
	is.True(errors.Is(err, context.DeadlineExceeded))
	is.Equal(core.CodeOf(err), core.Unavailable)
	begin := time.Now()
	is.NoErr(l.Close()) // and Close does not wait for the pause
	is.True(time.Since(begin) < 30*time.Second)
	_, err = l.List(t.Context(), "")
	is.Equal(core.CodeOf(err), core.Refused)
}

// Close ends a restart too.
func TestCloseWhileThePluginStarts(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	old := l.current
	kill(t, pid(t, l), syscall.SIGKILL)
	<-old.done
	l.options.Env = append(l.options.Env, envRole+"=is silent")
	done := make(chan error)
	go func() { _, err := l.List(context.Background(), ""); done <- err }()
	waitFor(t, "a start is under way", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.starting != nil
	})
	is.NoErr(l.Close())
	is.Equal(core.CodeOf(<-done), core.Refused)
}

// The file was replaced by another launcher's while the plugin was dead.
func TestAnotherLauncherAfterTheRestart(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	old := l.current
	kill(t, pid(t, l), syscall.SIGKILL)
	<-old.done
	l.options.Env = append(l.options.Env, envName+"=other")
	_, err := l.List(t.Context(), "")
	is.Equal(core.CodeOf(err), core.Refused)
	is.True(strings.Contains(err.Error(), "was plugin:odd and now is plugin:other"))
}

// Who has not started the plugin cannot talk to it.
func TestStrangersAreRefused(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd")
	address := l.current.client.ReattachConfig().Addr
	conn, err := tls.Dial(address.Network(), address.String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	is.NoErr(err)
	defer conn.Close()
	is.NoErr(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	_, err = conn.Read(make([]byte, 1))
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "certificate required"))
}

func TestClose(t *testing.T) {
	t.Run("twice, and calls after it", func(t *testing.T) {
		is := is.New(t)
		l := open(t, "odd")
		first := pid(t, l)
		is.NoErr(l.Close())
		is.NoErr(l.Close())
		is.Equal(syscall.Kill(first, 0), syscall.ESRCH) // ended and reaped
		_, err := l.Launch(t.Context(), key("w"))
		is.Equal(core.CodeOf(err), core.Refused)
		is.Equal(l.Capabilities().Name, "plugin:odd")
	})
	t.Run("under a call", func(t *testing.T) {
		is := is.New(t)
		l := open(t, "odd")
		done := make(chan error)
		go func() { _, err := l.Launch(context.Background(), key("hang")); done <- err }()
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(100 * time.Millisecond):
		}
		is.NoErr(l.Close())
		err := <-done
		is.Equal(core.CodeOf(err), core.Unavailable)
		is.True(strings.Contains(err.Error(), "closed during the call"))
	})
	for _, stuck := range []string{"frozen", "a main that never returns"} {
		t.Run(stuck, func(t *testing.T) {
			is := is.New(t)
			l := open(t, "never leaves")
			first := pid(t, l)
			if stuck == "frozen" {
				kill(t, first, syscall.SIGSTOP)
			}
			is.NoErr(l.Close())
			is.Equal(syscall.Kill(first, 0), syscall.ESRCH)
		})
	}
	t.Run("what the plugin has started holds its output open", func(t *testing.T) {
		is := is.New(t)
		l := open(t, "odd")
		handle, err := l.Launch(t.Context(), key("leave"))
		is.NoErr(err)
		child, err := strconv.Atoi(string(handle.Data))
		is.NoErr(err)
		t.Cleanup(func() { kill(t, child, syscall.SIGKILL) })
		kill(t, pid(t, l), syscall.SIGKILL)
		begin := time.Now()
		is.NoErr(l.Close())
		is.True(time.Since(begin) < killIn)
		is.NoErr(syscall.Kill(child, 0)) // it was left alone
	})
}
