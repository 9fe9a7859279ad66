package local

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const statZombie = 5 // SZOMB of sys/proc.h

// bootID is the kernel's random id of this boot.
func bootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }

// look asks sysctl kern.proc.pid.
func look(pid int) (sight, bool, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EIO) { // EIO: an empty answer
		return sight{}, false, nil
	}
	if err != nil {
		return sight{}, false, err
	}
	return sightOf(info), true, nil
}

func sightOf(info *unix.KinfoProc) sight {
	p := info.Proc
	now := sight{
		process: process{PID: int(p.P_pid), Start: uint64(p.P_starttime.Sec)*1e6 + uint64(p.P_starttime.Usec)},
		zombie:  p.P_stat == statZombie,
	}
	if now.zombie {
		now.exit = exitOf(int(p.P_xstat))
	} else if session, err := unix.Getsid(now.PID); err == nil {
		now.session = session
	}
	return now
}

// scan finds every marked process of this user, by sysctl kern.procargs2.
func scan() ([]marked, error) {
	infos, err := unix.SysctlKinfoProcSlice("kern.proc.uid", os.Geteuid())
	if err != nil {
		return nil, err
	}
	var all []marked
	for i := range infos {
		before := sightOf(&infos[i])
		if before.zombie {
			continue
		}
		data, err := unix.SysctlRaw("kern.procargs2", before.PID)
		if err != nil {
			continue // ended meanwhile, or protected by the system
		}
		after, ok, err := look(before.PID)
		if err != nil || !ok || !after.is(before.process) {
			continue // the environment may be another's
		}
		if m, ok := markedBy(parseProcArgs(data)); ok {
			all = append(all, m.seen(after))
		}
	}
	return all, nil
}

// signal signals a process, or its whole group, if it still is that process.
func signal(p process, sig syscall.Signal, group bool) error {
	now, ok, err := look(p.PID)
	if err != nil || !ok || !now.is(p) {
		return err
	}
	if group {
		return kill(-p.PID, sig)
	}
	return kill(p.PID, sig)
}
