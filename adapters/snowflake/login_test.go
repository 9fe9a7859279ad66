package snowflake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
)

// dsnBy is a DSN of the stand-in's user without its password.
func dsnBy(t *testing.T, in snowflaketest.In) string {
	t.Helper()
	server := shared.Server(t)
	if server.Admin == "" {
		t.Skip("an account's user may not be able to log in in every way")
	}
	in.Schema = "PUBLIC"
	return strings.Replace(server.DSN(in), ":"+server.Password+"@", "@", 1)
}

// Each kind of login works, for the measured sessions and the target's own.
func TestLogins(t *testing.T) {
	server := shared.Server(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(server.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]map[string]string{
		"password file": {"password_file": password},
		"key pair":      {"private_key_file": server.PrivateKeyFile},
		"access token":  {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token_file": server.TokenFile},
		"OAuth":         {"authenticator": "OAUTH", "token_file": server.TokenFile},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			target := open(t, dsnBy(t, snowflaketest.In{More: more}))
			info, err := target.Describe(t.Context(), benchTable)
			is.NoErr(err)
			is.Equal(info.User, server.User)
			s := begin(t, target, benchTable, "SELECT 1")
			_, err = s.Exec(t.Context(), 0, nil)
			is.NoErr(err)
		})
	}
}

// Each wrong thing in an address is said, with what mends it, and no secret.
func TestBadLogins(t *testing.T) {
	server := shared.Server(t)
	for _, tc := range []struct {
		name string
		in   snowflaketest.In
		code core.Code
		says string
	}{
		{"password", snowflaketest.In{Password: "wr0ng-password"}, core.Denied, "check the account, the user and its password"},
		{"user", snowflaketest.In{User: "NOBODY"}, core.Denied, "as NOBODY"},
		{"role", snowflaketest.In{Role: "NO_SUCH_ROLE"}, core.Denied, "GRANT ROLE NO_SUCH_ROLE TO USER " + server.User},
		{"warehouse", snowflaketest.In{Warehouse: "NO_SUCH_WH"}, core.Denied, "GRANT USAGE ON WAREHOUSE NO_SUCH_WH TO ROLE " + server.Role},
		{"database", snowflaketest.In{Database: "NO_SUCH_DB"}, core.Denied, "GRANT USAGE ON DATABASE NO_SUCH_DB TO ROLE " + server.Role},
		{"schema", snowflaketest.In{Schema: "NO_SUCH_SCHEMA"}, core.Denied, "GRANT USAGE ON SCHEMA " + server.Database + ".NO_SUCH_SCHEMA TO ROLE " + server.Role},
		{"account", snowflaketest.In{More: map[string]string{"account": "nosuchaccount"}}, core.Denied, "account"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			target := open(t, server.DSN(tc.in))
			_, err := target.Describe(t.Context(), benchTable)
			is.Equal(core.CodeOf(err), tc.code)
			is.True(strings.Contains(err.Error(), tc.says)) // what mends it
			is.True(!strings.Contains(err.Error(), "wr0ng-password") && !strings.Contains(err.Error(), server.Password))
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		is := is.New(t)
		_, err := open(t, "u:p@127.0.0.1:1/D?account=a&protocol=http&login_timeout=5").Describe(t.Context(), benchTable)
		is.Equal(core.CodeOf(err), core.Unavailable)
	})
}

// standIn starts a stand-in of this test's own.
func standIn(t *testing.T, config map[string]any) *snowflaketest.Server {
	t.Helper()
	return snowflaketest.Start(t, snowflaketest.Options{Config: config})
}

// An account without hybrid tables, and a warehouse that sleeps, are said to be.
func TestAccountsThatLackSomething(t *testing.T) {
	is := is.New(t)
	server := standIn(t, map[string]any{
		"NoHybridTables": true,
		"Warehouses":     []map[string]any{{"Name": "ASLEEP", "State": "SUSPENDED", "NoAutoResume": true}},
	})
	target := open(t, server.DSN(snowflaketest.In{Schema: "PUBLIC"}))
	err := target.Create(t.Context(), benchTable)
	is.Equal(core.CodeOf(err), core.Unsupported)
	is.True(strings.Contains(err.Error(), "choose another table.type"))
	standard := core.TemplateTable{Name: "PLAIN", Type: standardTable, Rows: 10}
	load(t, target, standard)

	asleep := open(t, server.DSN(snowflaketest.In{Schema: "PUBLIC", Warehouse: "ASLEEP"}))
	_, err = asleep.Describe(t.Context(), standard)
	is.Equal(core.CodeOf(err), core.Refused)
	is.True(strings.Contains(err.Error(), "ALTER WAREHOUSE ASLEEP RESUME"))
}

// An interactive warehouse is known before a run; its five seconds end a
// statement, and the session goes on. What prepares and describes uses another.
func TestInteractiveWarehouse(t *testing.T) {
	is := is.New(t)
	server := shared.Server(t)
	if server.InteractiveWarehouse == "" {
		t.Skip("the account names no interactive warehouse")
	}
	target := open(t, server.DSN(snowflaketest.In{
		Schema: server.Schema(t), Warehouse: server.InteractiveWarehouse, More: map[string]string{"observer_warehouse": server.Warehouse},
	}))
	table := core.TemplateTable{Name: "LIVE", Type: interactiveTable, Rows: 100}
	load(t, target, table)
	info, err := target.Describe(t.Context(), table)
	is.NoErr(err)
	is.Equal(info.Warehouse.Type, core.WarehouseInteractive)
	is.Equal(info.Table.Rows, int64(100))
	s := begin(t, target, table, "SELECT ID FROM {table} WHERE ID = ?", "SELECT SYSTEM$WAIT(20) FROM {table} WHERE ID = 1")
	rows, err := s.Exec(t.Context(), 0, []any{int64(5)})
	is.NoErr(err)
	is.Equal(rows, int64(1))
	_, err = s.Exec(t.Context(), 1, nil)
	is.Equal(core.ErrorClass(err), core.ClassTimeout)
	is.Equal(core.CodeOf(err), core.Refused)
	_, err = s.Exec(t.Context(), 0, []any{int64(5)})
	is.NoErr(err)
}
