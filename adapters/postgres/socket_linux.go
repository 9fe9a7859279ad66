package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"github.com/jackc/pgx/v5/pgconn"
)

// socket is a connection whose calls of the system are hidden from Go's scheduler. They
// never block, but the write that wakes a server on the same machine is often preempted
// by it, for longer than the scheduler waits before it gives the processor to another
// thread: those hand-offs cost more than the rest of the client (ADR 36). Waiting for the
// socket is left to the net package.
type socket struct {
	net.Conn
	read, write transfer
}

// transfer is a read or a write: its calls until it is done.
type transfer struct {
	turn   sync.Mutex                     // pgconn may read what is left over while another still reads
	number uintptr                        // of the system's call
	name   string                         // of it
	whole  bool                           // all bytes, not as many as there are
	until  func(func(uintptr) bool) error // waits before each call but the first
	call   func(fd uintptr) bool          // try; both are values that are made once
	bytes  []byte
	done   int
	errno  syscall.Errno
}

// hidden makes sockets of the connections that a dial makes, where the system lets it.
func hidden(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		system, ok := conn.(syscall.Conn)
		if !ok {
			return conn, nil
		}
		raw, err := system.SyscallConn()
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		s := &socket{Conn: conn}
		s.read.number, s.read.name, s.read.until, s.read.call = syscall.SYS_READ, "read", raw.Read, s.read.try
		s.write.number, s.write.name, s.write.until, s.write.call = syscall.SYS_WRITE, "write", raw.Write, s.write.try
		s.write.whole = true
		return s, nil
	}
}

// quiet reports whether nobody reads now. pgconn does so beside a write that takes long,
// and then on until something has come.
func (s *socket) quiet() bool {
	if !s.read.turn.TryLock() {
		return false
	}
	s.read.turn.Unlock()
	return true
}

func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.transfer(&s.read, p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	return s.transfer(&s.write, p)
}

// transfer moves bytes by calls for which it waits as a net.Conn does: until they can go
// on, the deadline has passed, or the connection is closed.
func (s *socket) transfer(t *transfer, p []byte) (int, error) {
	t.turn.Lock()
	defer t.turn.Unlock()
	t.bytes, t.done, t.errno = p, 0, 0
	err := t.until(t.call)
	t.bytes = nil
	if err != nil || t.errno != 0 {
		err = s.failure(t, err)
	}
	return t.done, err
}

// failure is the error of a transfer, as a net.Conn has it.
func (s *socket) failure(t *transfer, err error) error {
	var failed *net.OpError
	switch {
	case err == nil:
		err = os.NewSyscallError(t.name, t.errno)
	case errors.As(err, &failed):
		err = failed.Err // which says raw-read
	}
	local := s.LocalAddr()
	return &net.OpError{Op: t.name, Net: local.Network(), Source: local, Addr: s.RemoteAddr(), Err: err}
}

// try calls the system until nothing is left to do. It is false when that has to wait.
func (t *transfer) try(fd uintptr) bool {
	for t.done < len(t.bytes) {
		n, _, errno := syscall.RawSyscall(t.number, fd, uintptr(unsafe.Pointer(&t.bytes[t.done])), uintptr(len(t.bytes)-t.done))
		switch errno {
		case 0:
			if t.done += int(n); !t.whole {
				return true
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.errno = errno
			return true
		}
	}
	return true
}
