// Package snowflaketest starts the Snowflake stand-in, cmd/snowlocal, for tests: as
// a process of its own, with data of its own, on loopback. It is for tests only.
// What it starts is not Snowflake.
//
// With BENCHFLEET_SNOWFLAKE_DSN in the environment, a DSN of the gosnowflake
// driver, tests use that account instead: what needs the stand-in itself (faults,
// recorded statements, an account that lacks something) is skipped then.
//
// The stand-in needs the programs of PostgreSQL. Where there are none a test is
// skipped, or fails when the environment variable BENCHFLEET_REQUIRE lists
// postgres. It ends with its test, or with the process of the test.
//
//	server := shared.Server(t)
//	dsn := server.DSN(snowflaketest.In{Schema: server.Schema(t)})
package snowflaketest
