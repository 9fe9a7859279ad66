//go:build unix

package plugin

import "syscall"

// ownSession keeps the signals of a terminal from the plugin.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
