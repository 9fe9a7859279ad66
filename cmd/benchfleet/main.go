// Command benchfleet runs one database benchmark on many workers and leaves a
// result that can be trusted. See benchfleet --help.
package main

import (
	"os"
	_ "time/tzdata" // an image from scratch has no time zones

	"github.com/benchfleet/benchfleet/cmd/benchfleet/cli"
	_ "golang.org/x/crypto/x509roots/fallback" // and no CA roots
)

func main() {
	quieten()
	os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// quieten keeps Snowflake's driver from asking the metadata services of clouds
// where it runs, for 200 ms at its first login. It knows no other way than the
// environment.
func quieten() {
	const variable = "SNOWFLAKE_DISABLE_PLATFORM_DETECTION"
	if _, given := os.LookupEnv(variable); !given {
		_ = os.Setenv(variable, "true") // it then asks
	}
}
