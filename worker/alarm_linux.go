package worker

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// alarm sleeps for short times more exactly than the runtime's timers do: those
// are a millisecond late when nothing else goes on, since that is the resolution
// with which an idle process waits. A timerfd is a file that becomes readable at
// its time, which the same wait notices at once.
type alarm struct {
	file *os.File
	raw  syscall.RawConn
	buf  [8]byte
	spec struct{ interval, value syscall.Timespec }
	set  func(fd uintptr) // sets the timer to spec; made once, so that sleep allocates nothing
	fail syscall.Errno    // of set
}

// The flags of timerfd_create(2).
const clockMonotonic = 1

// newAlarm makes an alarm, or nil when the system has none to give.
func newAlarm() *alarm {
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil
	}
	file := os.NewFile(fd, "timerfd") // owns fd; non-blocking, so reads wait in the poller
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil
	}
	a := &alarm{file: file, raw: raw}
	a.set = func(fd uintptr) {
		_, _, a.fail = syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&a.spec)), 0, 0, 0)
	}
	return a
}

// sleep pauses for d, which is above 0. It is false when that did not work.
func (a *alarm) sleep(d time.Duration) bool {
	a.spec.value = syscall.NsecToTimespec(int64(d))
	if err := a.raw.Control(a.set); err != nil || a.fail != 0 {
		return false
	}
	_, err := a.file.Read(a.buf[:])
	return err == nil
}

func (a *alarm) close() {
	if a != nil {
		a.file.Close()
	}
}
