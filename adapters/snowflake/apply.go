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
	"github.com/benchfleet/benchfleet/sql/schema"
)

// ApplyOptions of ApplySchema and Script.
type ApplyOptions struct {
	// Environ is as in StoreOptions.
	Environ []string
}

// ApplySchema makes the store at an address, or brings it up to date: what is
// missing of database, schemas, tables and columns is created, one statement after
// another, and nothing is ever removed. What is there is left alone, so the role
// needs no right to create it. It can be run again at any time, also after a
// failure half way.
// Errors: as OpenStore; Denied for a privilege that is missing, Unsupported for an
// account without hybrid tables.
func ApplySchema(ctx context.Context, address string, options ApplyOptions) error {
	config, err := ParseAddress(address, options.Environ)
	if err != nil {
		return err
	}
	d, err := newDialect(&config)
	if err != nil {
		return err
	}
	pool, err := openPool(&config, applyPool, 1)
	if err != nil {
		return err
	}
	return errors.Join(d.apply(ctx, pool), pool.Close())
}

func (d *dialect) apply(ctx context.Context, pool *sqlx.DB) error {
	have, err := sqlstore.Tables(ctx, pool, d.query)
	there := err == nil
	if err != nil && d.absent(err) == "" {
		return d.applyError(ctx, "reading what is there", err)
	}
	statements, err := schema.Upgrade(dialectName, have)
	if err != nil {
		return fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	containers := []string{}
	if there {
		if containers, err = d.schemas(ctx, pool); err != nil {
			return d.applyError(ctx, "reading what is there", err)
		}
	}
	return d.execute(ctx, pool, slices.DeleteFunc(statements, func(statement string) bool {
		return there && d.isThere(statement, containers, have)
	}))
}

// schemas are those that the database has, as the catalogue holds their names.
func (d *dialect) schemas(ctx context.Context, pool *sqlx.DB) (names []string, err error) {
	query, err := d.names.Fill("SELECT SCHEMA_NAME FROM {database}.INFORMATION_SCHEMA.SCHEMATA")
	if err != nil {
		return nil, err
	}
	return names, pool.SelectContext(ctx, &names, query)
}

// isThere reports whether what a statement would create is there.
func (d *dialect) isThere(statement string, schemas []string, have []schema.Table) bool {
	if strings.HasPrefix(statement, "CREATE DATABASE ") {
		return true
	}
	for placeholder, name := range map[string]string{"{config}": d.config.ConfigSchema, "{results}": d.config.ResultsSchema} {
		if strings.HasPrefix(statement, "CREATE SCHEMA ") && strings.HasSuffix(statement, placeholder) {
			quoted, err := schema.Quote(name)
			return err == nil && slices.Contains(schemas, schema.Bare(quoted))
		}
	}
	table, err := schema.Parse(statement)
	return err == nil && slices.ContainsFunc(have, func(t schema.Table) bool { return strings.EqualFold(t.Name, table.Name) })
}

func (d *dialect) execute(ctx context.Context, pool *sqlx.DB, statements []string) error {
	for _, statement := range statements {
		text, err := d.names.Fill(statement)
		if err != nil {
			return fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
		}
		if _, err := pool.ExecContext(ctx, text); err != nil {
			return d.applyError(ctx, text, err)
		}
	}
	return nil
}

// applyError says what an error met while creating means, and what mends it.
func (d *dialect) applyError(ctx context.Context, statement string, err error) error {
	first, _, _ := strings.Cut(statement, "\n")
	err = fault(ctx, first, err, false)
	switch core.CodeOf(err) {
	case core.Unsupported:
		if schema.IsHybrid(statement) {
			return fmt.Errorf("%w; this account has no hybrid tables (they need AWS or Azure, a commercial region and no trial account), and the store cannot do without: use another account, or keep the store in --store sqlite:PATH", err)
		}
	case core.Denied, core.Invalid:
		return fmt.Errorf("%w; %s may not do this, or cannot see what it needs: apply with a role that may create it, and then run the grants that benchfleet schema print shows", err, d.role())
	case core.Refused:
		return fmt.Errorf("%w; name a warehouse in the address (warehouse=NAME) that %s may use, and resume it", err, d.role())
	}
	return err
}

// Script is the DDL of the store at an address, to be reviewed and run by hand:
// tables, later changes, grants and examples, with the names that the address
// gives. Without an address it has the default names.
func Script(address string, options ApplyOptions) (string, error) {
	var names schema.Names
	if address != "" {
		config, err := ParseAddress(address, options.Environ)
		if err != nil {
			return "", err
		}
		d, err := newDialect(&config)
		if err != nil {
			return "", err
		}
		names = d.names
	}
	script, err := schema.Script(dialectName)
	if err == nil {
		script, err = names.Fill(script)
	}
	if err != nil {
		return "", fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	return script, nil
}
