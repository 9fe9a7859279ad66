// Command benchfleet runs one database benchmark on many workers and leaves a
// result that can be trusted. See benchfleet --help.
package main

import (
	"os"

	"github.com/benchfleet/benchfleet/cmd/benchfleet/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
