package spcs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Bounds of a specification, as documented.
const (
	maxSpec       = 1 << 20
	maxContainers = 20
	maxEndpoints  = 100
	maxSecrets    = 50
	maxVolumes    = 20
	maxName       = 63
)

// specification is what a service runs.
type specification struct {
	Spec struct {
		Containers []containerSpec `json:"containers"`
		Endpoints  []endpoint      `json:"endpoints"`
		Volumes    []volume        `json:"volumes"`
	} `json:"spec"`
}

type containerSpec struct {
	Name           string            `json:"name"`
	Image          string            `json:"image"`
	Command        []string          `json:"command"`
	Args           []string          `json:"args"`
	Env            map[string]string `json:"env"`
	ReadinessProbe *probe            `json:"readinessProbe"`
	LivenessProbe  *probe            `json:"livenessProbe"`
	VolumeMounts   []volumeMount     `json:"volumeMounts"`
	Resources      struct {
		Requests resources `json:"requests"`
		Limits   resources `json:"limits"`
	} `json:"resources"`
	Secrets           []secretUse `json:"secrets"`
	MountSessionToken *bool       `json:"mountSessionToken"`

	cpu, cpuLimit       float64 // limits of 0 are the node's
	memory, memoryLimit int64
	repository, image   string // DB.SCHEMA.REPO; the engine's name
}

// resources may be numbers or texts.
type resources struct {
	CPU    any    `json:"cpu"`
	Memory string `json:"memory"`
}

type probe struct {
	Port             int    `json:"port"`
	Path             string `json:"path"`
	PeriodSeconds    int    `json:"periodSeconds"`
	FailureThreshold int    `json:"failureThreshold"`
}

type endpoint struct {
	Name      string `json:"name"`
	Port      int    `json:"port"`
	PortRange string `json:"portRange"`
	Public    bool   `json:"public"`
	Protocol  string `json:"protocol"`
}

type volume struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Size   string `json:"size"`

	bytes int64
}

type volumeMount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
}

type secretUse struct {
	SnowflakeSecret json.RawMessage `json:"snowflakeSecret"` // a name, or {objectName}
	SecretKeyRef    string          `json:"secretKeyRef"`
	EnvVarName      string          `json:"envVarName"`
	DirectoryPath   string          `json:"directoryPath"`

	object string // as it is written
}

// options are what each part of a specification may have.
var options = map[string][]string{
	"":                   {"spec", "capabilities", "serviceRoles"},
	"spec":               {"containers", "endpoints", "volumes", "logExporters", "platformMonitor"},
	"containers":         {"name", "image", "command", "args", "env", "readinessProbe", "livenessProbe", "volumeMounts", "resources", "secrets", "mountSessionToken", "sessionTokenConfig"},
	"readinessProbe":     {"port", "path", "periodSeconds", "failureThreshold"},
	"livenessProbe":      {"port", "path", "periodSeconds", "failureThreshold"},
	"volumeMounts":       {"name", "mountPath"},
	"resources":          {"requests", "limits"},
	"requests":           {"cpu", "memory"},
	"limits":             {"cpu", "memory"},
	"secrets":            {"snowflakeSecret", "secretKeyRef", "envVarName", "directoryPath"},
	"snowflakeSecret":    {"objectName"},
	"sessionTokenConfig": {"path", "permission", "mountConnectionConfig"},
	"endpoints":          {"name", "port", "portRange", "public", "protocol", "corsSettings"},
	"volumes":            {"name", "source", "size", "uid", "gid", "stageConfig", "blockConfig"},
	"logExporters":       {"eventTableConfig"},
	"eventTableConfig":   {"logLevel"},
	"platformMonitor":    {"metricConfig"},
	"metricConfig":       {"groups"},
	"capabilities":       {"securityContext"},
	"securityContext":    {"executeAsCaller", "enableCustomCredentials"},
	"serviceRoles":       {"name", "endpoints"},
}

// free are the parts whose keys are the user's own.
var free = []string{"env", "corsSettings", "stageConfig", "blockConfig"}

// parseSpec reads a specification, in YAML or JSON.
func parseSpec(text string) (*specification, error) {
	if len(text) > maxSpec {
		return nil, invalidSpec("it has more than %d bytes", maxSpec)
	}
	data, tree, err := readTree([]byte(text))
	if err != nil {
		return nil, err
	}
	if err := known(tree, ""); err != nil {
		return nil, err
	}
	s := &specification{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(s); err != nil {
		return nil, invalidSpec("%s", plain(err))
	}
	return s, s.check()
}

// readTree reads JSON, or YAML, and returns it as JSON too. JSON is not left to the
// reader of YAML, which knows other escapes.
func readTree(text []byte) (data []byte, tree any, err error) {
	if json.Unmarshal(text, &tree) == nil {
		return text, tree, nil
	}
	if err := yaml.Unmarshal(text, &tree); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, nil, invalidSpec("%s", first)
	}
	if data, err = json.Marshal(tree); err != nil {
		return nil, nil, invalidSpec("%s", err)
	}
	return data, tree, nil
}

