//go:build unix

package acceptance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/worker"
)

// jobPatience is how much longer things may take where workers are job services:
// the platform kills 30 s after it has asked, and the store is polled once a
// second.
const jobPatience = 50 * time.Second

// serviceLabel is on the containers of a stand-in's services.
const serviceLabel = "snowlocal.service"

// setUpSPCS builds the image around the command, and lets the stand-in run
// containers of it.
func setUpSPCS(undo []func()) ([]func(), error) {
	undo, err := setUpDocker(undo)
	if err != nil {
		return undo, err
	}
	fleet.witness, fleet.env, fleet.patience = jobs{}, nil, jobPatience
	cloud.Options.Containers = true
	cloud.Options.Config = map[string]any{"Roles": []any{map[string]any{"Name": readers}}, "Users": []any{
		map[string]any{"Name": reader, "Tokens": []string{readerToken}, "Roles": []string{readers}, "DefaultRole": readers},
	}}
	return undo, nil
}

// pushed is an image's name in the repository of a stand-in, which takes a tag
// for what was pushed. It is removed at the end of the test.
func (s *site) pushed(image string) string {
	s.t.Helper()
	_, tag, _ := strings.Cut(image, ":")
	name := s.cloud().Repository() + "benchfleet:" + tag
	if out, err := exec.Command("docker", "tag", image, name).CombinedOutput(); err != nil {
		s.t.Fatalf("docker tag: %v: %s", err, out)
	}
	s.t.Cleanup(func() { exec.Command("docker", "image", "rm", "--force", name).Run() })
	return "/" + name
}

// createJobs lets every command of the site launch job services in a schema of
// the site's own. A target that is no Snowflake is reached by an address that is
// in a secret object.
func (s *site) createJobs() {
	s.t.Helper()
	s.services = s.cloud().Database + "." + s.newSchema()
	s.job = map[string]string{
		"pool": s.cloud().ComputePool, "schema": s.services, "warehouse": s.cloud().ControlWarehouse, "image": s.pushed(fleet.image),
	}
	if s.kind == "postgres" {
		secret := s.services + ".TARGET"
		s.cloud().SQL(s.t, fmt.Sprintf("CREATE SECRET %s TYPE = GENERIC_STRING SECRET_STRING = '%s'", secret, s.endpoint()))
		s.job["secret"] = worker.EndpointVariable("local") + "=" + secret
	}
	s.with("BENCHFLEET_LAUNCHER=spcs")
	s.launch()
}

// launch sets some options of the launcher of job services anew: key and value in
// turn. An empty value takes the option away.
func (s *site) launch(pairs ...string) {
	s.t.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		s.job[pair[0]] = pair[1]
	}
	var lines []string
	for key, value := range s.job {
		if value != "" {
			lines = append(lines, key+"="+value)
		}
	}
	s.with("BENCHFLEET_LAUNCHER_OPTION=" + strings.Join(lines, "\n"))
}

// endpoint is the address of the target that was set last.
func (s *site) endpoint() string { return s.variable(worker.EndpointVariable("local")) }

// variable is what a variable of the site's commands was set to last.
func (s *site) variable(name string) string {
	for _, v := range slices.Backward(s.env) {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}

// jobs are workers as job services: living ones as containers of the Docker
// Engine, and what is left of them as Snowflake lists it.
type jobs struct{ containers }

// inside is what a container of a service tells of itself.
type inside struct{ id, state, run, worker string }

// all are the containers of the site's services.
func (jobs) all(s *site) (found []inside) {
	s.t.Helper()
	ids, err := exec.Command("docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+serviceLabel).Output()
	if err != nil {
		s.t.Fatal("docker ps:", err)
	}
	if len(strings.Fields(string(ids))) == 0 {
		return nil
	}
	args := append([]string{"inspect", "--format", fmt.Sprintf("{{.Id}} {{.State.Status}} {{index .Config.Labels %q}}{{range .Config.Env}} {{.}}{{end}}", serviceLabel)}, strings.Fields(string(ids))...)
	out, err := exec.Command("docker", args...).Output()
	var gone *exec.ExitError
	if err != nil && !(errors.As(err, &gone) && strings.Contains(string(gone.Stderr), "No such")) {
		s.t.Fatal("docker inspect:", err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 3 || !strings.HasPrefix(words[2], s.services+".") {
			continue
		}
		c := inside{id: words[0], state: words[1]}
		for _, word := range words[3:] {
			if value, ok := strings.CutPrefix(word, "BENCHFLEET_RUN_ID="); ok {
				c.run = value
			} else if value, ok := strings.CutPrefix(word, "BENCHFLEET_WORKER_ID="); ok {
				c.worker = value
			}
		}
		found = append(found, c)
	}
	return found
}

func (j jobs) list(s *site, run, worker string, states ...string) (ids []string) {
	if s.services == "" {
		return nil
	}
	for _, c := range j.all(s) {
		if slices.Contains(states, c.state) && (run == "" || run == c.run) && (worker == "" || worker == c.worker) {
			ids = append(ids, c.id)
		}
	}
	return ids
}

func (j jobs) alive(s *site, run string) []string {
	return j.list(s, run, "", "running", "paused", "restarting")
}

// left are job services that Snowflake still lists, and containers that have
// ended.
func (j jobs) left(s *site, run string) []string {
	left := j.list(s, run, "", "created", "exited", "dead", "removing")
	if s.services == "" {
		return left
	}
	for _, job := range s.show("SHOW JOB SERVICES IN SCHEMA " + s.services) {
		if strings.Contains(job["comment"], run) {
			left = append(left, job["name"])
		}
	}
	return left
}

func (j jobs) find(s *site, run, worker string) string {
	if found := j.list(s, run, worker, "running", "paused"); len(found) > 0 {
		return found[0]
	}
	return ""
}

// freeze stops the process, and not the container: whoever asks sees one that
// runs.
func (j jobs) freeze(id string) error { return j.docker("kill", "--signal", "STOP", id) }
func (j jobs) thaw(id string) error   { return j.docker("kill", "--signal", "CONT", id) }

// show is the answer of a SHOW or DESCRIBE, by the names of its columns.
func (s *site) show(statement string) (list []map[string]string) {
	s.t.Helper()
	db := s.openCloud("PUBLIC")
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = values[i].String
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
	return list
}

// image builds the image around another binary of the command, with a label that
// may lie.
func (s *site) imageOf(binary, label string) string {
	s.t.Helper()
	image, err := dockertest.Product("", dockerfile, binary, label)
	s.t.Cleanup(func() { exec.Command("docker", "image", "rm", "--force", image).Run() })
	if err != nil {
		s.t.Fatal(err)
	}
	return image
}
