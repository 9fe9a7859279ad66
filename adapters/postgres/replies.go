package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// replies are the server's messages, read off a connection that nobody else reads
// from now. Of most only the kind is looked at, and the rest passed by;
// pgproto3 would decode each of them, which costs more than the rest of a call.
type replies struct {
	from   io.Reader
	buffer []byte
	begin  int // of what was read and not taken yet
	end    int
}

// The server's messages by their first byte, as far as they are told apart.
const (
	messageRow      = 'D' // of a result
	messageComplete = 'C' // a command, with its tag
	messageError    = 'E'
	messageReady    = 'Z' // for the next request, with the state of the transaction
)

const (
	messageHeader = 5         // kind, and the length of what follows with itself
	repliesBuffer = 8 << 10   // which most replies fit into
	maxMessage    = 256 << 10 // of those that are kept whole
)

func newReplies(from io.Reader) replies {
	return replies{from: from, buffer: make([]byte, repliesBuffer)}
}

// next is the next message, and what it holds until next is called again: of those that are
// told apart here, save rows.
func (r *replies) next() (kind byte, body []byte, err error) {
	if err := r.fill(messageHeader); err != nil {
		return 0, nil, err
	}
	kind = r.buffer[r.begin]
	size := int64(binary.BigEndian.Uint32(r.buffer[r.begin+1:])) + 1
	switch {
	case kind != messageComplete && kind != messageError && kind != messageReady && size >= messageHeader:
		return kind, nil, r.skip(size)
	case size < messageHeader || size > maxMessage:
		return 0, nil, fmt.Errorf("the server sent a message %q of %d bytes", kind, size)
	}
	if err := r.fill(int(size)); err != nil {
		return 0, nil, within(err)
	}
	body = r.buffer[r.begin+messageHeader : r.begin+int(size)]
	r.begin += int(size)
	return kind, body, nil
}

// fill reads until so many bytes are there.
func (r *replies) fill(least int) error {
	if r.end-r.begin >= least {
		return nil
	}
	if r.begin > 0 {
		r.begin, r.end = 0, copy(r.buffer, r.buffer[r.begin:r.end])
	}
	if least > len(r.buffer) {
		r.buffer = append(r.buffer, make([]byte, least-len(r.buffer))...)
	}
	n, err := io.ReadAtLeast(r.from, r.buffer[r.end:], least-r.end)
	r.end += n
	return err
}

// skip passes by so many bytes.
func (r *replies) skip(size int64) error {
	for size > int64(r.end-r.begin) {
		size -= int64(r.end - r.begin)
		r.begin, r.end = 0, 0
		if err := r.fill(1); err != nil {
			return within(err)
		}
	}
	r.begin += int(size)
	return nil
}

// within is an error that came within a message.
func within(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// some reports whether anything is there that was not taken.
func (r *replies) some() bool { return r.end > r.begin }

// exclusive is a connection that can tell whether somebody reads from it.
type exclusive interface{ quiet() bool }

// beneath is the connection that tells, which TLS may be on top of; nil where none does.
func beneath(conn net.Conn) exclusive {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn()
	}
	it, _ := conn.(exclusive)
	return it
}
