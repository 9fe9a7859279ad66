package server

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// queryRequest is a request to execute a text.
type queryRequest struct {
	Text         string             `json:"sqlText"`
	Async        bool               `json:"asyncExec"`
	DescribeOnly bool               `json:"describeOnly"`
	Parameters   map[string]any     `json:"parameters"`
	Bindings     map[string]binding `json:"bindings"`
	BindStage    string             `json:"bindStage"`
}

// binding is a bound value.
type binding struct {
	Type   string          `json:"type"`
	Format string          `json:"fmt"`
	Value  json.RawMessage `json:"value"`
}

// query answers a request to execute a text.
func (s *Server) query(c *call) []byte {
	if no := s.authorise(c); no != nil {
		return no.encode()
	}
	var request queryRequest
	if no := c.read(&request); no != nil {
		return no.encode()
	}
	id := c.http.URL.Query().Get("requestId")
	j, again := s.jobs.start(c.session, id, request.Text, request.Async)
	if again {
		s.recorder.again(j)
	} else {
		s.begin(c.session, j, &request)
	}
	if j.async && !c.drop {
		return inProgress(codeInProgressAsync, textAsync, j)
	}
	return s.await(c, j)
}

// begin starts a job.
func (s *Server) begin(x *session, j *job, request *queryRequest) {
	binds, no := bindsOf(request)
	q := engine.Query{
		ID: j.id, RequestID: j.request, SQL: request.Text, Binds: binds, Parameters: texts(request.Parameters), DescribeOnly: request.DescribeOnly,
	}
	s.recorder.add(x, j, &q)
	if no == nil && s.spawn(func() { s.run(x, j, q) }) {
		return
	}
	if no == nil {
		no = refuse(codeSessionGone, "08001", textSessionGone)
	}
	no.query = j.id
	s.recorder.end(j, no.number(), 0)
	s.jobs.finish(j, no.encode(), nil)
	leave := func() { // who comes next waits for those before
		<-j.turn
		close(j.over)
	}
	if !s.spawn(leave) {
		leave()
	}
}

// await answers with the answer of a job, or that it is not there yet. A lost
// reply is one to a statement that has been executed.
func (s *Server) await(c *call, j *job) []byte {
	if c.drop {
		<-j.done
		return nil
	}
	timer := time.NewTimer(s.options.SyncLimit)
	defer timer.Stop()
	select {
	case <-j.done:
		return j.reply()
	case <-c.http.Context().Done():
		return nil // nobody is there
	case <-timer.C:
	}
	if j.async {
		return inProgress(codeInProgressAsync, textAsync, j)
	}
	return inProgress(codeInProgress, textInProgress, j)
}

// abortsAfter is what a client is told about a query that nobody asks for.
const abortsAfter = 300

func inProgress(code, text string, j *job) []byte {
	return encode(reply{
		Data: map[string]any{"queryId": j.id, "getResultUrl": "/queries/" + j.id + "/result", "queryAbortsAfterSecs": abortsAfter, "progressDesc": nil},
		Code: &code, Message: &text, Success: true,
	})
}

// result answers with the result of a query.
func (s *Server) result(c *call) []byte {
	if no := s.authorise(c); no != nil {
		return no.encode()
	}
	id := c.http.PathValue("id")
	j := s.jobs.find(c.session.user, id)
	if j == nil {
		return noSuchQuery(id).encode()
	}
	return s.await(c, j)
}

// abort cancels the query of another request of the session.
func (s *Server) abort(c *call) []byte {
	if no := s.authorise(c); no != nil {
		return no.encode()
	}
	var request struct {
		ID string `json:"requestId"`
	}
	if no := c.read(&request); no != nil {
		return no.encode()
	}
	j := s.jobs.of(c.session, request.ID)
	if j == nil || !j.running() {
		return refuse(codeNotRunning, "57014", textNotRunning).encode()
	}
	j.cancel()
	return success(nil)
}

// monitor answers what a query is doing.
func (s *Server) monitor(c *call) []byte {
	if no := s.authorise(c); no != nil {
		return no.encode()
	}
	id := c.http.PathValue("id")
	list := []any{}
	info, ok := s.engine.Query(id)
	switch {
	case ok && info.User == c.session.user:
		list = append(list, status(&info))
	case ok:
	default:
		if j := s.jobs.find(c.session.user, id); j != nil && j.running() { // it waits for its session
			list = append(list, map[string]any{"id": id, "status": "QUEUED", "state": "QUEUED", "sqlText": s.jobs.textOf(j), "errorCode": "", "errorMessage": nil})
		}
	}
	return success(map[string]any{"queries": list})
}

func status(i *engine.QueryInfo) map[string]any {
	m := map[string]any{
		"id": i.ID, "status": i.Status, "state": i.Status, "sqlText": i.SQL, "sessionId": i.SessionID, "queryTag": i.Tag, "warehouseName": i.Warehouse,
		"startTime": i.Start.UnixMilli(), "endTime": 0, "errorCode": "", "errorMessage": nil,
		"stats": map[string]any{"scanBytes": 0, "producedRows": i.RowsProduced},
	}
	if !i.End.IsZero() {
		m["endTime"] = i.End.UnixMilli()
	}
	if i.Error != nil {
		m["errorCode"], m["errorMessage"] = fmt.Sprintf("%06d", i.Error.Number), i.Error.Message
	}
	return m
}

// bindsOf are the values of a request in the order of their numbers.
func bindsOf(request *queryRequest) ([]engine.Bind, *refusal) {
	if request.BindStage != "" {
		return nil, refuse(codeUnsupported, "0A000", "Unsupported feature 'bind values in a stage'.")
	}
	binds := make([]engine.Bind, len(request.Bindings))
	for i := range binds {
		given, ok := request.Bindings[strconv.Itoa(i+1)]
		if !ok {
			return nil, refuse("001008", "22023", fmt.Sprintf("SQL compilation error:\nbind variable :%d is not set; bind variables are numbered from 1", i+1))
		}
		b := engine.Bind{Type: given.Type, Format: given.Format}
		var err error
		if len(given.Value) > 0 && given.Value[0] == '[' {
			b.IsArray = true
			err = json.Unmarshal(given.Value, &b.Values)
		} else if len(given.Value) > 0 {
			err = json.Unmarshal(given.Value, &b.Value)
		}
		if err != nil {
			return nil, refuse("001008", "22023", fmt.Sprintf("SQL compilation error:\nbind variable :%d is neither a text nor a list of texts", i+1))
		}
		binds[i] = b
	}
	return binds, nil
}
