package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/spcs"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/runner"
	"github.com/benchfleet/benchfleet/worker"
)

// servicesLauncher is the launcher of Snowpark Container Services, whose workers
// log in as the platform lets them, and are given no secret but by its objects.
const servicesLauncher = "spcs"

const servicesOptions = "pool, image=/DATABASE/SCHEMA/REPOSITORY/NAME:TAG, schema=DATABASE.SCHEMA of the jobs (default SERVICES beside the store), warehouse (default the store's), cpu, memory, eai, secret=VARIABLE=DATABASE.SCHEMA.SECRET, env=NAME[=VALUE]"

const (
	defaultServiceSchema = "SERVICES" // in the database of the store
	serviceHealthPort    = 9464       // of every worker: each has an address of its own
)

// openServices opens the launcher of job services, with a pool of connections of
// its own and the login of the store.
func (a *app) openServices(say io.Writer) (ports.Launcher, func() error, error) {
	given, err := a.optionsOf(servicesLauncher, "pool", "image", "schema", "warehouse", "cpu", "memory", "eai+", "secret+", "env+")
	if err != nil {
		return nil, nil, err
	}
	if storeKind(a.store) != snowflakeStore {
		return nil, nil, &shutDoor{
			err:  fmt.Errorf("%w: workers of the launcher %s are inside Snowflake and cannot reach the store %s, a file of this host", core.ErrUnsupported, servicesLauncher, a.shownStore()),
			mend: "use a store in Snowflake, --store snowflake:ADDRESS, or --launcher local", launcher: true,
		}
	}
	o, err := a.serviceOptions(given)
	if err != nil {
		return nil, nil, err
	}
	o.Logger = a.logger(say)
	db, err := snowflake.OpenPool(a.store, snowflake.PoolOptions{Environ: a.environ})
	if err != nil {
		return nil, nil, err
	}
	l, err := spcs.New(db, o)
	if err != nil {
		db.Close()
		return nil, nil, exitWith(ExitUsage, err)
	}
	return l, db.Close, nil
}

func (a *app) serviceOptions(given launcherOptions) (o spcs.Options, err error) {
	config, err := snowflake.ParseAddress(a.store, a.environ)
	if err != nil {
		return o, err
	}
	o = spcs.Options{
		Database: config.StoreDatabase, Schema: defaultServiceSchema, Pool: given.get("pool"), Image: given.get("image"),
		Command: []string{"/benchfleet", "worker"}, Warehouse: given.get("warehouse"), CPU: given.get("cpu"), Memory: given.get("memory"),
		EAIs: given.values["eai"], HealthPort: serviceHealthPort, Number: snowflake.ErrorNumber, Code: snowflake.ErrorCode,
	}
	if o.Warehouse == "" {
		o.Warehouse = config.Warehouse
	}
	if text := given.get("schema"); text != "" {
		database, schema, ok := strings.Cut(text, ".")
		if !ok {
			return o, usage("--launcher-option schema=%s; allowed: DATABASE.SCHEMA", text)
		}
		o.Database, o.Schema = database, schema
	}
	if o.Secrets, err = given.secrets(); err != nil {
		return o, err
	}
	if o.Build, err = a.thisBuild(); err != nil {
		return o, err
	}
	o.Env, err = given.variables("env", a.lookup)
	return o, err
}

// secrets reads the options of the form VARIABLE=OBJECT.
func (o launcherOptions) secrets() (map[string]string, error) {
	all := map[string]string{}
	for _, text := range o.values["secret"] {
		variable, object, ok := strings.Cut(text, "=")
		if !ok || variable == "" || object == "" {
			return nil, usage("--launcher-option secret=%s; allowed: secret=VARIABLE=DATABASE.SCHEMA.SECRET", text)
		}
		if other, twice := all[variable]; twice {
			return nil, usage("--launcher-option secret names %s twice: %s and %s", variable, other, object)
		}
		all[variable] = object
	}
	return all, nil
}

// addEndpoint gives the workers of a run the address of their target: as a secret,
// or inside Snowflake as the address that needs none.
func (a *app) addEndpoint(options *runner.Options, scenario core.Scenario, e ports.Endpoint, say io.Writer) error {
	secret := ports.EnvVar{Name: worker.EndpointVariable(e.Name), Value: e.DSN}
	if scenario.Launcher != servicesLauncher || scenario.Target.Kind == "sqlite" { // which preflight refuses
		options.Secrets = append(options.Secrets, secret)
		return nil
	}
	objects, err := launcherOptions{launcher: servicesLauncher, values: map[string][]string{"secret": a.optionValues("secret")}}.secrets()
	if err != nil {
		return err
	}
	mend := fmt.Sprintf("make a secret object (CREATE SECRET … TYPE = GENERIC_STRING), and name it with --launcher-option secret=%s=DATABASE.SCHEMA.SECRET", secret.Name)
	switch {
	case objects[secret.Name] != "":
		options.Secrets = append(options.Secrets, secret)
		return nil
	case scenario.Target.Kind != snowflakeStore:
		return fmt.Errorf("%w: the address of endpoint %q is a secret, and job services get secrets from objects in Snowflake only; %s", core.ErrRefused, e.Name, mend)
	}
	store, err := snowflake.ParseAddress(a.store, a.environ)
	if err != nil {
		return err
	}
	target, err := snowflake.ParseAddress(e.DSN, a.environ)
	if err != nil {
		return err
	}
	if !snowflake.SameAccount(store, target) {
		return fmt.Errorf("%w: endpoint %q is in account %s, and job services in account %s log in there only; %s", core.ErrRefused, e.Name, target.Account, store.Account, mend)
	}
	if target.Role != store.Role && target.Role != "" {
		fmt.Fprintf(say, "workers use endpoint %q as the role of their jobs, %s, and not as %s: the platform logs them in\n", e.Name, store.Role, target.Role)
	}
	inside, err := snowflake.ServiceAddress(e.DSN, a.environ)
	if err != nil {
		return err
	}
	options.Environment = append(options.Environment, ports.EnvVar{Name: secret.Name, Value: inside})
	options.TargetElsewhere = true
	return nil
}

// optionValues are the values of one --launcher-option.
func (a *app) optionValues(key string) []string {
	var values []string
	for _, given := range a.options {
		if value, ok := strings.CutPrefix(given, key+"="); ok {
			values = append(values, value)
		}
	}
	return values
}
