//go:build !unix

package spcs

import "os"

// lockFile makes a file; here no process can tell whether another holds it.
func lockFile(name string) (*os.File, error) { return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) }

// held reports whether the folder of a stand-in is there.
func held(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
