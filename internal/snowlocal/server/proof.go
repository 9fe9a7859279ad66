package server

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// clockLeeway is how far the clocks of a client and of the server may be apart.
const clockLeeway = 60 * time.Second

// prove finds the user that a login is of, or says why not.
func (s *Server) prove(ctx context.Context, l *loginData) (engine.User, *refusal) {
	bad := refuse(codeBadLogin, "08001", textBadLogin)
	var user engine.User
	var no *refusal
	switch strings.ToUpper(l.Authenticator) {
	case "", "SNOWFLAKE":
		if user, no = s.user(ctx, l.LoginName, bad); no == nil && !same(user.Password, l.Password) && !holds(user.Tokens, l.Password) {
			no = bad // a programmatic access token does as a password too
		}
	case "OAUTH":
		user, no = s.byToken(ctx, l, refuse(codeBadOAuth, "08001", textBadOAuth+"["+newID()+"]"))
	case "PROGRAMMATIC_ACCESS_TOKEN":
		user, no = s.byToken(ctx, l, refuse(codeBadPAT, "08001", textBadPAT))
	case "SNOWFLAKE_JWT":
		user, no = s.byKey(ctx, l.Token)
	default:
		no = refuse(codeUnsupported, "0A000", fmt.Sprintf("Unsupported feature 'authenticator %s'.", l.Authenticator))
	}
	switch {
	case no != nil:
		return user, no
	case user.Disabled:
		return user, refuse(codeUserDisabled, "08001", textUserDisabled)
	}
	return user, nil
}

// user looks a user up.
func (s *Server) user(ctx context.Context, name string, missing *refusal) (engine.User, *refusal) {
	if name == "" {
		return engine.User{}, missing
	}
	user, ok, err := s.engine.User(ctx, name)
	if err != nil {
		return user, refuse(codeInternal, "XX000", "looking up the user: "+err.Error())
	}
	if !ok {
		return user, missing
	}
	return user, nil
}

// byToken finds the user that a token is of. A login with a token need not name
// one; who names another is refused.
func (s *Server) byToken(ctx context.Context, l *loginData, bad *refusal) (engine.User, *refusal) {
	if l.Token == "" {
		return engine.User{}, bad
	}
	user, ok, err := s.engine.UserByToken(ctx, l.Token)
	switch {
	case err != nil:
		return user, refuse(codeInternal, "XX000", "looking up the token: "+err.Error())
	case !ok || l.LoginName != "" && !strings.EqualFold(l.LoginName, user.Name):
		return user, bad
	}
	return user, nil
}

func holds(tokens []string, token string) bool {
	return slices.ContainsFunc(tokens, func(t string) bool { return same(t, token) })
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// sameAccount compares account names: ORG-NAME and NAME.REGION are NAME too.
func sameAccount(have, given string) bool {
	given, _, _ = strings.Cut(given, ".")
	if strings.EqualFold(have, given) {
		return true
	}
	_, name, ok := strings.Cut(given, "-")
	return ok && strings.EqualFold(have, name)
}

// byKey finds the user who has signed a JWT.
func (s *Server) byKey(ctx context.Context, text string) (engine.User, *refusal) {
	bad := refuse(codeBadJWT, "08001", textBadJWT+"["+newID()+"]")
	token, err := readJWT(text)
	if err != nil {
		return engine.User{}, bad
	}
	account, rest, ok := strings.Cut(token.claims.Subject, ".")
	if !ok || !sameAccount(s.engine.AccountName(), account) {
		return engine.User{}, bad
	}
	user, no := s.user(ctx, rest, bad)
	if no != nil {
		return user, no
	}
	for _, body := range []string{user.PublicKey, user.SecondPublicKey} {
		if body == "" {
			continue
		}
		if token.verify(body, account, s.options.Now()) == nil {
			return user, nil
		}
	}
	return user, bad
}

// jwt is a token that is signed with a key pair.
type jwt struct {
	claims struct {
		Issuer    string  `json:"iss"`
		Subject   string  `json:"sub"`
		IssuedAt  float64 `json:"iat"`
		NotBefore float64 `json:"nbf"`
		Expires   float64 `json:"exp"`
	}
	signed    string
	signature []byte
}

// readJWT reads a token, and believes nothing of it.
func readJWT(text string) (*jwt, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("a JWT has three parts")
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if err := readPart(parts[0], &header); err != nil {
		return nil, err
	}
	if header.Algorithm != "RS256" {
		return nil, fmt.Errorf("the JWT's algorithm is %q; allowed: RS256", header.Algorithm)
	}
	t := &jwt{signed: parts[0] + "." + parts[1]}
	if err := readPart(parts[1], &t.claims); err != nil {
		return nil, err
	}
	var err error
	t.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	return t, err
}

func readPart(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// maxJWT is the longest time for which Snowflake takes one.
const maxJWT = time.Hour

// verify checks signature, issuer and times against a public key.
func (t *jwt) verify(body, account string, now time.Time) error {
	public, der, err := publicKey(body)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(t.signed))
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], t.signature); err != nil {
		return err
	}
	_, user, _ := strings.Cut(t.claims.Subject, ".")
	print := sha256.Sum256(der)
	issuer := account + "." + user + ".SHA256:" + base64.StdEncoding.EncodeToString(print[:])
	at := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	switch {
	case t.claims.Issuer != issuer:
		return errors.New("the issuer is not account, user and fingerprint of the key")
	case t.claims.Expires == 0 || !now.Before(at(t.claims.Expires).Add(clockLeeway)):
		return errors.New("the JWT has expired")
	case t.claims.IssuedAt == 0 || now.Add(clockLeeway).Before(at(t.claims.IssuedAt)) || now.Add(clockLeeway).Before(at(t.claims.NotBefore)):
		return errors.New("the JWT is not valid yet")
	case at(t.claims.Expires).Sub(at(t.claims.IssuedAt)) > maxJWT:
		return fmt.Errorf("the JWT is valid for longer than %s", maxJWT)
	}
	return nil
}

// publicKey reads the body of a PEM, with or without its first and last line.
func publicKey(body string) (*rsa.PublicKey, []byte, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if block, _ := pem.Decode([]byte(body)); block != nil {
		der, err = block.Bytes, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the public key: %w", err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, nil, err
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, nil, errors.New("the public key is not RSA")
	}
	return public, der, nil
}
