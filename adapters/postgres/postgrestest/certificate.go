package postgrestest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/benchfleet/benchfleet/internal/pgcluster"
)

// certify makes an authority and a certificate signed by it, and sets them.
func (s *Server) certify() error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed := func(template *x509.Certificate, public *ecdsa.PublicKey) ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, template, authority, public, authorityKey)
	}
	authorityDER, err := signed(authority, &authorityKey.PublicKey)
	if err != nil {
		return err
	}
	certificateDER, err := signed(certificate, &key.PublicKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	s.CA = s.Path("authority.pem")
	config := map[string]string{"ssl": "on", "ssl_cert_file": s.Path("server.pem"), "ssl_key_file": s.Path("server.key")}
	for _, file := range []struct {
		name, kind string
		der        []byte
	}{{s.CA, "CERTIFICATE", authorityDER}, {config["ssl_cert_file"], "CERTIFICATE", certificateDER}, {config["ssl_key_file"], "EC PRIVATE KEY", keyDER}} {
		if err := os.WriteFile(file.name, pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der}), 0o600); err != nil {
			return err
		}
		if err := pgcluster.GiveAway(file.name); err != nil {
			return err
		}
	}
	return s.Configure(config)
}
