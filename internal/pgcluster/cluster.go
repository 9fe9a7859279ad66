package pgcluster

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Superuser is the user that owns a cluster.
const Superuser = "postgres"

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// throwaway are the settings of a cluster whose data nobody needs after a crash.
var throwaway = map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

// common are the settings of every cluster.
var common = map[string]string{"shared_buffers": "64MB", "listen_addresses": "", "log_min_messages": "warning"}

// Options of a cluster.
type Options struct {
	// Folder holds the data, which stay. Empty: a temporary one, and a server that
	// syncs nothing to disk.
	Folder string
	// Password of Superuser for those who come by the network.
	Password string
	// Config are settings of postgresql.conf, over those of this package.
	Config map[string]string
}

// Cluster is a cluster and, between Start and Stop, its server.
type Cluster struct {
	// Port that it listens on, where it listens on the network; its socket is named
	// by it too. It may be set before Start.
	Port int
	// Socket is the folder of its Unix socket.
	Socket string
	// Binaries is the folder of PostgreSQL's programs.
	Binaries string

	folder  string
	process *Process // nil while stopped
}

// Find is the folder of PostgreSQL's programs.
func Find() (string, error) {
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.Reverse(debian) // the newest first
	for _, folder := range append(folders, debian...) {
		if hasAll(folder, "postgres", "initdb", "psql") {
			return folder, nil
		}
	}
	return "", errors.New("postgres, initdb and psql are neither in PATH nor in /usr/lib/postgresql/*/bin")
}

func hasAll(folder string, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err != nil
	})
}

// New makes a cluster, or opens the one that is in the folder already, whose
// settings then stay as they are. It starts nothing.
func New(binaries string, options Options) (_ *Cluster, err error) {
	socket, err := os.MkdirTemp("", "benchfleet-pg-") // short: a socket's path has 107 bytes
	if err != nil {
		return nil, err
	}
	c := &Cluster{Port: 5432, Socket: socket, Binaries: binaries, folder: options.Folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Remove())
		}
	}()
	if err := GiveAway(socket); err != nil {
		return nil, err
	}
	if c.folder == "" {
		c.folder = socket
	} else if c.folder, err = filepath.Abs(c.folder); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(c.data(), "PG_VERSION")); err == nil {
		return c, nil
	}
	return c, c.initialise(options)
}

func (c *Cluster) data() string { return filepath.Join(c.folder, "data") }

// Path is that of a file of the cluster's own folder.
func (c *Cluster) Path(name string) string { return filepath.Join(c.folder, name) }

// initialise makes the cluster.
func (c *Cluster) initialise(options Options) error {
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	password := c.Path("password")
	text := options.Password
	if text == "" {
		text = "-" // nobody comes by the network
	}
	if err := os.WriteFile(password, []byte(text), 0o600); err != nil {
		return err
	}
	if err := GiveAway(c.folder, password); err != nil {
		return err
	}
	args := []string{"--username=" + Superuser, "--pwfile=" + password, "--auth-local=trust", "--auth-host=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--pgdata=" + c.data()}
	config := maps.Clone(common)
	if options.Folder == "" {
		args = append(args, "--no-sync")
		maps.Copy(config, throwaway)
	}
	command := exec.Command(filepath.Join(c.Binaries, "initdb"), args...)
	command.Dir = c.folder
	AsServer(command)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := os.Remove(password); err != nil {
		return err
	}
	maps.Copy(config, options.Config)
	return c.Configure(config)
}

// Configure adds settings to postgresql.conf. They hold from the next Start on.
func (c *Cluster) Configure(config map[string]string) error {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(config)) {
		fmt.Fprintf(&lines, "%s = '%s'\n", name, strings.ReplaceAll(config[name], "'", "''"))
	}
	return c.extend("postgresql.conf", lines.String())
}

// LetIn lets hosts of an address in with a password.
func (c *Cluster) LetIn(address string) error {
	return c.extend("pg_hba.conf", fmt.Sprintf("host all all %s scram-sha-256\n", address))
}

func (c *Cluster) extend(name, text string) (err error) {
	file, err := os.OpenFile(filepath.Join(c.data(), name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// DSN is the address of a database, as Superuser over the socket.
func (c *Cluster) DSN(database string) string {
	query := url.Values{"host": {c.Socket}, "port": {strconv.Itoa(c.Port)}, "user": {Superuser}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: query.Encode()}).String()
}

// Log is what the server has written since it was last started.
func (c *Cluster) Log() string {
	text, err := os.ReadFile(c.Path("log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Restart stops the server, which ends every session, and starts it again on
// the same port.
func (c *Cluster) Restart() error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.Start()
}

// Stop ends every session and stops the server. What is stopped is no error.
func (c *Cluster) Stop() error {
	if c.process == nil {
		return nil
	}
	p := c.process
	c.process = nil
	return p.Stop()
}

// Remove stops the server and removes the files of a cluster without a folder of
// its own.
func (c *Cluster) Remove() error { return errors.Join(c.Stop(), os.RemoveAll(c.Socket)) }
