package snowflake

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The kinds of tables, as templates name them.
const (
	standardTable    = "STANDARD"
	hybridTable      = "HYBRID"
	interactiveTable = "INTERACTIVE"
	view             = "VIEW"
)

// Describe tells what the account, the role and the warehouse are, and what the
// table is and holds. The rows are counted, which takes a while for a large
// hybrid table. Errors: Denied; Refused, with what mends it, while the warehouse
// cannot work.
func (t *Target) Describe(ctx context.Context, table core.TemplateTable) (ports.TargetInfo, error) {
	info := ports.TargetInfo{Kind: "snowflake", Host: t.config.address(), ResultCache: true}
	parts, err := names(table)
	if err != nil {
		return info, err
	}
	err = t.observe(ctx, "describing table "+table.Name, func(on queryer) error {
		info.Settings, info.Table, info.ReadOnly, info.Warehouse = nil, ports.TableInfo{}, "", nil
		if err := t.describeAccount(ctx, on, &info); err != nil {
			return err
		}
		return describeTable(ctx, on, parts, table, &info)
	})
	return info, err
}

func (t *Target) describeAccount(ctx context.Context, on queryer, info *ports.TargetInfo) error {
	rows, err := ask(ctx, on, `SELECT CURRENT_VERSION() AS VERSION, CURRENT_ACCOUNT() AS ACCOUNT, CURRENT_REGION() AS REGION, CURRENT_USER() AS USER_NAME, `+
		`CURRENT_ROLE() AS ROLE_NAME, CURRENT_DATABASE() AS DATABASE_NAME, CURRENT_SCHEMA() AS SCHEMA_NAME`)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return fmt.Errorf("%w: snowflake: the account describes itself in %d rows", core.ErrInternal, len(rows))
	}
	self := rows[0]
	info.Version, info.Database, info.User = self["version"], self["database_name"], self["user_name"]
	fact := func(name, value string) {
		if value != "" {
			info.Settings = append(info.Settings, core.Fact{Name: name, Value: value})
		}
	}
	fact("account", self["account"])
	fact("region", self["region"])
	fact("role", self["role_name"])
	fact("schema", self["schema_name"])
	if t.config.Warehouse == "" {
		return nil
	}
	warehouse, err := warehouseOf(ctx, on, t.config.Warehouse)
	if err != nil {
		return err
	}
	warehouse.Account = self["account"]
	info.Warehouse = &warehouse
	fact("warehouse", warehouse.Name)
	fact("warehouse_type", warehouse.Type)
	fact("warehouse_size", warehouse.Size)
	return nil
}

// described is what SHOW says of a table or view.
type described struct {
	parts []string // its whole name
	kind  string
}

// find looks a table or a view up by its exact name: the pattern of LIKE ignores
// the case of letters, and takes _ for any character.
func find(ctx context.Context, on queryer, parts []string) (*described, error) {
	name, in := parts[len(parts)-1], ""
	if len(parts) > 1 {
		in = " IN SCHEMA " + quote(parts[:len(parts)-1]...)
	}
	for _, what := range []string{"TABLES", "VIEWS"} {
		rows, err := ask(ctx, on, "SHOW "+what+" LIKE "+literal(likePattern(name))+in)
		if number := numberOf(err); number == 2003 || number == 2043 {
			return nil, nil // the schema is not there, or not for this role
		}
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row["name"] != name {
				continue
			}
			found := &described{parts: []string{row["database_name"], row["schema_name"], name}, kind: standardTable}
			switch {
			case what == "VIEWS":
				found.kind = view
			case yes(row["is_hybrid"]):
				found.kind = hybridTable
			case yes(row["is_interactive"]):
				found.kind = interactiveTable
			}
			return found, nil
		}
	}
	return nil, nil
}

// likePattern makes a pattern that finds a name.
func likePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `_`, `\_`, `%`, `\%`).Replace(name)
}

// yes reads a truth value as SHOW writes it.
func yes(value string) bool {
	switch strings.ToUpper(value) {
	case "Y", "YES", "TRUE", "1":
		return true
	}
	return false
}

func describeTable(ctx context.Context, on queryer, parts []string, table core.TemplateTable, info *ports.TargetInfo) error {
	found, err := find(ctx, on, parts)
	if err != nil || found == nil {
		return err
	}
	info.Table.Exists, info.Table.Type = true, found.kind
	info.Settings = append(info.Settings, core.Fact{Name: "table_kind", Value: found.kind})
	switch found.kind {
	case view:
		info.ReadOnly = "it is a view"
	case interactiveTable:
		info.ReadOnly = "it is an interactive table, of which rows can only be replaced all together"
	}
	name := quote(found.parts...)
	columns, err := ask(ctx, on, "DESCRIBE TABLE "+name)
	if err != nil {
		return err
	}
	id := false
	for _, column := range columns {
		info.Table.Columns = append(info.Table.Columns, column["name"])
		id = id || column["name"] == "ID"
	}
	if !id {
		return nil
	}
	rows, err := ask(ctx, on, "SELECT COUNT(*) AS N FROM "+name+" WHERE ID >= 0 AND ID < ?", bound(1, table.Rows))
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return fmt.Errorf("%w: snowflake: a count of %d rows", core.ErrInternal, len(rows))
	}
	info.Table.Rows, err = strconv.ParseInt(rows[0]["n"], 10, 64)
	return err
}

// bound is a value for a placeholder.
func bound(ordinal int, value driver.Value) driver.NamedValue {
	return driver.NamedValue{Ordinal: ordinal, Value: value}
}
