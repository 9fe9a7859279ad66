package snowflake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/benchfleet/benchfleet/adapters/sqlstore"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// DefaultConnections is how many sessions a store has at most. A worker needs
// two, an orchestrator hardly more; each costs a login.
const DefaultConnections = 8

// StoreOptions of a store.
type StoreOptions struct {
	// Environ is the environment that the address may refer to, as os.Environ
	// returns it.
	Environ []string
	// Connections bounds the sessions; 0: DefaultConnections.
	Connections int
}

// OpenStore opens the store at an address, which ApplySchema has made. It logs in
// once, to know that the address is right, and changes nothing.
// Errors: Invalid for the address; Denied for a login that is refused, and for a
// role or a warehouse that is; Unavailable when Snowflake cannot be reached.
// Missing tables are no error: Check names them.
func OpenStore(ctx context.Context, address string, options StoreOptions) (ports.Store, error) {
	config, err := ParseAddress(address, options.Environ)
	if err != nil {
		return nil, err
	}
	d, err := newDialect(&config)
	if err != nil {
		return nil, err
	}
	if options.Connections <= 0 {
		options.Connections = DefaultConnections
	}
	pool, err := openPool(&config, controlPool, options.Connections)
	if err != nil {
		return nil, err
	}
	if err := verifyPool(ctx, &config, controlPool, pool); err != nil {
		return nil, errors.Join(fault(ctx, fmt.Sprintf("opening the store at %s", config.address()), err, true), pool.Close())
	}
	return &store{sqlstore.New(d.sqlstore(), pool, pool), &config, d, pool}, nil
}

// store is sqlstore's, which knows nothing of warehouses and hybrid tables.
type store struct {
	*sqlstore.Store
	config  *Config
	dialect *dialect
	pool    *sqlx.DB
}

var _ ports.WarehouseUser = (*store)(nil)

// Warehouse is the warehouse that the store's statements run on. Errors: NotFound
// when there is none of the address's name; Unsupported when there is none.
func (s *store) Warehouse(ctx context.Context) (warehouse core.Warehouse, err error) {
	err = pinned(ctx, s.pool, func(on queryer) error {
		name, err := warehouseName(ctx, on, s.config)
		if err == nil && name == "" {
			err = errNoWarehouse
		}
		if err != nil {
			return err
		}
		if warehouse, err = warehouseOf(ctx, on, name); err != nil {
			return err
		}
		account, err := ask(ctx, on, "SELECT CURRENT_ACCOUNT() AS ACCOUNT")
		if err == nil && len(account) == 1 {
			warehouse.Account = account[0]["account"]
		}
		return err
	})
	return warehouse, fault(ctx, "describing the store's warehouse", err, isDead(err))
}

// Location says where the store is, without a secret.
func (c Config) Location() string {
	return fmt.Sprintf("snowflake:%s/%s/%s", c.Account, c.StoreDatabase, c.ResultsSchema)
}

// HasSecret reports whether an address has a secret in it, and not in a file, so
// that it must not be seen. One that cannot be read is taken to have one.
func HasSecret(address string) bool {
	address = strings.TrimPrefix(address, "snowflake:")
	if strings.HasPrefix(address, connectionPrefix) {
		return false
	}
	given, err := dsnSettings(address)
	secrets := []string{"password", "token", "privatekey", "privatekeypassphrase"}
	if err != nil {
		text := strings.ReplaceAll(strings.ToLower(address), "_", "")
		return strings.Contains(text, "@") || slices.ContainsFunc(secrets, func(key string) bool { return strings.Contains(text, key+"=") })
	}
	return slices.ContainsFunc(secrets, func(key string) bool { return given.values[key] != "" })
}
