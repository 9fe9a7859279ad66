package spcs

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

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
	for _, role := range s.ServiceRoles {
		for _, name := range role.Endpoints {
			if !names[name] || role.Name == "" {
				return invalidSpec("service role '%s' names no endpoint: '%s'", role.Name, name)
			}
		}
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
