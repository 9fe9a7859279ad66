package cli

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/docker"
)

// DockerDaemon returns options that name the daemon which the docker command would
// use with this environment: that of DOCKER_HOST, else that of the context that
// DOCKER_CONTEXT or docker's configuration names, else the default one. TLS is
// that of DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH, or that of the
// context.
func DockerDaemon(environ []string) (docker.Options, error) {
	return (&app{environ: environ}).dockerDaemon("")
}

// dockerDaemon is the daemon at host, or, where that is empty, the one that docker
// would use.
func (a *app) dockerDaemon(host string) (docker.Options, error) {
	dir := a.dockerConfig()
	if host == "" {
		host, _ = a.lookup("DOCKER_HOST")
	}
	if host == "" {
		name, err := a.dockerContext(dir)
		if err != nil {
			return docker.Options{}, err
		}
		if name != "" {
			return contextDaemon(dir, name)
		}
	}
	certs, given := a.lookup("DOCKER_CERT_PATH")
	if !given {
		certs = dir
	}
	_, verify := a.lookup("DOCKER_TLS_VERIFY") // with any value, as docker has it
	_, plain := a.lookup("DOCKER_TLS")
	o := docker.Options{Host: host}
	if (verify || plain) && overNetwork(host) {
		var err error
		if o.TLS, err = certificates(certs, verify); err != nil {
			return o, usage("the docker daemon at %s: DOCKER_CERT_PATH: %w", host, err)
		}
	}
	return o, nil
}

// overNetwork reports whether a host is one that TLS is for: no socket is.
func overNetwork(host string) bool {
	scheme, _, _ := strings.Cut(host, "://")
	return scheme == "tcp" || scheme == "http" || scheme == "https"
}

// dockerConfig is the folder of docker's configuration.
func (a *app) dockerConfig() string {
	if dir, given := a.lookup("DOCKER_CONFIG"); given {
		return dir
	}
	home, given := a.lookup("HOME")
	if !given {
		home = string(filepath.Separator)
		if who, err := user.Current(); err == nil {
			home = who.HomeDir
		}
	}
	return filepath.Join(home, ".docker")
}

// dockerContext is the name of the current context; empty for the default.
func (a *app) dockerContext(dir string) (string, error) {
	name, given := a.lookup("DOCKER_CONTEXT")
	if !given {
		var config struct {
			CurrentContext string `json:"currentContext"`
		}
		if err := readJSON(filepath.Join(dir, "config.json"), &config); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", usage("docker's configuration: %w; set DOCKER_HOST to go without it", err)
		}
		name = config.CurrentContext
	}
	if name == "default" {
		return "", nil
	}
	return name, nil
}

// contextDaemon is the daemon of a context, as docker keeps it.
func contextDaemon(dir, name string) (docker.Options, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err := readJSON(filepath.Join(dir, "contexts", "meta", id, "meta.json"), &meta); err != nil {
		return docker.Options{}, usage("docker's context %q: %w; see docker context ls, or set DOCKER_HOST or DOCKER_CONTEXT", name, err)
	}
	endpoint := meta.Endpoints["docker"]
	if endpoint.Host == "" {
		return docker.Options{}, usage("docker's context %q names no daemon; set DOCKER_HOST or DOCKER_CONTEXT", name)
	}
	o := docker.Options{Host: endpoint.Host}
	certs := filepath.Join(dir, "contexts", "tls", id, "docker")
	_, err := os.Stat(certs)
	if (err == nil || endpoint.SkipTLSVerify) && overNetwork(o.Host) {
		if o.TLS, err = certificates(certs, !endpoint.SkipTLSVerify); err != nil {
			return o, usage("docker's context %q: %w", name, err)
		}
	}
	return o, nil
}

// certificates reads the files of a folder as docker does: cert.pem and key.pem,
// which may both be missing, and ca.pem, which signed that of the daemon.
func certificates(dir string, verify bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: !verify}
	if verify {
		path := filepath.Join(dir, "ca.pem")
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", path)
		}
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	switch {
	case errors.Is(err, fs.ErrNotExist): // the daemon says whether it wants one
	case err != nil:
		return nil, fmt.Errorf("cert.pem and key.pem of %s: %w", dir, err)
	default:
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
