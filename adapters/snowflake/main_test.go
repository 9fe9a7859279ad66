package snowflake_test

import (
	"os"
	"testing"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
)

// shared is the stand-in, or the account, of all tests.
var shared snowflaketest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }
