package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/templatefile"
)

type templatesPage struct {
	Rows   []client.Template
	Search string
}

func (s *site) listTemplates(w http.ResponseWriter, r *http.Request) error {
	p := templatesPage{Search: r.URL.Query().Get("search")}
	var err error
	if p.Rows, err = s.service.Templates(r.Context(), p.Search); err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "templates", frame{Title: "Templates", Section: "templates", Body: p})
}

type templatePage struct {
	client.Template
	Text      string
	Launchers []string
	Key       string // so that a form that is sent twice makes one run
	Runs      []client.RunSummary
}

func (s *site) showTemplate(w http.ResponseWriter, r *http.Request) error {
	var p templatePage
	var err error
	if p.Template, err = s.service.Template(r.Context(), r.PathValue("template")); err != nil {
		return err
	}
	text, err := templatefile.Format(p.Config)
	if err != nil {
		return err
	}
	p.Text, p.Key, p.Launchers = string(text), s.service.NewRunID(), s.service.Version().Launchers
	return s.show(w, r, http.StatusOK, "template", frame{Title: p.Name, Section: "templates", Body: p})
}

// run prepares a run of a template, and starts it if that was asked.
func (s *site) run(w http.ResponseWriter, r *http.Request) error {
	n := client.NewRun{Template: r.PathValue("template"), Launcher: r.PostFormValue("launcher"), Start: r.PostFormValue("do") == "start"}
	for line := range strings.Lines(r.PostFormValue("set")) {
		if line = strings.TrimSpace(line); line != "" {
			n.Set = append(n.Set, line)
		}
	}
	if len(n.Set) > maxSet {
		return fmt.Errorf("%w: %d fields are set; allowed: up to %d", core.ErrInvalid, len(n.Set), maxSet)
	}
	key := r.PostFormValue("key")
	if len(key) > maxKey {
		return fmt.Errorf("%w: the key has %d bytes; allowed: up to %d", core.ErrInvalid, len(key), maxKey)
	}
	run, err := s.service.CreateRun(r.Context(), n, by(r.Context()), key)
	if err != nil {
		return err
	}
	return s.to(w, r, "/runs/"+url.PathEscape(run.ID))
}

// The bounds of what a form may send, as those of the API.
const (
	maxSet  = 100
	maxKey  = 200
	maxName = 100
)

func (s *site) copyTemplate(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimSpace(r.PostFormValue("name"))
	if len(name) > maxName {
		return fmt.Errorf("%w: the name has %d bytes; allowed: up to %d", core.ErrInvalid, len(name), maxName)
	}
	made, err := s.service.CopyTemplate(r.Context(), r.PathValue("template"), name)
	if err != nil {
		return err
	}
	return s.to(w, r, "/templates/"+url.PathEscape(made.Name)+"/edit")
}

func (s *site) deleteTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := s.service.DeleteTemplate(r.Context(), r.PathValue("template"), by(r.Context())); err != nil {
		return err
	}
	return s.to(w, r, "/templates")
}

// editPage is a template that is written or changed.
type editPage struct {
	New      bool
	Name     string // of the stored one
	Version  int
	Text     string
	Fields   []field
	Problems []client.ProblemField
	Sources  []choice // what a new one may begin with
	Locked   bool
}

func (s *site) newTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := mayWrite(r); err != nil {
		return err
	}
	p := editPage{New: true, Text: blank}
	from := r.URL.Query().Get("from")
	for _, name := range controller.BuiltIn() {
		p.Sources = append(p.Sources, choice{name, name, from == name})
	}
	if from != "" {
		text, err := controller.BuiltInText(from)
		if err != nil {
			return err
		}
		p.Text = string(text)
	}
	return s.showEdit(w, r, http.StatusOK, p)
}

// blank is what a new template begins with.
const blank = `name: my-benchmark
description: What it is for
target:
  kind: sqlite
  endpoint: local
table:
  name: BENCHFLEET_TABLE
  rows: 10000
load:
  workers: 3
  connections: 4
  warmup: 5s
  duration: 30s
mix:
  - kind: POINT_LOOKUP
    weight: 80
  - kind: UPDATE
    weight: 20
`

func (s *site) editTemplate(w http.ResponseWriter, r *http.Request) error {
	if err := mayWrite(r); err != nil {
		return err
	}
	t, err := s.service.Template(r.Context(), r.PathValue("template"))
	if err != nil {
		return err
	}
	text, err := templatefile.Format(t.Config)
	if err != nil {
		return err
	}
	return s.showEdit(w, r, http.StatusOK, editPage{Name: t.Name, Version: t.Version, Text: string(text), Locked: t.Locked})
}

func (s *site) showEdit(w http.ResponseWriter, r *http.Request, status int, p editPage) error {
	checked := judge(p.Text, nil)
	p.Fields = checked.Fields
	if status != http.StatusOK && len(p.Problems) == 0 {
		p.Problems = checked.Problems
	}
	name := "New template"
	if !p.New {
		name = "Edit " + p.Name
	}
	return s.show(w, r, status, "edit", frame{Title: name, Section: "templates", Scripts: []string{"edit.js"}, Body: p})
}

func (s *site) saveNew(w http.ResponseWriter, r *http.Request) error {
	return s.store(w, r, editPage{New: true}, func(t core.Template) (client.Template, error) {
		return s.service.CreateTemplate(r.Context(), t)
	})
}

func (s *site) save(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("template")
	version, err := strconv.Atoi(r.PostFormValue("version"))
	if err != nil || version < 1 {
		return fmt.Errorf("%w: version is %.20q; allowed: that of the template that is replaced", core.ErrInvalid, r.PostFormValue("version"))
	}
	return s.store(w, r, editPage{Name: name, Version: version}, func(t core.Template) (client.Template, error) {
		return s.service.PutTemplate(r.Context(), name, t, version)
	})
}

// store stores what a form has sent. What cannot be stored is shown again, with
// what is wrong.
func (s *site) store(w http.ResponseWriter, r *http.Request, p editPage, put func(core.Template) (client.Template, error)) error {
	if err := r.ParseForm(); err != nil {
		return badForm(err)
	}
	p.Text = unix(r.PostFormValue("text"))
	if r.PostFormValue("do") == "apply" { // the fields into the text, without a script
		checked := judge(p.Text, r.PostForm)
		p.Text, p.Problems = checked.Text, checked.Problems
		return s.showEdit(w, r, http.StatusOK, p)
	}
	t, err := controller.ParseTemplate([]byte(p.Text))
	if err == nil {
		var stored client.Template
		if stored, err = put(t); err == nil {
			return s.to(w, r, "/templates/"+url.PathEscape(stored.Name))
		}
	}
	problem := controller.ProblemOf(err)
	if problem.Code == string(core.Internal) || problem.Code == string(core.Unavailable) {
		return err
	}
	if p.Problems = problem.Errors; len(p.Problems) == 0 {
		p.Problems = []client.ProblemField{{Message: problem.Detail}}
	}
	return s.showEdit(w, r, problem.Status, p)
}

// badForm is the error of a form that cannot be read.
func badForm(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fmt.Errorf("%w: the form has more than %d bytes", core.ErrInvalid, large.Limit)
	}
	return fmt.Errorf("%w: the form cannot be read: %w", core.ErrInvalid, err)
}

// unix is a text with the line ends that people write, not those that browsers send.
func unix(text string) string {
	return string(bytes.ReplaceAll([]byte(text), []byte("\r\n"), []byte("\n")))
}
