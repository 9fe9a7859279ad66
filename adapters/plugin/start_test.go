package plugin

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func TestNotAPlugin(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		is.New(t).NoErr(os.WriteFile(path, []byte(text), mode))
		return path
	}
	program := func(name string) string {
		path, err := exec.LookPath(name)
		is.New(t).NoErr(err)
		return path
	}
	for name, c := range map[string]struct {
		path string
		code core.Code
		says string
	}{
		"nothing":           {"", core.Invalid, "path is empty"},
		"missing":           {filepath.Join(dir, "missing"), core.NotFound, "no such file"},
		"below a file":      {file("file", "", 0o600) + "/x", core.NotFound, "not a directory"},
		"directory":         {dir, core.Invalid, "is a directory"},
		"device":            {os.DevNull, core.Invalid, "no regular file"},
		"not executable":    {file("text", "hello", 0o600), core.Invalid, "not executable"},
		"no program":        {file("data", "hello", 0o700), core.Invalid, "no executable"},
		"no interpreter":    {file("script", "#!/no/such/shell\n", 0o700), core.NotFound, "interpreter"},
		"true":              {program("true"), core.Invalid, "no benchfleet launcher plugin"},
		"false":             {program("false"), core.Unavailable, "exited with code 1"},
		"a script that ran": {file("script2", "#!/bin/sh\necho hello\n", 0o700), core.Invalid, `"hello"`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := Open(t.Context(), c.path, Options{})
			is.Equal(core.CodeOf(err), c.code)
			is.True(strings.Contains(err.Error(), c.says))
			is.True(strings.Contains(err.Error(), c.path))
			is.True(!strings.Contains(err.Error(), "\n"))
		})
	}
}

func TestBadStarts(t *testing.T) {
	for role, c := range map[string]struct {
		code core.Code
		says string
	}{
		"is silent":    {core.Unavailable, "hangs, or is no benchfleet launcher plugin"},
		"says hello":   {core.Invalid, `wrote "Hello, world!" where a handshake is due`},
		"shouts":       {core.Invalid, "where a handshake is due"},
		"old":          {core.Unsupported, "speaks version 0 of the launcher protocol, this benchfleet version 1: build the plugin again"},
		"new":          {core.Unsupported, "speaks version 9 of the launcher protocol, this benchfleet version 1: take a newer benchfleet"},
		"other core":   {core.Unsupported, "another version of go-plugin"},
		"net/rpc":      {core.Unsupported, "does not speak gRPC"},
		"nobody there": {core.Unavailable, "does not serve as a launcher"},
		"greets, dies": {core.Unavailable, "exited with code 4"},
		"gives up":     {core.Unavailable, "exited with code 5; it wrote: the cluster cannot be reached"},
	} {
		t.Run(role, func(t *testing.T) {
			is := is.New(t)
			_, err := tryOpen(role, func(o *Options) { o.StartTimeout = 4 * time.Second })
			is.Equal(core.CodeOf(err), c.code)
			t.Log(err)
			is.True(strings.Contains(err.Error(), c.says))
			is.True(strings.Contains(err.Error(), os.Args[0]))
			is.True(!strings.Contains(err.Error(), "\n"))
		})
	}
	t.Run("a context that ends", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := Open(ctx, os.Args[0], Options{Env: []string{envRole + "=is silent"}})
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.Equal(core.CodeOf(err), core.Unavailable)
	})
	t.Run("a socket that cannot be", func(t *testing.T) {
		is := is.New(t)
		dir := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
		is.NoErr(os.Mkdir(dir, 0o700))
		t.Setenv("TMPDIR", dir)
		_, err := tryOpen("odd")
		is.Equal(core.CodeOf(err), core.Unavailable)
		is.True(strings.Contains(err.Error(), "plugin init error"))
		left, err := os.ReadDir(dir)
		is.NoErr(err)
		is.Equal(len(left), 0)
	})
	t.Run("a name that is none", func(t *testing.T) {
		is := is.New(t)
		_, err := tryOpen("odd", func(o *Options) { o.Env = append(o.Env, envName+"=two words") })
		is.Equal(core.CodeOf(err), core.Invalid)
		is.True(strings.Contains(err.Error(), "two words"))
	})
}

func TestChecksum(t *testing.T) {
	is := is.New(t)
	data, err := os.ReadFile(os.Args[0])
	is.NoErr(err)
	sum := sha256.Sum256(data)
	open(t, "odd", func(o *Options) { o.SHA256 = sum[:] })
	sum[0]++
	_, err = tryOpen("odd", func(o *Options) { o.SHA256 = sum[:] })
	is.Equal(core.CodeOf(err), core.Refused)
	is.True(strings.Contains(err.Error(), "SHA-256"))
}

// Only what was asked for reaches the plugin's environment and command line.
func TestEnvironment(t *testing.T) {
	is := is.New(t)
	l := open(t, "odd", func(o *Options) {
		o.Args = []string{"an-argument"}
		o.Environ = []string{"PATH=/a-path", "HOME=/a-home", "TMPDIR=" + t.TempDir(), "PATHOLOGICAL=1", "BENCHFLEET_ENDPOINT_X=5ecret"}
	})
	spec := key("w")
	spec.Secrets = []ports.EnvVar{{Name: "BENCHFLEET_ENDPOINT_Y", Value: "5ecret"}}
	_, err := l.Launch(t.Context(), spec)
	is.NoErr(err)
	reach, err := l.Reach(t.Context())
	is.NoErr(err)
	for _, want := range []string{"an-argument", "PATH=/a-path", "HOME=/a-home", "TMPDIR=", envRole + "=odd"} {
		is.True(strings.Contains(reach.Dial, want))
	}
	for _, secret := range []string{"5ecret", "PATHOLOGICAL", "ENDPOINT"} {
		is.True(!strings.Contains(reach.Dial, secret))
	}
}
