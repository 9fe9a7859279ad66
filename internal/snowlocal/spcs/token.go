package spcs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// sessionsFolder holds what is mounted in containers: tokens and secrets, one folder
// a service.
const sessionsFolder = "sessions"

// ticket is what a token is good for.
type ticket struct {
	of    *service
	until time.Time
}

// folderOf holds all files that containers of a service are given.
func (m *Manager) folderOf(s *service) string {
	return filepath.Join(m.options.Folder, sessionsFolder, strconv.Itoa(s.serial))
}

// sessionFolder is the one that is mounted in each.
func (m *Manager) sessionFolder(s *service) string { return filepath.Join(m.folderOf(s), "session") }

// issue writes a new token for a service. Those before it stay valid until their
// time is over.
func (m *Manager) issue(s *service) error {
	m.files.Lock()
	defer m.files.Unlock()
	text := rand.Text() + rand.Text() + rand.Text()
	m.mu.Lock()
	over := s.allEnded() // its tokens were revoked
	if !over {
		m.tokens[text] = ticket{s, time.Now().Add(m.options.Token)}
	}
	m.mu.Unlock()
	if over {
		return nil
	}
	folder := m.sessionFolder(s)
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // the container's user reads it; the folder above is the owner's alone
		return err
	}
	if err := replace(filepath.Join(folder, "token"), text); err != nil {
		return err
	}
	return replace(filepath.Join(folder, "spcs_token"), "spcs-"+strconv.Itoa(s.serial))
}

// replace writes a file in the place of another, never half.
func replace(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil { //nolint:gosec // as above
		return err
	}
	return os.Rename(name+".new", name)
}

// rotate replaces the tokens of all services that run, and forgets those whose
// time is over.
func (m *Manager) rotate() error {
	var live []*service
	m.mu.Lock()
	now := time.Now()
	for text, t := range m.tokens {
		if !now.Before(t.until) {
			delete(m.tokens, text)
		}
	}
	for _, s := range m.services {
		if !s.allEnded() {
			live = append(live, s)
		}
	}
	m.mu.Unlock()
	var err error
	for _, s := range live {
		err = errors.Join(err, m.issue(s))
	}
	return err
}

// revoke ends the tokens of a service that does not run any more.
func (m *Manager) revoke(s *service) {
	m.files.Lock()
	defer m.files.Unlock()
	m.mu.Lock()
	over := s.allEnded()
	if over {
		for text, t := range m.tokens {
			if t.of == s {
				delete(m.tokens, text)
			}
		}
	}
	m.mu.Unlock()
	if !over {
		return
	}
	if err := os.RemoveAll(m.folderOf(s)); err != nil {
		m.options.Log("removing a token: %v", err)
	}
}

// Login finds the service that a token is of, for a login that came from an
// address. A token is good for its own containers alone.
func (m *Manager) Login(ctx context.Context, token, from string) (*engine.Service, bool) {
	m.mu.Lock()
	t, ok := m.tokens[token]
	if !ok || !time.Now().Before(t.until) {
		m.mu.Unlock()
		return nil, false
	}
	s := t.of
	var unknown []string // containers whose address is not known yet
	its := false
	for _, in := range s.instances {
		for _, b := range in.boxes {
			if b.address == "" && b.id != "" {
				unknown = append(unknown, b.id)
			}
			its = its || b.address == from
		}
	}
	who := &engine.Service{Name: s.name, OwnerRole: s.owner, Database: s.database, Schema: s.schema, Warehouse: s.Warehouse}
	m.mu.Unlock()
	for _, id := range unknown {
		if its {
			break
		}
		address, err := m.docker.address(ctx, id)
		its = err == nil && address == from
	}
	return who, its
}

// configOf is what a container of a service is made of.
func (m *Manager) configOf(s *service, in *instance, b *box, image string) (boxConfig, error) {
	c := boxConfig{
		name: m.containerName(s, in, b), image: image, command: b.spec.Command, args: b.spec.Args,
		labels: map[string]string{
			labelHost: m.docker.host, labelFolder: m.options.Folder, labelService: s.full, labelInstance: strconv.Itoa(in.id), labelContainer: b.spec.Name,
		},
		binds: map[string]string{}, tmpfs: map[string]int64{}, cpu: b.spec.cpuLimit, memory: b.spec.memoryLimit,
	}
	env := map[string]string{
		"SNOWFLAKE_DATABASE": s.database, "SNOWFLAKE_SCHEMA": s.schema, "SNOWFLAKE_SERVICE_NAME": s.name,
	}
	if s.Batch {
		env["SNOWFLAKE_JOBS_COUNT"], env["SNOWFLAKE_JOB_INDEX"] = strconv.Itoa(s.Instances), strconv.Itoa(in.id)
	}
	for name, value := range b.spec.Env {
		env[name] = value
	}
	if err := m.secretsOf(s, b, env, c.binds); err != nil {
		return c, err
	}
	env["SNOWFLAKE_ACCOUNT"], env["SNOWFLAKE_HOST"], env["SNOWFLAKE_PORT"] = m.options.Account, m.docker.gateway, strconv.Itoa(m.port)
	env["SNOWFLAKE_RUNNING_INSIDE_SPCS"] = "true"
	for name, value := range env {
		c.env = append(c.env, name+"="+value)
	}
	for _, mounted := range b.spec.VolumeMounts {
		for _, v := range in.spec.Spec.Volumes {
			if v.Name == mounted.Name {
				c.tmpfs[mounted.MountPath] = v.bytes
			}
		}
	}
	if b.spec.MountSessionToken == nil || *b.spec.MountSessionToken {
		if err := m.issue(s); err != nil {
			return c, err
		}
		c.session = m.sessionFolder(s)
	}
	return c, nil
}

// secretsOf reads the secrets of a container: as variables, and as files.
func (m *Manager) secretsOf(s *service, b *box, env, binds map[string]string) error {
	for i, use := range b.spec.Secrets {
		full := qualified(use.object, s)
		k, ok, err := m.engine.KeptOne(m.ctx, kindSecret, full)
		if err == nil && !ok {
			err = engine.Missing("Secret", full)
		}
		if err != nil {
			return err
		}
		var values map[string]string
		if err := json.Unmarshal(k.Def, &values); err != nil {
			return err
		}
		if use.EnvVarName != "" {
			value, has := values[use.SecretKeyRef]
			if !has {
				return fmt.Errorf("secret %s has no %s", full, use.SecretKeyRef)
			}
			env[use.EnvVarName] = value
			continue
		}
		folder := filepath.Join(m.folderOf(s), fmt.Sprintf("%s-%d", b.spec.Name, i))
		if err := m.writeSecret(folder, values); err != nil {
			return err
		}
		binds[use.DirectoryPath] = folder
	}
	return nil
}

// writeSecret writes what a secret holds, a file each.
func (m *Manager) writeSecret(folder string, values map[string]string) error {
	m.files.Lock()
	defer m.files.Unlock()
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // as for the token
		return err
	}
	for key, value := range values {
		if key == typeKey {
			continue
		}
		if err := replace(filepath.Join(folder, key), value); err != nil {
			return err
		}
	}
	return nil
}

// qualified is the full name of a secret that a specification names.
func qualified(name string, s *service) string {
	parts := strings.Split(strings.ToUpper(name), ".")
	switch len(parts) {
	case 1:
		return s.database + "." + s.schema + "." + parts[0]
	case 2:
		return s.database + "." + strings.Join(parts, ".")
	}
	return strings.Join(parts, ".")
}
