package server

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Bounds of a request's body.
const maxBody = 256 << 20

// reply is the envelope of every answer.
type reply struct {
	Data    any     `json:"data"`
	Code    *string `json:"code"`
	Message *string `json:"message"`
	Success bool    `json:"success"`
}

// refusal is an answer that says no.
type refusal struct {
	code, message, state, query string
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(code, state, message string) *refusal {
	return &refusal{code: code, state: state, message: message}
}

// number is the code as a number.
func (r *refusal) number() int {
	n, err := strconv.Atoi(r.code)
	if err != nil {
		return -1
	}
	return n
}

// failed is the data of a refusal.
type failed struct {
	InternalError bool   `json:"internalError"`
	ErrorCode     string `json:"errorCode"`
	SQLState      string `json:"sqlState,omitempty"`
	QueryID       string `json:"queryId,omitempty"`
	Line          int    `json:"line"`
	Pos           int    `json:"pos"`
}

// encode writes an answer down.
func (r *refusal) encode() []byte {
	return encode(reply{
		Data: failed{InternalError: r.code == codeInternal, ErrorCode: r.code, SQLState: r.state, QueryID: r.query, Line: -1, Pos: -1},
		Code: &r.code, Message: &r.message,
	})
}

// success writes down an answer that says yes.
func success(data any) []byte { return encode(reply{Data: data, Success: true}) }

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // nothing here cannot be marshalled
		return fmt.Appendf(nil, `{"data":null,"code":%q,"message":%q,"success":false}`, codeInternal, err)
	}
	return text
}

// call is one request of a driver.
type call struct {
	http    *http.Request
	body    []byte
	session *session // nil before it is known
	text    string   // of the statement, for what matches on it
	status  int      // of the answer; 0 is 200
	drop    bool     // the answer is lost on its way
}

// driver makes a handler of a function that answers one request. Faults come
// before it and after it.
func (s *Server) driver(answer func(*call) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c := &call{http: r, body: body}
		if r.URL.Path == queryPath {
			c.text = statementText(body)
		}
		if s.disturb(w, c) {
			return
		}
		text := answer(c)
		if c.drop {
			hangUp(w)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(cmp.Or(c.status, http.StatusOK))
		_, _ = w.Write(text) // a client that is gone does not want it
	})
}

// queryPath is where statements come to.
const queryPath = "/queries/v1/query-request"

// readBody reads a body, which may be compressed.
func readBody(r *http.Request) ([]byte, error) {
	var from io.Reader = r.Body
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		from = unzipped
	default:
		return nil, fmt.Errorf("Content-Encoding %q is not known", encoding)
	}
	var text bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= maxBody {
		text.Grow(int(n) + bytes.MinRead)
	}
	n, err := text.ReadFrom(io.LimitReader(from, maxBody+1))
	if err != nil {
		return nil, err
	}
	if n > maxBody {
		return nil, fmt.Errorf("the body is longer than %d bytes", maxBody)
	}
	return text.Bytes(), nil
}

// read reads the JSON of a call.
func (c *call) read(into any) *refusal {
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return refuse(codeBadRequest, "08001", "The request cannot be read: "+err.Error())
	}
	return nil
}

// statementText is the statement in a request.
func statementText(body []byte) string {
	var request struct {
		Text string `json:"sqlText"`
	}
	_ = json.Unmarshal(body, &request) // who answers the request complains
	return request.Text
}

// digest stands for a text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has no connection to take
	}
	_ = connection.Close()
}
