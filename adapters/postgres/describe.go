package postgres

import (
	"context"
	"crypto/tls"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Describe tells what the server is, what the table holds, and how many
// connections the user could have now. Errors: Denied when the user may not read
// the table.
func (t *Target) Describe(ctx context.Context, table core.TemplateTable) (ports.TargetInfo, error) {
	info := ports.TargetInfo{Kind: "postgres", Host: t.address(), LocalFile: t.socket()}
	if _, err := quoteTable(table); err != nil {
		return info, err
	}
	err := t.ask(ctx, "describing table "+table.Name, func(conn *pgx.Conn) error {
		if err := t.describeServer(ctx, conn, &info); err != nil {
			return err
		}
		info.Others = nil
		for _, of := range table.Tables() {
			if of.Part == "" {
				if err := describeTable(ctx, conn, of, &info); err != nil {
					return err
				}
				continue
			}
			other := ports.TargetInfo{}
			if err := describeTable(ctx, conn, of, &other); err != nil {
				return err
			}
			info.Others = append(info.Others, other.Table)
		}
		return nil
	})
	return info, err
}

// shownSettings are those that matter to a benchmark, in the order in which they
// are shown. Names that a server does not know are left out.
func shownSettings() []string {
	return []string{
		"shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "huge_pages",
		"fsync", "synchronous_commit", "full_page_writes", "wal_level", "wal_sync_method", "max_wal_size",
		"checkpoint_timeout", "commit_delay", "synchronous_standby_names", "autovacuum",
		"max_connections", "max_worker_processes", "max_parallel_workers_per_gather", "effective_io_concurrency",
		"random_page_cost", "jit", "plan_cache_mode", "default_transaction_isolation", "default_transaction_read_only",
		"statement_timeout", "track_activities", "server_encoding", "lc_collate", "block_size", "data_checksums",
	}
}

func (t *Target) describeServer(ctx context.Context, conn *pgx.Conn, info *ports.TargetInfo) error {
	info.Version = conn.PgConn().ParameterStatus("server_version")
	info.Settings = nil
	rows, err := conn.Query(ctx, "SELECT name, current_setting(name, true) FROM unnest($1::text[]) WITH ORDINALITY AS wanted(name, place) ORDER BY place", shownSettings())
	if err != nil {
		return err
	}
	var name string
	var value *string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		if value != nil {
			info.Settings = append(info.Settings, core.Fact{Name: name, Value: *value})
		}
		return nil
	})
	if err != nil {
		return err
	}
	info.Settings = append(info.Settings,
		core.Fact{Name: "tls", Value: tlsOf(conn)},
		core.Fact{Name: "pgbouncer_mode", Value: strconv.FormatBool(t.pooled)})
	if err := conn.QueryRow(ctx, "SELECT current_database(), current_user").Scan(&info.Database, &info.User); err != nil {
		return err
	}
	info.MaxConnections, err = grantedConnections(ctx, conn)
	return err
}

// tlsOf is the version and the cipher of a connection, or off.
func tlsOf(conn *pgx.Conn) string {
	wire, ok := conn.PgConn().Conn().(*tls.Conn)
	if !ok {
		return "off"
	}
	state := wire.ConnectionState()
	return tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
}

// grantedConnections is how many connections the user could have now, the one
// that asks included. A process whose kind the user may not see is taken for a
// client's.
func grantedConnections(ctx context.Context, conn *pgx.Conn) (granted int, err error) {
	err = conn.QueryRow(ctx, `
		WITH clients AS (
			SELECT usesysid, datid FROM pg_stat_activity
			WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend')
		SELECT 1 + least(
			current_setting('max_connections')::int - (SELECT count(*) FROM clients)
				- CASE WHEN r.rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
					+ coalesce(current_setting('reserved_connections', true)::int, 0) END,
			CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper
				THEN r.rolconnlimit - (SELECT count(*) FROM clients WHERE usesysid = r.oid) END,
			CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper
				THEN d.datconnlimit - (SELECT count(*) FROM clients WHERE datid = d.oid) END)
		FROM pg_roles r, pg_database d
		WHERE r.rolname = session_user AND d.datname = current_database()`).Scan(&granted)
	return max(granted, 1), err
}

// describeTable describes what stands under a name, and counts the rows that
// look-ups draw from.
func describeTable(ctx context.Context, conn *pgx.Conn, table core.Table, info *ports.TargetInfo) error {
	info.Table = ports.TableInfo{}
	name, err := quoteTable(table.TemplateTable)
	if err != nil {
		return err
	}
	var kind, key *string
	var size int64
	err = conn.QueryRow(ctx, `
		SELECT CASE c.relpersistence WHEN 'u' THEN 'unlogged ' WHEN 't' THEN 'temporary ' ELSE '' END ||
				CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
					WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'relation of kind ' || c.relkind::text END,
			coalesce(pg_total_relation_size(c.oid), 0),
			ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
			(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped AND lower(attname) = lower($2) ORDER BY attname DESC LIMIT 1),
			CASE WHEN pg_is_in_recovery() THEN 'the server is a standby'
				WHEN current_setting('transaction_read_only')::bool THEN 'default_transaction_read_only is on'
				WHEN NOT (has_any_column_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE'))
					THEN 'user ' || current_user || ' may neither insert, update nor delete rows of the table'
				ELSE '' END
		FROM (SELECT to_regclass($1) AS oid) AS named LEFT JOIN pg_class c ON c.oid = named.oid`,
		name, table.Key).Scan(&kind, &size, &info.Table.Columns, &key, &info.ReadOnly)
	if err != nil || kind == nil {
		return err
	}
	info.Table.Exists = true
	info.Settings = append(info.Settings,
		core.Fact{Name: "table_kind", Value: *kind}, core.Fact{Name: "table_bytes", Value: strconv.FormatInt(size, 10)})
	if key == nil {
		return nil
	}
	return conn.QueryRow(ctx, "SELECT count(*) FROM "+name+" WHERE "+*key+" >= 0 AND "+*key+" < $1", table.Rows).Scan(&info.Table.Rows)
}
