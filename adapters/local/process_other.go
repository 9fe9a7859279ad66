//go:build !linux && !darwin

package local

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// Here the package compiles, and New says that it does not work.

const (
	sigGentle = syscall.SIGTERM
	sigHard   = syscall.SIGKILL
)

func errPlatform() error {
	return fmt.Errorf("workers as processes need Linux or macOS, this is %s; use another launcher", runtime.GOOS)
}

func bootID() (string, error)                    { return "", errPlatform() }
func ownSession() *syscall.SysProcAttr           { return nil }
func flock(*os.File, lockKind) (bool, error)     { return false, errPlatform() }
func unlock(*os.File)                            {}
func reap(int)                                   {}
func look(int) (sight, bool, error)              { return sight{}, false, errPlatform() }
func scan() ([]marked, error)                    { return nil, errPlatform() }
func signal(process, syscall.Signal, bool) error { return errPlatform() }
func roomNow() (room, error)                     { return room{}, errPlatform() }
