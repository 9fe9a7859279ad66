package cli

import "syscall"

// ownSession starts a process in a group of its own, which no Ctrl-C of this
// console reaches.
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
