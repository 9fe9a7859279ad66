//go:build !unix

package sqlite

import "os"

// fileReadOnly reports whether the file is marked as read-only.
func fileReadOnly(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o200 == 0
}
