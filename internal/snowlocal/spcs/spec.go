package spcs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
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
	ServiceRoles []serviceRole `json:"serviceRoles"`
}

// serviceRole lets those to whom it is granted in by some endpoints.
type serviceRole struct {
	Name      string   `json:"name"`
	Endpoints []string `json:"endpoints"`
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
