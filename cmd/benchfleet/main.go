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
	os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
