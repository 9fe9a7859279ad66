//go:build !linux

package sqlite

import "errors"

func mountSmall(string, string) error { return errors.New("only on Linux") }

func unmount(string) error { return nil }
