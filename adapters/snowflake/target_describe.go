package snowflake

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
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
	if _, err := names(table); err != nil {
		return info, err
	}
	err := t.observe(ctx, "describing table "+table.Name, func(on queryer) error {
		info.Settings, info.Table, info.Others, info.ReadOnly, info.Warehouse = nil, ports.TableInfo{}, nil, "", nil
		here, err := t.describeAccount(ctx, on, &info)
		if err != nil {
			return err
		}
		for _, of := range table.Tables() {
			if of.Part == "" {
				if err := describeTable(ctx, on, here, of, &info); err != nil {
					return err
				}
				continue
			}
			other := ports.TargetInfo{}
			if err := describeTable(ctx, on, here, of, &other); err != nil {
				return err
			}
			info.Others = append(info.Others, other.Table)
		}
		return nil
	})
	return info, err
}

// describeAccount returns the current database and schema, too.
func (t *Target) describeAccount(ctx context.Context, on queryer, info *ports.TargetInfo) (here []string, err error) {
	rows, err := ask(ctx, on, `SELECT CURRENT_VERSION() AS VERSION, CURRENT_ACCOUNT() AS ACCOUNT, CURRENT_REGION() AS REGION, CURRENT_USER() AS USER_NAME, `+
		`CURRENT_ROLE() AS ROLE_NAME, CURRENT_DATABASE() AS DATABASE_NAME, CURRENT_SCHEMA() AS SCHEMA_NAME`)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("%w: snowflake: the account describes itself in %d rows", core.ErrInternal, len(rows))
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
	here = []string{self["database_name"], self["schema_name"]}
	name, err := warehouseName(ctx, on, t.config)
	if err != nil || name == "" {
		return here, err
	}
	warehouse, err := warehouseOf(ctx, on, name)
	if err != nil {
		return nil, err
	}
	warehouse.Account = self["account"]
	info.Warehouse = &warehouse
	fact("warehouse", warehouse.Name)
	fact("warehouse_type", warehouse.Type)
	fact("warehouse_size", warehouse.Size)
	return here, nil
}

// complete puts the current database and schema before a name that lacks them:
// without them SHOW would look into every schema of the database.
func complete(parts, here []string) ([]string, error) {
	whole := append(slices.Clone(here[:max(0, 3-len(parts))]), parts...)
	for i, part := range whole {
		if part == "" {
			return nil, invalid("the benchmark table %s is in no %s: name one in the address, or before the table", quote(parts...), []string{"database", "schema"}[i])
		}
	}
	return whole, nil
}

// find looks up what stands under an exact name, "" for nothing: the pattern of LIKE ignores
// the case of letters, and takes _ for any character.
func find(ctx context.Context, on queryer, whole []string) (kind string, err error) {
	name, in := whole[2], " IN SCHEMA "+quote(whole[:2]...)
	for _, what := range []string{"TABLES", "VIEWS"} {
		rows, err := ask(ctx, on, "SHOW "+what+" LIKE "+literal(likePattern(name))+in)
		if number := numberOf(err); number == 2003 || number == 2043 {
			return "", nil // the schema is not there, or not for this role
		}
		if err != nil {
			return "", err
		}
		for _, row := range rows {
			switch {
			case row["name"] != name:
			case what == "VIEWS":
				return view, nil
			case yes(row["is_hybrid"]):
				return hybridTable, nil
			case yes(row["is_interactive"]):
				return interactiveTable, nil
			default:
				return standardTable, nil
			}
		}
	}
	return "", nil
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

func describeTable(ctx context.Context, on queryer, here []string, table core.Table, info *ports.TargetInfo) error {
	parts, err := names(table.TemplateTable)
	if err != nil {
		return err
	}
	whole, err := complete(parts, here)
	if err != nil {
		return err
	}
	kind, err := find(ctx, on, whole)
	if err != nil || kind == "" {
		return err
	}
	info.Table.Exists, info.Table.Type = true, kind
	info.Settings = append(info.Settings, core.Fact{Name: "table_kind", Value: kind})
	switch kind {
	case view:
		info.ReadOnly = "it is a view"
	case interactiveTable:
		info.ReadOnly = "it is an interactive table, of which rows can only be replaced all together"
	}
	name := quote(whole...)
	columns, err := ask(ctx, on, "DESCRIBE TABLE "+name)
	if err != nil {
		return err
	}
	keyed := false
	for _, column := range columns {
		info.Table.Columns = append(info.Table.Columns, column["name"])
		keyed = keyed || column["name"] == table.Key
	}
	if !keyed {
		return nil
	}
	rows, err := ask(ctx, on, "SELECT COUNT(*) AS N FROM "+name+" WHERE "+table.Key+" >= 0 AND "+table.Key+" < ?", bound(1, table.Rows))
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
