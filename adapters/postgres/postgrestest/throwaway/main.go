// Command throwaway runs a command beside a PostgreSQL server that lives as long
// as the command does and syncs nothing to disk. It is for trying things out:
//
//	go run ./adapters/postgres/postgrestest/throwaway -variable BENCHFLEET_ENDPOINT_LOCAL -- benchfleet run oltp
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1", "addresses to listen on, with commas")
	host := flag.String("host", "127.0.0.1", "the one of them that the command is told")
	variable := flag.String("variable", "BENCHFLEET_ENDPOINT_LOCAL", "the variable that tells the command where the server is")
	flag.Parse()
	code, err := run(*listen, *host, *variable, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "throwaway:", err)
	}
	os.Exit(code)
}

func run(listen, host, variable string, command []string) (code int, err error) {
	if len(command) == 0 {
		return 2, errors.New("a command is missing")
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM) // the command ends by it, then this
	server, err := postgrestest.Throwaway(postgrestest.Options{Listen: listen})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Remove()) }()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), variable+"="+server.DSNAt(host, postgrestest.Superuser, "postgres"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode(), nil
	}
	return 0, err
}
