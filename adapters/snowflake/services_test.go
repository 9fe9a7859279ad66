package snowflake

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
)

// A service's address leads to the same tables, by the platform's own login, and
// holds nothing of the login that it was made of.
func TestServiceAddress(t *testing.T) {
	is := is.New(t)
	token := t.TempDir() + "/token"
	inside := []string{"SNOWFLAKE_HOST=inside.host", "SNOWFLAKE_ACCOUNT=ab12345", "SNOWFLAKE_PORT=8080"}
	for address, want := range map[string]string{
		"me:pw-5ecret@acme/DB/S?role=BENCH&warehouse=WH&store_config_schema=C1&store_results_schema=R1":               "DB/S WH/WH DB C1 R1 https",
		"snowflake:me:pw-5ecret@acme/DB?warehouse=WH&observer_warehouse=OW&protocol=http&HYBRID_TABLE_LOCK_TIMEOUT=3": "DB/ WH/OW DB CONFIG TEST_RESULTS http",
		"me:pw-5ecret@h:1/A/A?account=x":                      "A/A / A CONFIG TEST_RESULTS https",
		"me:pw-5ecret@acme?store_database=SD&login_timeout=7": "/ / SD CONFIG TEST_RESULTS https",
		`me:pw-5ecret@acme/DB/odd%2Fname%3F`:                  "DB/odd/name? / DB CONFIG TEST_RESULTS https",
	} {
		made, err := ServiceAddress(address, nil)
		is.NoErr(err)
		is.True(!strings.Contains(made, "5ecret") && !strings.Contains(made, "acme") && !strings.Contains(made, "BENCH"))
		is.True(!HasSecret(made))
		given, err := dsnSettings(made)
		is.NoErr(err)
		given.values["tokenfile"] = token // there is none at the platform's path here
		is.NoErr(os.WriteFile(token, []byte("t"), 0o600))
		c, err := given.config(environment(inside))
		is.NoErr(err)
		is.Equal(fmt.Sprintf("%s/%s %s/%s %s %s %s %s", c.Database, c.Schema, c.Warehouse, c.ObserverWarehouse, c.StoreDatabase, c.ConfigSchema, c.ResultsSchema, c.Protocol), want)
		is.Equal(c.Host, "inside.host")
		is.Equal(c.Account, "ab12345")
		is.Equal(c.Port, 8080)
		is.Equal(c.Role, "")
		is.Equal(c.auth.kind, oauthToken)
		outside, err := ParseAddress(address, nil)
		is.NoErr(err)
		is.Equal(c.parameters, outside.parameters)
		is.Equal(c.LoginTimeout, outside.LoginTimeout)
	}
	_, err := ServiceAddress("nonsense?x", nil)
	is.Equal(core.CodeOf(err), core.Invalid)
}

func TestErrorNumberAndCode(t *testing.T) {
	is := is.New(t)
	wrapped := fmt.Errorf("wrapped: %w", &sf.SnowflakeError{Number: 2003, SQLState: "02000", Message: "gone"})
	number, state := ErrorNumber(wrapped)
	is.Equal(number, 2003)
	is.Equal(state, "02000")
	is.True(errors.Is(ErrorCode(wrapped), core.ErrRefused))
	number, state = ErrorNumber(errors.New("other"))
	is.Equal(number, 0)
	is.Equal(state, "")
	is.Equal(ErrorCode(errors.New("other")), nil)
}

// The pool of a launcher logs in only when it is used, and its statements are told
// from those of a store.
func TestOpenPool(t *testing.T) {
	is := is.New(t)
	server := shared.Server(t)
	_, err := OpenPool("nonsense?x", PoolOptions{})
	is.Equal(core.CodeOf(err), core.Invalid)
	away, err := OpenPool("me:pw@127.0.0.1:1/DB?account=x&protocol=http", PoolOptions{})
	is.NoErr(err) // nobody was asked
	is.NoErr(away.Close())

	pool, err := OpenPool("snowflake:"+server.DSN(snowflaketest.In{}), PoolOptions{Connections: 1})
	is.NoErr(err)
	defer func() { is.NoErr(pool.Close()) }()
	var role string
	is.NoErr(pool.GetContext(t.Context(), &role, "SELECT CURRENT_ROLE() AS R"))
	is.True(role != "")
	rows, err := pool.QueryxContext(t.Context(), "SHOW PARAMETERS LIKE 'QUERY_TAG' IN SESSION")
	is.NoErr(err)
	is.True(rows.Next())
	row := map[string]any{}
	is.NoErr(rows.MapScan(row))
	is.NoErr(rows.Close())
	is.Equal(row["value"], "benchfleet launcher")
	_, err = pool.ExecContext(t.Context(), "DROP TABLE no_such_thing_of_a_launcher")
	number, state := ErrorNumber(err)
	is.True(number != 0 && state != "")
}
