package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/adapters/docker"
)

// certified makes a folder as docker wants it: an authority, and a certificate
// that it signed, which serves for both ends.
func certified(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	is := is.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	is.NoErr(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	is.NoErr(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	is.NoErr(err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	is.NoErr(os.MkdirAll(dir, 0o700))
	for name, text := range map[string][]byte{"ca.pem": certificate, "cert.pem": certificate, "key.pem": secret} {
		is.NoErr(os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	pair, err := tls.X509KeyPair(certificate, secret)
	is.NoErr(err)
	return pair
}

// inContext makes a context as docker keeps it, and returns the folder of its
// certificates.
func inContext(t *testing.T, dir, id, name, endpoint string) string {
	t.Helper()
	meta := filepath.Join(dir, "contexts", "meta", id)
	is := is.New(t)
	is.NoErr(os.MkdirAll(meta, 0o700))
	text := fmt.Sprintf(`{"Name":%q,"Metadata":{},"Endpoints":{"docker":%s}}`, name, endpoint)
	is.NoErr(os.WriteFile(filepath.Join(meta, "meta.json"), []byte(text), 0o600))
	return filepath.Join(dir, "contexts", "tls", id, "docker")
}

// The ids are those that docker context create made for these names.
const (
	farID  = "512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868"
	deskID = "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e"
)

// The daemon is found where docker finds it, and with the TLS that docker uses.
func TestDockerDaemon(t *testing.T) {
	home := t.TempDir()
	dir, certs, empty := filepath.Join(home, ".docker"), t.TempDir(), t.TempDir()
	certified(t, certs)
	inContext(t, dir, deskID, "desktop-linux", `{"Host":"unix:///desk.sock","SkipTLSVerify":false}`)
	configured := t.TempDir()
	is.New(t).NoErr(os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"currentContext":"desktop-linux"}`), 0o600))
	is.New(t).NoErr(os.WriteFile(filepath.Join(configured, "config.json"), []byte(`{"auths":`), 0o600))
	for _, tc := range []struct {
		name, environ, option string
		host                  string
		tls, verify, own      bool
		refused               string
	}{
		{name: "nothing is set", environ: "DOCKER_CONFIG=" + empty},
		{name: "DOCKER_HOST", environ: "HOME=" + home + " DOCKER_HOST=tcp://h:2375", host: "tcp://h:2375"},
		{name: "the option first", environ: "HOME=" + home + " DOCKER_HOST=tcp://h:2375 DOCKER_CONTEXT=none", option: "unix:///o.sock", host: "unix:///o.sock"},
		{name: "TLS", environ: "DOCKER_HOST=tcp://h:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=" + certs, host: "tcp://h:2376", tls: true, verify: true, own: true},
		{name: "TLS for the option", environ: "DOCKER_TLS_VERIFY=0 DOCKER_CERT_PATH=" + certs, option: "tcp://h:2376", host: "tcp://h:2376", tls: true, verify: true, own: true},
		{name: "TLS without verification", environ: "DOCKER_HOST=tcp://h:2376 DOCKER_TLS=1 DOCKER_CERT_PATH=" + empty, host: "tcp://h:2376", tls: true},
		{name: "certificates alone are no TLS", environ: "DOCKER_HOST=tcp://h:2376 DOCKER_CERT_PATH=" + certs, host: "tcp://h:2376"},
		{name: "certificates of the configuration", environ: "DOCKER_HOST=tcp://h:2376 DOCKER_TLS_VERIFY=1 DOCKER_CONFIG=" + certs, host: "tcp://h:2376", tls: true, verify: true, own: true},
		{name: "no TLS for a socket", environ: "DOCKER_HOST=unix:///s DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=" + empty, host: "unix:///s"},
		{name: "no authority", environ: "DOCKER_HOST=tcp://h:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=" + empty, refused: "DOCKER_CERT_PATH: open " + empty + "/ca.pem"},
		{name: "the current context", environ: "HOME=" + home, host: "unix:///desk.sock"},
		{name: "the default context", environ: "HOME=" + home + " DOCKER_CONTEXT=default"},
		{name: "no such context", environ: "HOME=" + home + " DOCKER_CONTEXT=gone", refused: `context "gone"`},
		{name: "a broken configuration", environ: "DOCKER_CONFIG=" + configured, refused: "set DOCKER_HOST"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			o, err := (&app{environ: strings.Fields(tc.environ)}).dockerDaemon(tc.option)
			if tc.refused != "" {
				is.Equal(exitCode(err), ExitUsage)
				is.True(strings.Contains(err.Error(), tc.refused)) // err
				return
			}
			is.NoErr(err)
			is.Equal(o.Host, tc.host)
			is.Equal(o.TLS != nil, tc.tls)
			if tc.tls {
				is.Equal(o.TLS.RootCAs != nil, tc.verify)
				is.Equal(o.TLS.InsecureSkipVerify, !tc.verify)
				is.Equal(len(o.TLS.Certificates) > 0, tc.own)
			}
		})
	}
}

// A daemon that wants a certificate is reached with those of the environment, and
// with those of a context.
func TestDaemonBehindTLS(t *testing.T) {
	certs := t.TempDir()
	pair := certified(t, certs)
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	engine := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		fmt.Fprint(w, `{"ID":"x","Name":"far","OSType":"windows","ServerVersion":"28","SystemTime":"2026-01-02T03:04:05Z"}`)
	}))
	engine.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	engine.StartTLS()
	defer engine.Close()
	host := "tcp://" + engine.Listener.Addr().String()
	dir := t.TempDir()
	tlsDir := inContext(t, dir, farID, "far", fmt.Sprintf(`{"Host":%q,"SkipTLSVerify":false}`, host))
	is.New(t).NoErr(os.MkdirAll(filepath.Dir(tlsDir), 0o700))
	is.New(t).NoErr(os.Symlink(certs, tlsDir))
	for name, environ := range map[string][]string{
		"the environment": {"DOCKER_HOST=" + host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + certs},
		"a context":       {"DOCKER_CONFIG=" + dir, "DOCKER_CONTEXT=far"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			o, err := DockerDaemon(environ)
			is.NoErr(err)
			launcher, err := docker.New(o)
			is.NoErr(err)
			defer launcher.Close()
			found, err := launcher.Check(t.Context(), 1)
			is.NoErr(err)
			is.Equal(len(found), 1)
			is.True(strings.Contains(found[0].Message, "windows containers")) // it has answered
		})
	}
}
