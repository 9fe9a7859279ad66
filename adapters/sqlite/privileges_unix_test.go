//go:build unix

package sqlite

import (
	"os/exec"
	"syscall"
)

// asNobody makes a command run without root's rights.
func asNobody(cmd *exec.Cmd) {
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
