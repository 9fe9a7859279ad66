//go:build unix

package pgcluster

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// credential is whom a server runs as: PostgreSQL refuses to run as root. Nil
// for the user of this process.
func credential() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// AsServer makes a command run as the server's user.
func AsServer(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential()}
}

// GiveAway gives files to the server's user.
func GiveAway(files ...string) error {
	c := credential()
	if c == nil {
		return nil
	}
	for _, file := range files {
		if err := os.Chown(file, int(c.Uid), int(c.Gid)); err != nil {
			return err
		}
	}
	return nil
}
