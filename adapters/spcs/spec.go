package spcs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// specification is what Snowflake calls so. It is sent as JSON, which is YAML too.
type specification struct {
	Spec spec `json:"spec"`
}

type spec struct {
	Containers   []containerSpec `json:"containers"`
	LogExporters logExporters    `json:"logExporters"`
}

type containerSpec struct {
	Name           string            `json:"name"`
	Image          string            `json:"image"`
	Command        []string          `json:"command,omitempty"`
	Args           []string          `json:"args,omitempty"`
	Env            map[string]string `json:"env"`
	ReadinessProbe *probe            `json:"readinessProbe,omitempty"`
	Resources      *resources        `json:"resources,omitempty"`
	Secrets        []secretRef       `json:"secrets,omitempty"`
}

type probe struct {
	Port int    `json:"port"`
	Path string `json:"path"`
}

type resources struct {
	Requests amounts `json:"requests"`
	Limits   amounts `json:"limits"`
}

type amounts struct {
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
}

type secretRef struct {
	SnowflakeSecret secretObject `json:"snowflakeSecret"`
	EnvVarName      string       `json:"envVarName"`
	SecretKeyRef    string       `json:"secretKeyRef"`
}

type secretObject struct {
	ObjectName string `json:"objectName"`
}

type logExporters struct {
	EventTableConfig eventTable `json:"eventTableConfig"`
}

type eventTable struct {
	LogLevel string `json:"logLevel"`
}

const (
	healthPath = "/health"
	secretKey  = "secret_string" // what a secret of the type GENERIC_STRING holds
	maxSpec    = 1 << 20         // bytes of a specification
)

// specify writes what runs in a job. Whatever a launch calls a secret is there by
// the name of its object only.
func (l *Launcher) specify(s ports.WorkerSpec) (string, error) {
	o := l.options
	c := containerSpec{Name: containerName, Image: o.Image, Command: o.Command, Args: o.Args, Env: l.environment(s)}
	if o.CPU != "" || o.Memory != "" {
		a := amounts{CPU: o.CPU, Memory: o.Memory}
		c.Resources = &resources{a, a}
	}
	if o.HealthPort > 0 {
		c.ReadinessProbe = &probe{o.HealthPort, healthPath}
	}
	for _, variable := range slices.Sorted(maps.Keys(o.Secrets)) {
		c.Secrets = append(c.Secrets, secretRef{secretObject{o.Secrets[variable]}, variable, secretKey})
		delete(c.Env, variable)
	}
	data, err := json.Marshal(specification{spec{[]containerSpec{c}, logExporters{eventTable{"INFO"}}}})
	if err != nil {
		return "", fmt.Errorf("%w: spcs: specification of %s: %w", core.ErrInternal, s.Key.WorkerID, err)
	}
	if len(data) > maxSpec {
		return "", fmt.Errorf("%w: spcs: the specification of %s has %d bytes; allowed: %d", core.ErrInvalid, s.Key.WorkerID, len(data), maxSpec)
	}
	return quotable(string(data)), nil
}

// quotable rewrites JSON so that it is YAML too, and may stand between $$ and $$:
// characters that YAML does not print are escaped, and dollars that follow each
// other.
func quotable(data string) string {
	var b strings.Builder
	for i, r := range data {
		hidden := r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff
		if hidden || r == '$' && (strings.HasPrefix(data[i+1:], "$") || i > 0 && data[i-1] == '$') {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// environment is the worker's: the base, then the spec's, then the contract's. Of
// two values of one name the later is kept.
func (l *Launcher) environment(s ports.WorkerSpec) map[string]string {
	env := map[string]string{}
	if l.options.HealthPort > 0 { // the platform asks from outside
		env[ports.EnvHealth] = "0.0.0.0:" + strconv.Itoa(l.options.HealthPort)
	}
	for _, v := range l.options.Env {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for _, v := range s.Environment {
		env[v.Name] = v.Value
	}
	env[ports.EnvRunID] = s.Key.RunID
	env[ports.EnvWorkerID] = s.Key.WorkerID
	env[ports.EnvGroupID] = strconv.Itoa(s.GroupID)
	env[ports.EnvGroupCount] = strconv.Itoa(s.GroupCount)
	env[ports.EnvEpoch] = strconv.Itoa(s.Key.Epoch)
	return env
}

// validSpec refuses what no job can have. It never shows a value.
func (l *Launcher) validSpec(s ports.WorkerSpec) error {
	if err := validKey(s.Key); err != nil {
		return err
	}
	for _, v := range s.Environment {
		switch {
		case !validVariable.MatchString(v.Name):
			return fmt.Errorf("%w: spcs: environment variable %q; allowed: letters, digits and _, no digit first, up to 200", core.ErrInvalid, v.Name)
		case strings.ContainsRune(v.Value, 0) || !utf8.ValidString(v.Value):
			return fmt.Errorf("%w: spcs: environment variable %s: its value is not UTF-8 or holds a zero byte", core.ErrInvalid, v.Name)
		case reserved(v.Name):
			return fmt.Errorf("%w: spcs: environment variable %s is the platform's to set", core.ErrInvalid, v.Name)
		}
	}
	for _, v := range s.Secrets {
		if !validVariable.MatchString(v.Name) {
			return fmt.Errorf("%w: spcs: name of a secret is %q; allowed: letters, digits and _, no digit first, up to 200", core.ErrInvalid, v.Name)
		}
		if l.options.Secrets[v.Name] == "" {
			return fmt.Errorf("%w: spcs: the secret %s has no Snowflake secret object, and its text goes into no statement; make one (CREATE SECRET … TYPE = GENERIC_STRING) and name it with --launcher-option secret=%s=DATABASE.SCHEMA.NAME",
				core.ErrRefused, v.Name, v.Name)
		}
	}
	return nil
}
