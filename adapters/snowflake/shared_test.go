package snowflake_test

import "github.com/benchfleet/benchfleet/adapters/snowflake"

var shared = snowflake.Shared
