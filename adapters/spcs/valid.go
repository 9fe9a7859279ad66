package spcs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const contractPrefix = "BENCHFLEET_" // of the variables of the worker contract

var (
	validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,199}$`)
	validCPU      = regexp.MustCompile(`^([0-9]{1,4})(\.[0-9]{1,3})?$|^[0-9]{1,7}m$`)
	validMemory   = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,3})?(M|Mi|G|Gi)$`)
)

// reserved are the variables that make a login fail when somebody else sets them.
func reserved(name string) bool {
	return slices.Contains([]string{"SNOWFLAKE_ACCOUNT", "SNOWFLAKE_HOST", "SNOWFLAKE_PORT", "SNOWFLAKE_RUNNING_INSIDE_SPCS"}, name)
}

func validOptions(o Options) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: spcs: "+format, append([]any{core.ErrInvalid}, args...)...)
	}
	for _, id := range []struct{ what, value string }{{"database", o.Database}, {"schema", o.Schema}, {"pool", o.Pool}, {"warehouse", o.Warehouse}} {
		optional := id.what == "pool" || id.what == "warehouse"
		if id.value == "" && optional {
			continue
		}
		if !plainName.MatchString(id.value) {
			return invalid("%s is %q; allowed: letters, digits and _, no digit first: container services take no quoted names", id.what, id.value)
		}
	}
	if o.Image != "" {
		if _, ok := parseImage(o.Image); !ok {
			return invalid("image is %q; allowed: /database/schema/repository/name:tag", o.Image)
		}
	}
	switch {
	case o.CPU != "" && (!validCPU.MatchString(o.CPU) || cpuOf(o.CPU) <= 0):
		return invalid("cpu is %q; allowed: a number above 0, like 1.5, or 500m", o.CPU)
	case o.Memory != "" && (!validMemory.MatchString(o.Memory) || memoryOf(o.Memory) <= 0):
		return invalid("memory is %q; allowed: a number above 0 with the unit M, Mi, G or Gi, like 4Gi", o.Memory)
	case o.HealthPort < 0 || o.HealthPort > 65535:
		return invalid("health port is %d; allowed: 0 to 65535", o.HealthPort)
	case o.Pace < 0 || o.StartTimeout < 0:
		return invalid("pace is %s, start timeout %s; allowed: 0 (default) or more", o.Pace, o.StartTimeout)
	}
	for _, eai := range o.EAIs {
		if !plainName.MatchString(eai) {
			return invalid("external access integration %q; allowed: letters, digits and _, no digit first", eai)
		}
	}
	for _, v := range o.Env {
		if err := validEnv(v); err != nil {
			return err
		}
	}
	for variable, object := range o.Secrets {
		if !validVariable.MatchString(variable) || reserved(variable) {
			return invalid("secret for the variable %q; allowed: letters, digits and _, no digit first, and none that the platform sets", variable)
		}
		if _, ok := objectPath(object); !ok {
			return invalid("secret object of %s is %q; allowed: DATABASE.SCHEMA.NAME", variable, object)
		}
	}
	return nil
}

// validEnv refuses variables that are not somebody else's to set: those of the
// worker contract would be overridden by a launch, or override it.
func validEnv(v string) error {
	name, _, ok := strings.Cut(v, "=")
	switch {
	case !ok || !validVariable.MatchString(name):
		return fmt.Errorf("%w: spcs: environment variable %q; want NAME=value, of letters, digits and _", core.ErrInvalid, name)
	case reserved(name):
		return fmt.Errorf("%w: spcs: environment variable %s is the platform's to set: with another value no worker could log in", core.ErrInvalid, name)
	case name != ports.EnvHealth && strings.HasPrefix(name, contractPrefix):
		return fmt.Errorf("%w: spcs: environment variable %s; those that begin with %s are the worker contract's", core.ErrInvalid, name, contractPrefix)
	}
	return nil
}

// cpuOf reads 1.5 or 500m; 0 for what is neither.
func cpuOf(text string) float64 {
	if milli, ok := strings.CutSuffix(text, "m"); ok {
		n, _ := strconv.ParseFloat(milli, 64)
		return n / 1000
	}
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// memoryOf reads 512Mi or 4G in bytes; 0 for what is neither.
func memoryOf(text string) int64 {
	for _, unit := range []struct {
		suffix string
		bytes  float64
	}{{"Mi", 1 << 20}, {"Gi", 1 << 30}, {"M", 1e6}, {"G", 1e9}} {
		if number, ok := strings.CutSuffix(text, unit.suffix); ok {
			n, _ := strconv.ParseFloat(number, 64)
			return int64(n * unit.bytes)
		}
	}
	return 0
}
