//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/benchfleet/benchfleet/internal/pgcluster"
)

const (
	readRows  = 100_000
	readTable = "PEERS_ROWS"

	tpcbScale = 10 // branches; 100,000 accounts each
	tpcbTable = "BENCHFLEET_TPCB"
)

// lookupSQL is the statement of point reads, as benchfleet's POINT_LOOKUP has it,
// with a parameter as a client writes it.
func lookupSQL(parameter string) string {
	return `SELECT ID, CUSTOMER_ID, BALANCE, STATUS, PAYLOAD FROM "` + readTable + `" WHERE ID = ` + parameter
}

// serverConfig are the settings that are not PostgreSQL's defaults. Commits are
// synced, as is the default.
var serverConfig = map[string]string{
	"shared_buffers":     "512MB", // all tables fit
	"max_wal_size":       "4GB",   // the checkpoints that count are those between samples
	"checkpoint_timeout": "30min",
	"autovacuum":         "off", // settle vacuums; in the midst of a run it would change that run's plans
	"max_connections":    "120",
	"listen_addresses":   "127.0.0.1",
}

// server is the PostgreSQL server that all sides measure.
type server struct {
	cluster *pgcluster.Cluster
	over    string // socket or tcp
	version string
}

const (
	serverPassword = "peers" // of a server of loopback that lives for the measurement
	database       = "postgres"
)

// startServer makes a new cluster in a folder and starts its server. What was in the
// folder is lost.
func startServer(ctx context.Context, folder, over string) (_ *server, err error) {
	binaries, err := pgcluster.Find()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(binaries, "pgbench")); err != nil {
		return nil, fmt.Errorf("pgbench is not beside the server's programs: %w", err)
	}
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(filepath.Dir(folder), 0o755)); err != nil { // the server's user goes through the latter
		return nil, err
	}
	cluster, err := pgcluster.New(binaries, pgcluster.Options{Folder: folder, Password: serverPassword, Config: serverConfig})
	if err != nil {
		return nil, fmt.Errorf("%w (the server's user must reach the folder; -data names another)", err)
	}
	s := &server{cluster: cluster, over: over}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.remove())
		}
	}()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cluster.Port = free.Addr().(*net.TCPAddr).Port
	if err := errors.Join(free.Close(), cluster.Start()); err != nil {
		return nil, err
	}
	return s, s.do(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&s.version)
	})
}

// remove stops the server and removes its data.
func (s *server) remove() error {
	return errors.Join(s.cluster.Remove(), os.RemoveAll(filepath.Dir(s.cluster.Path("data"))))
}

// dsn is the address that every side is given.
func (s *server) dsn() string {
	if s.over == "socket" {
		return s.cluster.DSN(database)
	}
	return tcpDSN(s.cluster.Port)
}

// tcpDSN is the address of the server behind a port of loopback.
func tcpDSN(port int) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(pgcluster.Superuser, serverPassword),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// do uses a connection for something beside the measurement.
func (s *server) do(ctx context.Context, what func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, s.dsn())
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	return what(conn)
}

// settle gives every side the same server to begin with: the tables of TPC-B without
// dead rows and history, all changes on disk, and nothing of the side before it still
// running.
func (s *server) settle(ctx context.Context) error {
	return s.do(ctx, func(conn *pgx.Conn) error {
		commands := slices.Concat([]string{
			"TRUNCATE pgbench_history", `TRUNCATE "` + tpcbTable + `_HISTORY"`,
			"VACUUM pgbench_accounts", `VACUUM "` + tpcbTable + `"`,
		}, growing(), []string{"CHECKPOINT"})
		if err := command(ctx, conn, commands...); err != nil {
			return err
		}
		return alone(ctx, conn)
	})
}

// age gives every page of the accounts room for new versions of its rows, as pages of a
// table in use have it. Without that the tables of the side that runs more often would
// have more of it, and updates that find none are the dearer ones.
func (s *server) age(ctx context.Context) error {
	return s.do(ctx, func(conn *pgx.Conn) error {
		return command(ctx, conn, "UPDATE pgbench_accounts SET abalance = abalance WHERE aid % 10 = 0",
			`UPDATE "`+tpcbTable+`" SET abalance = abalance WHERE aid % 10 = 0`)
	})
}

// smallPages is the size of tellers and branches, of which one page holds all rows.
const smallPages = 40

// growing gives tellers and branches the same size, most of it room for new versions, as
// tables in use have it. When new, they have one page, which the first transactions fill;
// then a table grows by 20 pages for every session that waits for it to grow, in some runs
// and not in others, and since a table of one page is read whole by each statement, a run
// in which it has grown takes the server longer. Tables of this size are looked up by
// their index.
func growing() (commands []string) {
	for _, table := range []struct{ name, column string }{
		{"pgbench_tellers", "tbalance"}, {"pgbench_branches", "bbalance"},
		{`"` + tpcbTable + `_TELLERS"`, "tbalance"}, {`"` + tpcbTable + `_BRANCHES"`, "bbalance"},
	} {
		commands = append(commands, "VACUUM FULL "+table.name,
			fmt.Sprintf("DO $$ BEGIN WHILE pg_relation_size('%[1]s') < %[3]d * 8192 LOOP UPDATE %[1]s SET %[2]s = %[2]s; END LOOP; END $$",
				table.name, table.column, smallPages),
			"VACUUM (TRUNCATE off, ANALYZE) "+table.name)
	}
	return commands
}

// command has the server do one thing after the other.
func command(ctx context.Context, conn *pgx.Conn, commands ...string) error {
	for _, text := range commands {
		if _, err := conn.Exec(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// alone waits until no other client has a session.
func alone(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		var others int
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(&others)
		if err != nil {
			return fmt.Errorf("waiting for sessions to end: %w", err)
		}
		if others == 0 {
			return nil
		}
		if _, err := conn.Exec(ctx, "SELECT pg_sleep(0.02)"); err != nil {
			return err
		}
	}
}

// describe are the settings that differ from the default.
func describe(config map[string]string) (list []string) {
	for name, value := range config {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
