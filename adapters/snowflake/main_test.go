package snowflake

import (
	"os"
	"testing"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
)

// shared is the stand-in, or the account, of this package's tests, inside and
// outside of it.
var shared snowflaketest.Shared

// Shared is shared, for the tests outside.
var Shared = &shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }
