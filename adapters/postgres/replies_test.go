package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// encoded are messages as a server sends them.
func encoded(t *testing.T, messages ...pgproto3.BackendMessage) (wire []byte) {
	t.Helper()
	for _, m := range messages {
		var err error
		if wire, err = m.Encode(wire); err != nil {
			t.Fatal(err)
		}
	}
	return wire
}

func row(size int) *pgproto3.DataRow { return &pgproto3.DataRow{Values: [][]byte{make([]byte, size)}} }

// Messages are told apart however they come, and of whatever size they are.
func TestReplies(t *testing.T) {
	sent := encoded(t, &pgproto3.BindComplete{}, row(0), row(1), row(repliesBuffer-11), row(repliesBuffer), row(10*repliesBuffer), row(7),
		&pgproto3.NoticeResponse{Message: strings.Repeat("n", 3*repliesBuffer)}, row(3), &pgproto3.CommandComplete{CommandTag: []byte("SELECT 7")},
		&pgproto3.ReadyForQuery{TxStatus: 'T'})
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"as they fit":   func(r io.Reader) io.Reader { return r },
		"byte by byte":  iotest.OneByteReader,
		"half by half":  iotest.HalfReader,
		"with an error": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := newReplies(reader(bytes.NewReader(sent)))
			got := ""
			for {
				kind, body, err := r.next()
				if errors.Is(err, io.EOF) {
					break
				}
				is.NoErr(err)
				got += string(kind)
				switch kind {
				case messageRow:
					is.Equal(len(body), 0)
				case messageComplete:
					is.Equal(string(body), "SELECT 7\x00")
				case messageReady:
					is.Equal(string(body), "T")
				}
			}
			is.Equal(got, "2DDDDDDNDCZ")
			is.True(!r.some())
			is.True(cap(r.buffer) <= 5*repliesBuffer)
		})
	}
}

// What cannot be a message ends the reading, and so does the end of the connection
// within one.
func TestRepliesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct{ sent, says string }{
		"shorter than itself": {"Z\x00\x00\x00\x03I", "the server sent a message 'Z' of 4 bytes"},
		"too long":            {"C\x7f\xff\xff\xffx", "the server sent a message 'C' of 2147483648 bytes"},
		"cut in its head":     {"Z\x00", "unexpected EOF"},
		"cut":                 {"Z\x00\x00\x00\x05", "unexpected EOF"},
		"a row that is cut":   {"D\x00\x00\x00\x09ab", "unexpected EOF"},
		"nothing":             {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := newReplies(strings.NewReader(c.sent))
			_, _, err := r.next()
			is.True(err != nil)
			is.Equal(err.Error(), c.says)
		})
	}
}

// Whoever reads, rows, errors and transactions are the same; and pgconn may read between
// calls of the session's own.
func TestAnswersByEitherPath(t *testing.T) {
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	for _, path := range []string{"its own", "pgconn's", "by turns"} {
		t.Run(path, func(t *testing.T) {
			is := is.New(t)
			s := begin(t, target, "SELECT generate_series(1, 10)", "SELECT 1 / ?::int", "SELECT ?::text", "DO $$ BEGIN RAISE NOTICE 'so many %', repeat('x', 20000); END $$")
			bottom := s.wire.bottom
			for n := range 6 {
				if path == "pgconn's" || path == "by turns" && n%2 == 0 {
					s.wire.bottom = nil
				} else {
					s.wire.bottom = bottom
				}
				rows, err := s.Exec(t.Context(), 0, nil)
				is.NoErr(err)
				is.Equal(rows, int64(10))
				_, err = s.Exec(t.Context(), 1, []any{int64(0)})
				is.Equal(core.ErrorClass(err), "SQLSTATE_22012")
				is.NoErr(s.Begin(t.Context()))
				is.True(s.inTransaction())
				_, err = s.Exec(t.Context(), 3, nil)
				is.NoErr(err)
				_, err = s.Exec(t.Context(), 2, []any{strings.Repeat("v", 2*maxPlainSend)}) // pgconn's, within a transaction
				is.NoErr(err)
				is.True(s.inTransaction())
				is.NoErr(s.Commit(t.Context()))
				is.True(!s.inTransaction())
				is.NoErr(s.Begin(t.Context()))
				_, err = s.Exec(t.Context(), 1, []any{int64(0)})
				is.True(err != nil)
				is.True(!s.inTransaction()) // rolled back
			}
		})
	}
}

// What the server has said unasked is out of the way before pgconn reads; that it ends
// the session is told.
func TestHandOver(t *testing.T) {
	_, _, dsn := database(t)
	for _, c := range []struct {
		name string
		held []byte
		says string
	}{
		{"a notice", encoded(t, &pgproto3.NoticeResponse{Message: "so"}), ""},
		{"an end", encoded(t, &pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating connection"}), "terminating connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			s := begin(t, open(t, dsn, Options{}), "SELECT ?::text")
			s.wire.replies.end = copy(s.wire.replies.buffer, c.held)
			_, err := s.Exec(t.Context(), 0, []any{strings.Repeat("v", 2*maxPlainSend)})
			is.Equal(strings.Contains(fmt.Sprint(err), "terminating connection"), c.says != "")
			is.Equal(s.conn.IsClosed(), c.says != "")
			if c.says != "" {
				is.Equal(core.CodeOf(err), core.Unavailable)
			}
		})
	}
}

// A statement that pgconn does not even send leaves the transaction that is open known:
// it is rolled back, and not left to whatever comes next.
func TestTransactionOfACallThatIsNotMade(t *testing.T) {
	is := is.New(t)
	_, _, dsn := database(t)
	target := open(t, dsn, Options{})
	s, other := begin(t, target, "SELECT ?::text"), begin(t, target, "SELECT 1 FROM pg_stat_activity WHERE pid = ? AND state <> 'idle'")
	is.NoErr(s.Begin(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Exec(ctx, 0, []any{strings.Repeat("v", 2*maxPlainSend)})
	is.Equal(core.CodeOf(err), core.Refused)
	is.True(!s.inTransaction())
	rows, err := other.Exec(t.Context(), 0, []any{int64(s.conn.PID())})
	is.NoErr(err)
	is.Equal(rows, int64(0)) // as the server sees it too
}
