// Command throwaway runs a command beside a stand-in of Snowflake that lives as
// long as the command does and keeps nothing. It is for trying things out, and is
// not Snowflake:
//
//	go run ./adapters/snowflake/snowflaketest/throwaway -- go run ./examples/snowflake
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
)

func main() {
	listen := flag.String("listen", "", "address to listen on (default: any port of loopback)")
	containers := flag.Bool("containers", false, "run container services on the local Docker Engine, and tell the command about them in BENCHFLEET_LAUNCHER_OPTION and BENCHFLEET_SPCS_…")
	store := flag.String("store", "BENCHFLEET_STORE", "the variable that tells the command the address of a store")
	endpoint := flag.String("endpoint", "BENCHFLEET_ENDPOINT_LOCAL", "the variable that tells it the address of a target, in another warehouse")
	flag.Parse()
	code, err := run(snowflaketest.Options{Listen: *listen, Containers: *containers}, *store, *endpoint, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "throwaway:", err)
	}
	os.Exit(code)
}

func run(options snowflaketest.Options, store, endpoint string, command []string) (code int, err error) {
	if len(command) == 0 {
		return 2, errors.New("a command is missing")
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM) // the command ends by it, then this
	server, err := snowflaketest.Throwaway(options)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Remove()) }()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(),
		store+"=snowflake:"+server.DSN(snowflaketest.In{Warehouse: server.ControlWarehouse}),
		endpoint+"="+server.DSN(snowflaketest.In{Schema: "PUBLIC"}))
	if options.Containers {
		schema := server.ImageRepository[:strings.LastIndexByte(server.ImageRepository, '.')]
		image := "/" + server.Repository() + "benchfleet:dev"
		cmd.Env = append(cmd.Env,
			"BENCHFLEET_SPCS_POOL="+server.ComputePool, "BENCHFLEET_SPCS_SCHEMA="+schema, "BENCHFLEET_SPCS_IMAGE="+image,
			fmt.Sprintf("BENCHFLEET_LAUNCHER_OPTION=pool=%s\nschema=%s\nimage=%s", server.ComputePool, schema, image))
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return ended.ExitCode(), nil
	}
	return 0, err
}
