package server_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"
)

// claims are what a driver would sign for that user and key.
func claims(t testing.TB, key *rsa.PrivateKey, account, user string) map[string]any {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return map[string]any{
		"iss": account + "." + user + ".SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), "sub": account + "." + user,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	}
}

// with is a copy with another claim; nil takes it out.
func with(in map[string]any, name string, value any) map[string]any {
	out := maps.Clone(in)
	out[name] = value
	if value == nil {
		delete(out, name)
	}
	return out
}

// sign makes a JWT; without a key it has no signature.
func sign(t testing.TB, key *rsa.PrivateKey, algorithm string, c map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]any{"alg": algorithm, "typ": "JWT"}) + "." + part(c)
	if key == nil {
		return signed + "."
	}
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
