// Package snowflake is Snowflake: a target to put under load, and a store, by
// the gosnowflake driver. It launches nothing, and knows nothing of a run but the
// QUERY_TAG that each session carries.
//
// # Address
//
// An address is a DSN of the driver, user:password@account/database/schema?key=value
// or user:password@host:port/database/schema?account=NAME&key=value, or
// connection:NAME for an entry of connections.toml, in SNOWFLAKE_HOME, else in
// ~/.snowflake, else in ~/.config/snowflake. Keys are written as the driver does
// (privateKeyFile) or as connections.toml does (private_key_file). A key that is
// unknown is an error; names of session parameters that this package knows are
// passed on. Nothing is read from the environment but what the caller hands over.
//
// A user logs in with a password (or password_file), a key pair (private_key_file,
// with private_key_passphrase_file where it is encrypted), a programmatic access
// token (authenticator=PROGRAMMATIC_ACCESS_TOKEN, token_file) or an OAuth token
// (authenticator=OAUTH, token_file). Token files are read again for each
// connection. Inside Snowpark Container Services /DATABASE/SCHEMA?authenticator=OAUTH
// is enough: account and host come from SNOWFLAKE_ACCOUNT and SNOWFLAKE_HOST, the
// token from /snowflake/session/token. No secret is in an error, in a log or in
// what a Config prints.
//
// # Pools
//
// Three kinds of connections are kept apart, so that what is measured never waits
// for what is not: control (the store), measured (one connection for each
// benchmark connection) and observer (describing, counting, cancelling). Each has
// its session parameters from the login on. A session that the server has ended
// is dropped from its pool. When a context ends, the driver asks the server to
// abort the statement and would wait for that without a bound; here it waits five
// seconds (see wire).
//
// The driver's logger is process-wide. Opening anything here turns it off, and
// what it costs: a program that wants it sets it again afterwards.
// SNOWFLAKE_DISABLE_PLATFORM_DETECTION=true in the environment saves the driver's
// 200 ms of questions to the metadata services of clouds; commands of this module
// set it.
//
//	target, err := snowflake.OpenTarget("connection:bench", snowflake.TargetOptions{Environ: os.Environ()})
package snowflake
