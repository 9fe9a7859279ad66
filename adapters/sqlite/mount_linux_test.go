package sqlite

import "syscall"

// mountSmall puts a file system in memory of that size on a directory.
func mountSmall(directory, size string) error {
	return syscall.Mount("tmpfs", directory, "tmpfs", 0, "size="+size)
}

func unmount(directory string) error { return syscall.Unmount(directory, 0) }
