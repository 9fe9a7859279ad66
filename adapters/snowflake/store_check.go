package snowflake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/sql/schema"
)

// Check is sqlstore's, and when nothing is missing it also finds control tables
// that are not hybrid: their keys would not be enforced, and two owners could
// both drive a run.
func (s *store) Check(ctx context.Context) ([]core.Finding, error) {
	findings, err := s.Store.Check(ctx)
	if err != nil || core.Refusal(findings) != "" {
		return findings, err
	}
	plain, err := s.dialect.plainTables(ctx, s.pool)
	if err != nil {
		return nil, fault(ctx, "reading the schema", err, isDead(err))
	}
	var wrong []core.Finding
	for _, name := range plain {
		wrong = append(wrong, core.Finding{
			ID: "store.schema", Severity: core.SeverityError,
			Message: fmt.Sprintf("table %s is a standard table; it must be a hybrid one, whose key is enforced", name),
			Mend:    "when no run is under way, remove table " + s.dialect.paths[name] + ", then: " + mend,
		})
	}
	if wrong != nil {
		return wrong, nil
	}
	return findings, nil
}

// rowQuerier is a pool of sqlx.
type rowQuerier interface {
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

// plainTables are the tables that should be hybrid and are not. IS_HYBRID of
// INFORMATION_SCHEMA.TABLES is not confirmed on an account: this is the only
// place that asks for it, and what cannot be asked is said.
func (d *dialect) plainTables(ctx context.Context, on rowQuerier) ([]string, error) {
	statements, err := schema.Statements(dialectName, schema.Store)
	if err != nil {
		return nil, fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	query, err := d.names.Fill("SELECT TABLE_NAME FROM {database}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA IN (" + d.literals() +
		") AND IS_HYBRID <> 'YES' ORDER BY TABLE_NAME")
	if err != nil {
		return nil, fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
	}
	var there []string
	if err := on.SelectContext(ctx, &there, query); err != nil {
		return nil, err
	}
	var plain []string
	for _, statement := range statements {
		if !schema.IsHybrid(statement) {
			continue
		}
		table, err := schema.Parse(statement)
		if err != nil {
			return nil, fmt.Errorf("%w: snowflake: %w", core.ErrInternal, err)
		}
		if slices.ContainsFunc(there, func(name string) bool { return strings.EqualFold(name, table.Name) }) {
			plain = append(plain, table.Name)
		}
	}
	return plain, nil
}
