package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// What a stand-in has unless a configuration says otherwise.
const (
	defaultUser      = "BENCH"
	defaultRole      = "SYSADMIN"
	defaultDatabase  = "UNISTORE_BENCHMARK"
	benchWarehouse   = "BENCH_WH"
	controlWarehouse = "CONTROL_WH"
	liveWarehouse    = "INTERACTIVE_WH"
)

// config is a configuration file, in JSON or YAML: what the account has besides
// the default user, warehouses and database, and what the server does
// differently.
type config struct {
	engine.Account
	// Times in seconds; 0: as Snowflake does.
	SessionTokenSeconds float64
	MasterTokenSeconds  float64
	SyncSeconds         float64 // how long a request waits before it is told to ask again
	GraceSeconds        float64 // of a container, from SIGTERM to SIGKILL
	TokenSeconds        float64 // how long a service's token is valid
	RotateSeconds       float64 // how often it is replaced
}

// readConfig reads a configuration file; none is an empty one.
func readConfig(file string) (c config, err error) {
	if file == "" {
		return c, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if start := bytes.TrimSpace(text); len(start) == 0 || start[0] != '{' {
		if text, err = yaml.YAMLToJSON(text); err != nil {
			return c, fmt.Errorf("--config %s: %w", file, err)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("--config %s: %w", file, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("--config %s: there is more after its end", file)
	}
	if slices.Min([]float64{c.SessionTokenSeconds, c.MasterTokenSeconds, c.SyncSeconds, c.GraceSeconds, c.TokenSeconds, c.RotateSeconds}) < 0 {
		return c, fmt.Errorf("--config %s: times cannot be negative", file)
	}
	return c, nil
}

// secrets are what the default user logs in with. They stay with the data.
type secrets struct {
	Password   string
	Token      string // programmatic access token, and OAuth token
	PrivateKey string // PEM, PKCS #8
	PublicKey  string // the body of its PEM
}

// loadSecrets reads the secrets of a folder, or makes them.
func loadSecrets(folder string) (s secrets, err error) {
	file := filepath.Join(folder, "secrets.json")
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &s); err != nil {
			return s, fmt.Errorf("%s: %w", file, err)
		}
	case errors.Is(err, fs.ErrNotExist):
		if s, err = newSecrets(); err != nil {
			return s, err
		}
		if text, err = json.Marshal(s); err != nil {
			return s, err
		}
		if err := os.WriteFile(file+".new", text, 0o600); err != nil {
			return s, err
		}
		if err := os.Rename(file+".new", file); err != nil {
			return s, err
		}
	default:
		return s, err
	}
	return s, errors.Join(
		os.WriteFile(filepath.Join(folder, keyFile), []byte(s.PrivateKey), 0o600), os.WriteFile(filepath.Join(folder, tokenFile), []byte(s.Token), 0o600))
}

func newSecrets() (secrets, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return secrets{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return secrets{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return secrets{}, err
	}
	return secrets{
		Password: rand.Text(), Token: rand.Text() + rand.Text(),
		PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		PublicKey:  base64.StdEncoding.EncodeToString(public),
	}, nil
}

// The files that the default user's secrets are in.
const (
	keyFile   = "bench.p8"
	tokenFile = "bench.token"
)

// account is the default account with what a configuration adds. What has the
// name of something that is there already replaces it.
func account(c config, s secrets) engine.Account {
	a := c.Account
	if a.Name == "" {
		a.Name = "STANDIN"
	}
	roles := []string{"ACCOUNTADMIN", defaultRole, "SECURITYADMIN", "USERADMIN"}
	a.Users = merge(a.Users, func(u engine.User) string { return u.Name }, engine.User{
		Name: defaultUser, Password: s.Password, PublicKey: s.PublicKey, Tokens: []string{s.Token}, Roles: roles,
		DefaultRole: defaultRole, DefaultWarehouse: benchWarehouse,
	})
	a.Warehouses = merge(a.Warehouses, func(w engine.Warehouse) string { return w.Name },
		engine.Warehouse{Name: benchWarehouse, Type: engine.Standard, State: engine.Started, Size: "X-Small"},
		engine.Warehouse{Name: controlWarehouse, Type: engine.Standard, State: engine.Started, Size: "X-Small"},
		engine.Warehouse{Name: liveWarehouse, Type: engine.Interactive, State: engine.Started, Size: "X-Small"},
	)
	if !slices.Contains(a.Databases, defaultDatabase) {
		a.Databases = append(a.Databases, defaultDatabase)
	}
	return a
}

// merge puts the defaults before those given, save those whose name is given.
func merge[T any](given []T, name func(T) string, defaults ...T) []T {
	defaults = slices.DeleteFunc(defaults, func(d T) bool {
		return slices.ContainsFunc(given, func(g T) bool { return strings.EqualFold(name(g), name(d)) })
	})
	return append(defaults, given...)
}
