package gateway

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/benchfleet/benchfleet/core"
)

// keySize is the length of a key in bytes.
const keySize = 32

// LoadKey reads the key in the file path, from which all tokens are made, and
// makes one if there is none: 32 random bytes that only their owner can read. Of
// several that make it at once all get the same. Put it beside the store, so that
// a successor on the same host finds it.
// Errors: Denied for a file that cannot be read, or that others can read; Invalid
// for one that is no key; Unavailable when it cannot be made.
func LoadKey(path string) ([]byte, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: gateway: the key %s cannot be made: %w", core.ErrUnavailable, path, err)
	}
	return readKey(path)
}

func readKey(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		code := core.ErrUnavailable
		switch {
		case errors.Is(err, fs.ErrNotExist):
			code = core.ErrNotFound
		case errors.Is(err, fs.ErrPermission):
			code = core.ErrDenied
		}
		return nil, fmt.Errorf("%w: gateway: key: %w", code, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: gateway: key: %w", core.ErrUnavailable, err)
	}
	// Windows keeps no such bits: there the directory's access list counts.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: gateway: the key %s can be used by others (mode %s): remove it, and what was sealed with it is worthless", core.ErrDenied, path, info.Mode())
	}
	if !info.Mode().IsRegular() || info.Size() != keySize {
		return nil, fmt.Errorf("%w: gateway: %s is no key: a file of %d bytes is one", core.ErrInvalid, path, keySize)
	}
	key := make([]byte, keySize)
	if _, err := file.ReadAt(key, 0); err != nil {
		return nil, fmt.Errorf("%w: gateway: key: %w", core.ErrUnavailable, err)
	}
	return key, nil
}

// makeKey makes a whole key or none. A key that is there stays: a link, other
// than a rename, replaces nothing.
func makeKey(path string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	_, err = file.Write(key)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path)
}
