// Command snowlocal is a stand-in for Snowflake on this machine: it speaks the
// protocol of Snowflake's drivers, over a PostgreSQL server of its own, well enough
// for benchfleet. It is not Snowflake, and nothing but a place to try and test.
//
//	go run ./cmd/snowlocal
//
// Its tests control it below the address that its line of JSON calls admin:
//
//	POST   /faults      a fault, or a list of them, as server.Fault has it:
//	                    {"kind":"drop_after","match":"^COMMIT","count":1}
//	GET, DELETE /faults     those that are set, and how often each applied
//	GET    /statements  what was received, ?after=N after number N, and counters
//	DELETE /statements  forgets them
//	GET    /sessions    those that live
//	POST, GET, DELETE /spcs  with --containers: faults as spcs.Fault has them, and
//	                    the services with their containers
//
// The kinds of faults are latency (delay_ms), status (status), drop_before,
// drop_after, expire_session, expire_master, end_session and error (number, state,
// message).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/benchfleet/benchfleet/internal/pgcluster"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

const help = `A stand-in for Snowflake on this machine. It is not Snowflake: it speaks the drivers'
protocol and executes the SQL that benchfleet sends, over a PostgreSQL server of its
own (Debian: apt-get install postgresql). When it serves, it prints one line of JSON
on stdout that says where, and as whom one logs in.

  snowlocal                          forgets everything at its end
  snowlocal --data DIR               keeps its data, and the default user's secrets, in a folder
  snowlocal --containers             has compute pools and services too, on the local Docker Engine

Flags:
`

type flags struct {
	listen, data, postgres, config string
	untilStdinCloses, containers   bool
}

func main() {
	var f flags
	flag.StringVar(&f.listen, "listen", "127.0.0.1:0", "`ADDRESS` of loopback to listen on; port 0 is any that is free")
	flag.StringVar(&f.data, "data", "", "`FOLDER` to keep the data in; without one they end with the process")
	flag.StringVar(&f.postgres, "postgres", "", "`DSN` of a database to use instead of a server of its own, as superuser; it is taken over whole")
	flag.StringVar(&f.config, "config", "", "JSON or YAML `FILE` of users, roles, warehouses and databases to have besides the default ones")
	flag.BoolVar(&f.untilStdinCloses, "until-stdin-closes", false, "end when standard input ends: with the process that started this one")
	flag.BoolVar(&f.containers, "containers", false, "run container services (SPCS) on the local Docker Engine; the stand-in then listens at the gateway of Docker's bridge too, where a service's token alone logs in")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), help)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "snowlocal: %q is not expected; see snowlocal --help\n", flag.Args())
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if f.untilStdinCloses {
		var closed context.CancelFunc
		ctx, closed = context.WithCancel(ctx)
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
			closed()
		}()
	}
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "snowlocal:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, f flags) (err error) {
	c, err := readConfig(f.config)
	if err != nil {
		return err
	}
	if err := loopback(f.listen); err != nil {
		return err
	}
	folder, err := folderOf(f.data)
	if err != nil {
		return err
	}
	if f.data == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	s, err := loadSecrets(folder)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	dsn := f.postgres
	if dsn == "" {
		cluster, err := startCluster(f.data)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cluster.Remove()) }()
		dsn = cluster.DSN(pgcluster.Superuser)
	}
	o := engine.Options{DSN: dsn, Account: account(c, s)}
	var services *containers
	if f.containers {
		if services, err = newContainers(ctx, folder, c, o.Account.Name); err != nil {
			return err
		}
		o.Handlers, o.Functions, o.Gone = services.Handlers(), services.Functions(), services.Gone
	}
	e, err := engine.Open(ctx, o)
	if err != nil {
		return errors.Join(err, services.close())
	}
	defer func() { err = errors.Join(err, services.close(), e.Close(context.WithoutCancel(ctx))) }()
	if err := services.prepare(ctx, e); err != nil {
		return err
	}
	return serve(ctx, listener, e, c, services, func(host string, port int) error { return announce(host, port, c, s, folder, services) })
}

// startCluster starts the stand-in's own PostgreSQL server.
func startCluster(data string) (*pgcluster.Cluster, error) {
	binaries, err := pgcluster.Find()
	if err != nil {
		return nil, fmt.Errorf("%w; Debian: apt-get install postgresql; or give --postgres", err)
	}
	o := pgcluster.Options{Config: map[string]string{"max_connections": "1000", "shared_buffers": "128MB", "max_locks_per_transaction": "256"}}
	if data != "" {
		o.Folder = filepath.Join(data, "postgres")
	}
	cluster, err := pgcluster.New(binaries, o)
	if err != nil {
		return nil, err
	}
	if err := cluster.Start(); err != nil {
		return nil, errors.Join(err, cluster.Remove())
	}
	return cluster, nil
}

// serve serves until ctx ends, and then lets go of every session.
func serve(ctx context.Context, listener net.Listener, e *engine.Engine, c config, services *containers, announce func(host string, port int) error) (err error) {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	o := server.Options{
		SessionToken: seconds(c.SessionTokenSeconds), MasterToken: seconds(c.MasterTokenSeconds), SyncLimit: seconds(c.SyncSeconds),
	}
	if services != nil {
		o.Services = services
	}
	s, err := server.New(e, o)
	if err != nil {
		return err
	}
	h := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- h.Serve(listener) }()
	if services != nil {
		inside := services.serve(s.Inside())
		defer func() { err = errors.Join(err, inside()) }()
	}
	at := listener.Addr().(*net.TCPAddr)
	fmt.Fprintf(os.Stderr, "snowlocal: a stand-in at %s. This is not Snowflake.\n", at)
	if err = announce(at.IP.String(), at.Port); err == nil {
		select {
		case <-ctx.Done():
		case err = <-served:
			return errors.Join(err, s.Close())
		}
	}
	err = errors.Join(err, s.Close(), h.Close())
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// announce says on stdout how to log in.
func announce(host string, port int, c config, s secrets, folder string, services *containers) error {
	line := map[string]any{
		"host": host, "port": port, "account": strings.ToLower(account(c, s).Name), "user": defaultUser, "password": s.Password,
		"warehouse": benchWarehouse, "control_warehouse": controlWarehouse, "interactive_warehouse": liveWarehouse,
		"database": defaultDatabase, "role": defaultRole,
		"private_key_file": filepath.Join(folder, keyFile), "token_file": filepath.Join(folder, tokenFile),
		"admin": fmt.Sprintf("http://%s/snowlocal", net.JoinHostPort(host, fmt.Sprint(port))),
	}
	if services != nil {
		line["compute_pool"], line["image_repository"], line["inside"] = defaultPool, defaultRepository, services.at.Addr().String()
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}

// folderOf is the folder for the data, or a temporary one. Its owner alone reads
// the secrets in it; the server's user has a folder of its own below.
func folderOf(data string) (string, error) {
	if data == "" {
		return os.MkdirTemp("", "snowlocal-")
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return "", err
	}
	return filepath.Abs(data)
}

// loopback refuses an address that others can reach.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen is %q; allowed: an address of loopback and a port, like 127.0.0.1:0", address)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--listen is %q; allowed: an address of loopback, since its passwords are no secrets", address)
	}
	return nil
}
