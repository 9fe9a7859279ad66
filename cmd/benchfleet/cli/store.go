package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/adapters/sqlite"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// The kinds of stores, as they begin an address.
const (
	sqliteStore    = "sqlite"
	snowflakeStore = "snowflake"
)

// storeKind is the kind of store that an address names.
func storeKind(address string) string {
	kind, _, _ := strings.Cut(address, ":")
	return kind
}

// sqlitePath is the file that a store's address names.
func sqlitePath(address string) (string, error) {
	kind, path, _ := strings.Cut(address, ":")
	if kind != sqliteStore || path == "" || strings.HasPrefix(path, ":") || strings.HasPrefix(path, "file:") {
		return "", unknownStore(address)
	}
	return path, nil
}

// unknownStore is about an address of no known kind. What may be a password is
// not in it.
func unknownStore(address string) error {
	if strings.Contains(address, "@") {
		address = storeKind(address) + ":…"
	}
	return fmt.Errorf("%w: --store is %q; allowed: sqlite:PATH, where PATH is a file, and snowflake:ADDRESS", core.ErrInvalid, address)
}

// checkStore refuses an address that cannot be a store's, before anything is
// opened.
func checkStore(address string, environ []string) error {
	if storeKind(address) == snowflakeStore {
		_, err := snowflake.ParseAddress(address, environ)
		return err
	}
	_, err := sqlitePath(address)
	return err
}

func (a *app) openStore(ctx context.Context) (ports.Store, error) {
	return openStore(ctx, a.store, a.environ)
}

func openStore(ctx context.Context, address string, environ []string) (ports.Store, error) {
	if storeKind(address) == snowflakeStore {
		return snowflake.OpenStore(ctx, address, snowflake.StoreOptions{Environ: environ})
	}
	path, err := sqlitePath(address)
	if err != nil {
		return nil, err
	}
	return sqlite.OpenStore(ctx, path, sqlite.Options{})
}

func applySchema(ctx context.Context, address string, environ []string) error {
	if storeKind(address) == snowflakeStore {
		return snowflake.ApplySchema(ctx, address, snowflake.ApplyOptions{Environ: environ})
	}
	path, err := sqlitePath(address)
	if err != nil {
		return err
	}
	return sqlite.ApplySchema(ctx, path)
}

// printSchema is the DDL of the store at an address. Of Snowflake the kind alone
// is enough: then names are the default ones.
func printSchema(address string, environ []string) (string, error) {
	if storeKind(address) == snowflakeStore {
		return snowflake.Script(strings.TrimPrefix(strings.TrimPrefix(address, snowflakeStore), ":"), snowflake.ApplyOptions{Environ: environ})
	}
	if _, err := sqlitePath(address); err != nil {
		return "", err
	}
	return schema.Script(sqliteStore)
}

// shownStore is the store's address in texts, without a secret.
func (a *app) shownStore() string { return shownStore(a.store, a.environ) }

func shownStore(address string, environ []string) string {
	if storeKind(address) != snowflakeStore {
		return address
	}
	config, err := snowflake.ParseAddress(address, environ)
	if err != nil {
		return snowflakeStore + ":…"
	}
	return config.Location()
}
