package gateway

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestListenRefuses(t *testing.T) {
	is := is.New(t)
	for _, address := range []string{
		"", ":0", "0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "0:0", "00.0.0.0:0", "*:0", "localhost:0", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", "224.0.0.1:0",
	} {
		l, err := Listen(t.Context(), address)
		if !errors.Is(err, core.ErrInvalid) {
			t.Errorf("%q: %v", address, err)
		}
		is.True(l == nil)
	}
	_, err := Listen(t.Context(), "192.0.2.1:0") // of a documentation network: not of this host
	is.True(errors.Is(err, core.ErrUnavailable))
}

// A successor waits until its predecessor's address is free.
func TestListenWaits(t *testing.T) {
	is := is.New(t)
	first, err := Listen(t.Context(), "127.0.0.1:0")
	is.NoErr(err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*bindPause)
	defer cancel()
	_, err = Listen(ctx, first.Addr().String())
	is.True(errors.Is(err, core.ErrUnavailable))
	time.AfterFunc(3*bindPause, func() { _ = first.Close() })
	second, err := Listen(t.Context(), first.Addr().String())
	is.NoErr(err)
	is.Equal(second.Addr().String(), first.Addr().String())
	is.True(second.Addr().(*net.TCPAddr).IP.IsLoopback())
	is.NoErr(second.Close())
}

func TestLoadKey(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "gateway.key")
	keys := make([][]byte, 16)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			var err error
			if keys[i], err = LoadKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, key := range keys {
		is.Equal(len(key), keySize)
		is.Equal(key, keys[0]) // who makes it first makes it for all
	}
	left, err := os.ReadDir(filepath.Dir(path))
	is.NoErr(err)
	is.Equal(len(left), 1)
	other, err := LoadKey(filepath.Join(t.TempDir(), "gateway.key"))
	is.NoErr(err)
	is.True(string(other) != string(keys[0]))

	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
		is.NoErr(os.Chmod(path, 0o640))
		_, err = LoadKey(path)
		is.True(errors.Is(err, core.ErrDenied))
		is.NoErr(os.Chmod(path, 0o600))
	}
	is.NoErr(os.Truncate(path, keySize-1))
	_, err = LoadKey(path)
	is.True(errors.Is(err, core.ErrInvalid))
	_, err = LoadKey(t.TempDir())
	is.True(err != nil)
	_, err = LoadKey(filepath.Join(t.TempDir(), "missing", "gateway.key"))
	is.True(errors.Is(err, core.ErrUnavailable))
}
