package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// socketPair is a socket and its other end, over TCP.
func socketPair(t *testing.T) (*socket, *net.TCPConn) {
	t.Helper()
	is := is.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer listener.Close()
	conn, err := hidden((&net.Dialer{}).DialContext)(t.Context(), "tcp", listener.Addr().String())
	is.NoErr(err)
	other, err := listener.Accept()
	is.NoErr(err)
	t.Cleanup(func() { conn.Close(); other.Close() })
	return conn.(*socket), other.(*net.TCPConn)
}

// More than the buffers of both ends goes both ways at once, in parts.
func TestSocketCarriesAll(t *testing.T) {
	is := is.New(t)
	s, other := socketPair(t)
	sent := make([]byte, 32<<20)
	random := rand.NewChaCha8([32]byte{7})
	_, _ = random.Read(sent)
	var echo, write sync.WaitGroup
	echo.Go(func() {
		if _, err := io.Copy(other, other); err != nil {
			t.Error(err)
		}
		_ = other.CloseWrite()
	})
	write.Go(func() {
		n, err := s.Write(sent)
		if n != len(sent) || err != nil {
			t.Errorf("%d bytes written: %v", n, err)
		}
		_ = s.Conn.(*net.TCPConn).CloseWrite()
	})
	got, err := io.ReadAll(s)
	is.NoErr(err) // with the end of what the other says
	write.Wait()
	echo.Wait()
	is.True(bytes.Equal(got, sent))
	n, err := s.Read(nil)
	is.Equal(n, 0)
	is.NoErr(err)
	n, err = s.Write(nil)
	is.Equal(n, 0)
	is.NoErr(err)
}

// Errors are those of the net package.
func TestSocketErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(s *socket, other *net.TCPConn) error
		want error
	}{
		"a read beyond its deadline": {func(s *socket, _ *net.TCPConn) error {
			_ = s.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := s.Read(make([]byte, 1))
			return err
		}, os.ErrDeadlineExceeded},
		"a write beyond its deadline": {func(s *socket, _ *net.TCPConn) error {
			_ = s.SetWriteDeadline(time.Now().Add(time.Millisecond))
			n, err := s.Write(make([]byte, 64<<20))
			if n == 64<<20 {
				return errors.New("all was written")
			}
			return err
		}, os.ErrDeadlineExceeded},
		"a read of a closed connection": {func(s *socket, _ *net.TCPConn) error {
			defer context.AfterFunc(timeout(t), func() { _ = s.Close() })()
			_, err := s.Read(make([]byte, 1))
			return err
		}, net.ErrClosed},
		"a reset": {func(s *socket, other *net.TCPConn) error {
			reset(other)
			_, err := s.Read(make([]byte, 1))
			return err
		}, syscall.ECONNRESET},
		"a write behind a reset": {func(s *socket, other *net.TCPConn) error {
			reset(other)
			_, _ = s.Read(make([]byte, 1)) // which learns of it
			_, err := s.Write([]byte{1})
			return err
		}, syscall.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s, other := socketPair(t)
			err := tc.make(s, other)
			is.True(errors.Is(err, tc.want))
			var failed *net.OpError
			is.True(errors.As(err, &failed))
			is.True(failed.Op == "read" || failed.Op == "write")
			is.Equal(failed.Addr.String(), other.LocalAddr().String())
			is.Equal(failed.Timeout(), tc.want == os.ErrDeadlineExceeded)
		})
	}
}

// As with any net.Conn, several may read and write at once.
func TestSocketOfMany(t *testing.T) {
	s, other := socketPair(t)
	const each, size = 100, 1000
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range each {
				if n, err := s.Write(make([]byte, size)); n != size || err != nil {
					t.Errorf("%d bytes written: %v", n, err)
				}
			}
		})
	}
	all.Go(func() { // back as it comes, and then the end
		if _, err := io.CopyN(other, other, 4*each*size); err != nil {
			t.Error(err)
		}
		_ = other.CloseWrite()
	})
	var read atomic.Int64
	for range 4 {
		all.Go(func() {
			n, err := io.Copy(io.Discard, s)
			read.Add(n)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	is.New(t).Equal(read.Load(), int64(4*each*size))
}

// A dial that fails, and a connection that is none of the system's, stay what they are.
func TestSocketOfOthers(t *testing.T) {
	is := is.New(t)
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	conn, err := hidden(func(context.Context, string, string) (net.Conn, error) { return near, nil })(t.Context(), "", "")
	is.NoErr(err)
	is.Equal(conn, near)
	_, err = hidden(func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED })(t.Context(), "", "")
	is.Equal(err, syscall.ECONNREFUSED)
}

// reset closes a connection so that its other end gets an error.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// timeout is a context that ends soon.
func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