// plain says in the words of a specification what a type error is.
func plain(err error) string {
	if wrong, ok := err.(*json.UnmarshalTypeError); ok { //nolint:errorlint // it is never wrapped
		return fmt.Sprintf("'%s' must not be a %s", wrong.Field, wrong.Value)
	}
	return err.Error()
}

// known refuses a key that its part does not have.
func known(node any, part string) error {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			if err := known(item, part); err != nil {
				return err
			}
		}
	case map[string]any:
		allowed, ok := options[part]
		if !ok {
			return nil
		}
		for key, value := range node {
			if !slices.Contains(allowed, key) {
				return invalidSpec("unknown option '%s' for '%s'", key, part)
			}
			if slices.Contains(free, key) {
				continue
			}
			if err := known(value, key); err != nil {
				return err
			}
		}
	default:
		if part == "" || part == "spec" {
			return invalidSpec("'spec' is missing")
		}
	}
	return nil
}

var (
	containerName = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)
	imageName     = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

// reserved are variables that only the platform sets.
var reserved = []string{"SNOWFLAKE_ACCOUNT", "SNOWFLAKE_HOST", "SNOWFLAKE_RUNNING_INSIDE_SPCS"}

func (s *specification) check() error {
	spec := &s.Spec
	switch {
	case len(spec.Containers) == 0:
		return invalidSpec("'containers' is missing for 'spec'")
	case len(spec.Containers) > maxContainers:
		return invalidSpec("more than %d containers", maxContainers)
	case len(spec.Endpoints) > maxEndpoints:
		return invalidSpec("more than %d endpoints", maxEndpoints)
	case len(spec.Volumes) > maxVolumes:
		return invalidSpec("more than %d volumes", maxVolumes)
	}
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		var err error
		switch {
		case v.Name == "":
			return invalidSpec("'name' is missing for 'volumes'")
		case v.Source != "local" && v.Source != "memory":
			return invalidSpec("volume source '%s' is not supported by the stand-in", v.Source)
		case v.Size != "":
			if v.bytes, err = memoryOf(v.Size, 0); err != nil {
				return err
			}
		}
	}
	names := map[string]bool{}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		if names[c.Name] {
			return invalidSpec("duplicate container name '%s'", c.Name)
		}
		names[c.Name] = true
		if err := c.check(spec.Volumes); err != nil {
			return err
		}
	}
	return s.checkEndpoints()
}

func (s *specification) checkEndpoints() error {
	names := map[string]bool{}
	for _, e := range s.Spec.Endpoints {
		switch {
		case !containerName.MatchString(e.Name) || len(e.Name) > maxName || names[e.Name]:
			return invalidSpec("invalid endpoint name '%s'", e.Name)
		case e.PortRange == "" && (e.Port < 1 || e.Port > 65535):
			return invalidSpec("invalid port %d for endpoint '%s'", e.Port, e.Name)
		case e.Protocol != "" && !strings.EqualFold(e.Protocol, "HTTP") && !strings.EqualFold(e.Protocol, "TCP"):
			return invalidSpec("invalid protocol '%s' for endpoint '%s'", e.Protocol, e.Name)
		case e.Public && (e.PortRange != "" || strings.EqualFold(e.Protocol, "TCP")):
			return invalidSpec("endpoint '%s' cannot be public: only one HTTP port can", e.Name)
		}
		names[e.Name] = true
	}
	return nil
}

func (c *containerSpec) check(volumes []volume) error {
	switch {
	case c.Name == "":
		return invalidSpec("'name' is missing for 'containers'")
	case len(c.Name) > maxName || !containerName.MatchString(c.Name):
		return invalidSpec("invalid container name '%s'", c.Name)
	case c.Image == "":
		return invalidSpec("'image' is missing for 'containers'")
	case len(c.Secrets) > maxSecrets:
		return invalidSpec("more than %d secrets", maxSecrets)
	}
	for _, name := range reserved {
		if _, set := c.Env[name]; set {
			return invalidSpec("environment variable '%s' is reserved", name)
		}
	}
	for _, p := range []*probe{c.ReadinessProbe, c.LivenessProbe} {
		if p != nil && (p.Port < 1 || p.Port > 65535 || !strings.HasPrefix(p.Path, "/") || p.PeriodSeconds < 0 || p.FailureThreshold < 0) {
			return invalidSpec("invalid probe for '%s'", c.Name)
		}
	}
	for _, m := range c.VolumeMounts {
		if !strings.HasPrefix(m.MountPath, "/") || !slices.ContainsFunc(volumes, func(v volume) bool { return v.Name == m.Name }) {
			return invalidSpec("volume mount '%s' of '%s' names no volume, or no path", m.Name, c.Name)
		}
	}
	for i := range c.Secrets {
		if err := c.Secrets[i].check(); err != nil {
			return err
		}
	}
	if err := c.place(); err != nil {
		return err
	}
	return c.size()
}

