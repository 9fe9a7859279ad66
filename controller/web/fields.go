package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

// field is one of the common fields of a template, which a form has beside the
// text.
type field struct {
	Key     string   `json:"key"` // as templatefile.Set takes it
	Label   string   `json:"-"`
	Unit    string   `json:"-"`
	Kind    string   `json:"-"` // of the input
	Choices []string `json:"-"`
	Value   string   `json:"value"`
	read    func(*core.Template) string
}

// fields are the common fields, in the order in which people fill them in.
var fields = []field{
	{Key: "name", Label: "Name", Kind: "text", read: func(t *core.Template) string { return t.Name }},
	{Key: "description", Label: "Description", Kind: "text", read: func(t *core.Template) string { return t.Description }},
	{Key: "target.kind", Label: "Target", Kind: "select", Choices: []string{"sqlite", "postgres", "snowflake"}, read: func(t *core.Template) string { return t.Target.Kind }},
	{Key: "target.endpoint", Label: "Endpoint", Kind: "text", read: func(t *core.Template) string { return t.Target.Endpoint }},
	{Key: "table.name", Label: "Table", Kind: "text", read: func(t *core.Template) string { return t.Table.Name }},
	{Key: "table.rows", Label: "Rows", Kind: "number", read: func(t *core.Template) string { return strconv.FormatInt(t.Table.Rows, 10) }},
	{Key: "load.workers", Label: "Workers", Kind: "number", read: func(t *core.Template) string { return strconv.Itoa(t.Load.Workers) }},
	{Key: "load.connections", Label: "Connections", Unit: "each worker", Kind: "number", read: func(t *core.Template) string { return strconv.Itoa(t.Load.Connections) }},
	{Key: "load.warmup", Label: "Warmup", Unit: "like 5s", Kind: "text", read: length(func(t *core.Template) core.Duration { return t.Load.Warmup })},
	{Key: "load.duration", Label: "Measurement", Unit: "like 1m30s", Kind: "text", read: length(func(t *core.Template) core.Duration { return t.Load.Duration })},
	{Key: "load.cooldown", Label: "Cooldown", Unit: "like 2s", Kind: "text", read: length(func(t *core.Template) core.Duration { return t.Load.Cooldown })},
	{Key: "load.think_time", Label: "Think time", Unit: "like 500us", Kind: "text", read: length(func(t *core.Template) core.Duration { return t.Load.ThinkTime })},
}

func length(of func(*core.Template) core.Duration) func(*core.Template) string {
	return func(t *core.Template) string {
		if d := of(t); d != 0 {
			return short(d.String())
		}
		return ""
	}
}

// short is a duration without needless zeros: 5m, not 5m0s.
func short(d string) string {
	if strings.HasSuffix(d, "m0s") {
		d = strings.TrimSuffix(d, "0s")
	}
	if strings.HasSuffix(d, "h0m") {
		d = strings.TrimSuffix(d, "0m")
	}
	return d
}

// judged is a text that was checked.
type judged struct {
	Text     string                `json:"text"`
	Fields   []field               `json:"fields"`
	Problems []client.ProblemField `json:"problems"`
}

// judge reads a template's text, sets the fields that are given, and says what is
// wrong. A text that cannot be read stays as it is.
func judge(text string, set url.Values) judged {
	j := judged{Text: text, Fields: append([]field{}, fields...), Problems: []client.ProblemField{}}
	t, err := controller.ParseTemplate([]byte(text))
	if err != nil {
		j.problems(err)
		return j
	}
	var assignments []string
	for _, f := range fields {
		if values, sent := set["field."+f.Key]; sent && values[0] != f.read(&t) {
			assignments = append(assignments, assignment(f, values[0]))
		}
	}
	if len(assignments) > 0 {
		changed, err := templatefile.Set(t, assignments)
		if err != nil {
			j.problems(err)
			return j
		}
		formatted, err := templatefile.Format(changed)
		if err != nil {
			j.problems(err)
			return j
		}
		t, j.Text = changed, string(formatted)
		if v := controller.ValidateTemplate(formatted); !v.Valid {
			j.Problems = v.Problems
		}
	}
	for i := range j.Fields {
		j.Fields[i].Value = j.Fields[i].read(&t)
	}
	return j
}

// assignment sets a field; an empty one to nothing.
func assignment(f field, value string) string {
	value = strings.TrimSpace(value)
	if value == "" && strings.HasPrefix(f.Key, "load.") {
		value = "0s"
	}
	return f.Key + "=" + value
}

func (j *judged) problems(err error) {
	p := controller.ProblemOf(err)
	if j.Problems = p.Errors; len(j.Problems) == 0 {
		j.Problems = []client.ProblemField{{Message: p.Detail}}
	}
}

// check is judge for scripts: a form with the text, and, when a field was changed,
// the fields.
func (s *site) check(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(judge(unix(r.PostFormValue("text")), r.PostForm)) // one who has gone away
	return nil
}
