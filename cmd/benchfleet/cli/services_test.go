package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
)

// Workers in Snowflake do not reach a store that is a file here: a refusal that
// says what to use.
func TestServicesNeedAStoreThatTheyReach(t *testing.T) {
	is := is.New(t)
	dir := site(t)
	for _, command := range []string{"preflight", "run"} {
		got := run(t, nil, "--dir", dir, command, "oltp", "--launcher", "spcs", "--output", "json")
		is.Equal(got.code, ExitRefused)
		var findings struct {
			Findings []core.Finding `json:"findings"`
		}
		is.NoErr(json.Unmarshal([]byte(got.stdout), &findings))
		is.Equal(len(findings.Findings), 1)
		is.Equal(findings.Findings[0].ID, "store.gateway")
		is.True(strings.Contains(findings.Findings[0].Mend, "--store snowflake:"))
	}
}

// services is an app with a store in Snowflake, which nothing here asks.
func services(options ...string) *app {
	return &app{
		err: &bytes.Buffer{}, options: options, build: &core.Build{ID: "x", Stamped: true},
		store: "snowflake:me:pw-5ecret@acme/DB?warehouse=WH&role=BENCH&store_config_schema=C1",
	}
}

func TestServiceOptions(t *testing.T) {
	is := is.New(t)
	read := func(options ...string) error {
		a := services(options...)
		l, closeLauncher, err := a.openServices(a.err)
		if err == nil {
			is.Equal(l.Capabilities().Name, servicesLauncher)
			is.NoErr(closeLauncher())
		}
		return err
	}
	is.NoErr(read())
	is.NoErr(read("pool=p", "image=/db/s/r/benchfleet:v1", "schema=DB.S", "cpu=1.5", "memory=2Gi", "eai=A", "eai=B", "secret=X=D.S.O", "secret=Y=D.S.P", "env=A=b"))
	for option, says := range map[string]string{
		"schema=S": "DATABASE.SCHEMA", "secret=X": "VARIABLE=DATABASE.SCHEMA.SECRET", "secret=X=O": "DATABASE.SCHEMA.NAME", "cpu=none": "cpu", "memory=4": "memory",
		"image=benchfleet:dev": "/database/schema/repository", "env=SNOWFLAKE_HOST=x": "platform", "pool=p q": "pool",
	} {
		err := read(option)
		is.Equal(exitCode(err), ExitUsage)
		is.True(strings.Contains(err.Error(), says))
	}
	is.Equal(exitCode(read("secret=X=D.S.O", "secret=X=D.S.P")), ExitUsage)

	a := services()
	given, err := a.optionsOf(servicesLauncher)
	is.NoErr(err)
	o, err := a.serviceOptions(given)
	is.NoErr(err)
	is.Equal([]string{o.Database, o.Schema, o.Warehouse}, []string{"DB", "SERVICES", "WH"})
}

// A target in the same account needs no secret inside of it; any other gets its
// address from a secret object, or is refused.
func TestEndpointsOfServices(t *testing.T) {
	is := is.New(t)
	add := func(kind, dsn string, options ...string) (runner.Options, string, error) {
		a := services(options...)
		var o runner.Options
		var said bytes.Buffer
		err := a.addEndpoint(&o, core.Scenario{Launcher: servicesLauncher, Target: core.ScenarioTarget{Kind: kind}}, ports.Endpoint{Name: "local", DSN: dsn}, &said)
		return o, said.String(), err
	}
	const object = "secret=BENCHFLEET_ENDPOINT_LOCAL=D.S.O"
	o, said, err := add("snowflake", "me:pw-5ecret@acme/DB2/S?warehouse=W2&role=OTHER")
	is.NoErr(err)
	is.Equal(len(o.Secrets), 0)
	is.Equal(o.Environment[0].Name, "BENCHFLEET_ENDPOINT_LOCAL")
	is.True(strings.HasPrefix(o.Environment[0].Value, "/DB2/S?authenticator=OAUTH"))
	is.True(o.TargetElsewhere)
	is.True(strings.Contains(said, "BENCH") && strings.Contains(said, "OTHER"))

	_, _, err = add("snowflake", "me:pw-5ecret@elsewhere/DB")
	is.Equal(core.CodeOf(err), core.Refused)
	is.True(strings.Contains(err.Error(), "--launcher-option secret=BENCHFLEET_ENDPOINT_LOCAL=") && !strings.Contains(err.Error(), "5ecret"))
	_, _, err = add("postgres", "postgres://u:5ecret@h/db")
	is.Equal(core.CodeOf(err), core.Refused)
	is.True(!strings.Contains(err.Error(), "5ecret"))

	for _, kind := range []string{"snowflake", "postgres"} {
		o, _, err = add(kind, "u:5ecret@h/db", object)
		is.NoErr(err)
		is.Equal(len(o.Environment), 0)
		is.Equal(o.Secrets, []ports.EnvVar{{Name: "BENCHFLEET_ENDPOINT_LOCAL", Value: "u:5ecret@h/db"}})
	}
}
