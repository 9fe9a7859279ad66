//go:build unix

package sqlite

import "golang.org/x/sys/unix"

// fileReadOnly reports whether this user may read the file and not write it. It
// does not open it: see checkFile.
func fileReadOnly(path string) bool {
	may := func(mode uint32) bool { return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS) == nil }
	return may(unix.R_OK) && !may(unix.W_OK)
}