// place reads the name of the image: /db/schema/repo/name:tag, perhaps behind the
// registry's host, perhaps with a digest.
func (c *containerSpec) place() error {
	text := c.Image
	if host, rest, found := strings.Cut(text, "/"); found && strings.Contains(host, ".") {
		text = "/" + rest
	}
	parts := strings.Split(strings.TrimPrefix(text, "/"), "/")
	if len(parts) != 4 || !imageName.MatchString(parts[3]) || slices.ContainsFunc(parts[:3], func(p string) bool { return p == "" || p != strings.ToLower(p) }) {
		return invalidSpec("image '%s' is not /database/schema/repository/name:tag, in lower case", c.Image)
	}
	c.repository = strings.ToUpper(strings.Join(parts[:3], "."))
	c.image = strings.Join(parts, "/")
	if !strings.ContainsAny(parts[3], ":@") {
		c.image += ":latest"
	}
	return nil
}

// What a container requests unless it says so.
const (
	defaultCPU    = 0.5
	defaultMemory = gib / 2
)

// size reads what the container requests, and its limits.
func (c *containerSpec) size() (err error) {
	r := c.Resources
	if c.cpu, err = cpuOf(r.Requests.CPU, defaultCPU); err != nil {
		return err
	}
	if c.cpuLimit, err = cpuOf(r.Limits.CPU, 0); err != nil {
		return err
	}
	if c.memory, err = memoryOf(r.Requests.Memory, defaultMemory); err != nil {
		return err
	}
	if c.memoryLimit, err = memoryOf(r.Limits.Memory, 0); err != nil {
		return err
	}
	if r.Requests.CPU == nil && c.cpuLimit > 0 {
		c.cpu = min(c.cpu, c.cpuLimit)
	}
	if r.Requests.Memory == "" && c.memoryLimit > 0 {
		c.memory = min(c.memory, c.memoryLimit)
	}
	switch {
	case c.cpuLimit > 0 && c.cpu > c.cpuLimit:
		return invalidSpec("container '%s' requests more cpu than its limit", c.Name)
	case c.memoryLimit > 0 && c.memory > c.memoryLimit:
		return invalidSpec("container '%s' requests more memory than its limit", c.Name)
	}
	return nil
}

// cpuOf reads 2, "0.5" or "500m".
func cpuOf(given any, otherwise float64) (float64, error) {
	text, scale := "", 1.0
	switch v := given.(type) {
	case nil:
		return otherwise, nil
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		text = v
		if rest, milli := strings.CutSuffix(v, "m"); milli {
			text, scale = rest, 0.001
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) || n > 10000 {
		return 0, invalidSpec("invalid cpu '%v'", given)
	}
	return n * scale, nil
}

// units of memory must be given.
var units = map[string]int64{"Mi": 1 << 20, "Gi": 1 << 30, "M": 1e6, "G": 1e9}

func memoryOf(text string, otherwise int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	cut := strings.TrimRight(text, "MGi")
	unit, ok := units[text[len(cut):]]
	n, err := strconv.ParseFloat(cut, 64)
	if !ok || err != nil || !(n > 0) || n > 1e6 {
		return 0, invalidSpec("invalid memory '%s': a number with the unit M, Mi, G or Gi is needed", text)
	}
	return int64(n * float64(unit)), nil
}

func (u *secretUse) check() error {
	var object struct{ ObjectName string }
	if json.Unmarshal(u.SnowflakeSecret, &u.object) != nil && json.Unmarshal(u.SnowflakeSecret, &object) == nil {
		u.object = object.ObjectName
	}
	switch {
	case u.object == "":
		return invalidSpec("'snowflakeSecret' is missing for 'secrets'")
	case (u.EnvVarName == "") == (u.DirectoryPath == ""):
		return invalidSpec("a secret needs either 'envVarName' or 'directoryPath'")
	case u.EnvVarName != "" && u.SecretKeyRef == "":
		return invalidSpec("'secretKeyRef' is missing for 'secrets'")
	case u.DirectoryPath != "" && !strings.HasPrefix(u.DirectoryPath, "/"):
		return invalidSpec("directoryPath '%s' is not absolute", u.DirectoryPath)
	}
	return nil
}

// requests is what all containers of an instance request together.
func (s *specification) requests() (cpu float64, memory int64) {
	for _, c := range s.Spec.Containers {
		cpu += c.cpu
		memory += c.memory
	}
	return cpu, memory
}

// digest names a specification.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
