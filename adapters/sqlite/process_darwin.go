package sqlite

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// processStart tells when a process was started, in a form that only serves to
// be compared; "" when there is no such process, or only its remains.
func processStart(pid int) (string, error) {
	if err := unix.Kill(pid, 0); errors.Is(err, unix.ESRCH) {
		return "", nil
	}
	const zombie = 5 // SZOMB of sys/proc.h
	process, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", err
	}
	if int(process.Proc.P_pid) != pid || process.Proc.P_stat == zombie {
		return "", nil
	}
	started := process.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", started.Sec, started.Usec), nil
}
