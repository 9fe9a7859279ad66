package plugin

import "syscall"

// ownSession keeps Ctrl-C of a console from the plugin.
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
