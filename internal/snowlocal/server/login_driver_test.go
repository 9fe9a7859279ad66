package server_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
	"github.com/benchfleet/benchfleet/internal/snowlocal/server"
)

func publicPart(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestLogins(t *testing.T) {
	key, second, stranger := newKey(t), newKey(t), newKey(t)
	s := start(t, server.Options{}, engine.User{
		Name: "KEYED", PublicKey: publicPart(t, key), SecondPublicKey: publicPart(t, second), DefaultRole: "SYSADMIN", Roles: []string{"SYSADMIN"},
	})
	missing := func(*sf.Config) {}
	for name, try := range map[string]struct {
		change func(*sf.Config)
		number int // 0: it succeeds
		user   string
	}{
		"password":              {missing, 0, "BENCH"},
		"user in small letters": {func(c *sf.Config) { c.User = "bench" }, 0, "BENCH"},
		"wrong password":        {func(c *sf.Config) { c.Password = "wrong" }, 390100, ""},
		"unknown user":          {func(c *sf.Config) { c.User = "NOBODY" }, 390100, ""},
		"disabled user":         {func(c *sf.Config) { c.User, c.Password = "GONE", "gone" }, 390101, ""},
		"user without password": {func(c *sf.Config) { c.User, c.Password = "KEYED", "x" }, 390100, ""},
		"wrong role":            {func(c *sf.Config) { c.Role = "NOROLE" }, 390189, ""},
		"role of another":       {func(c *sf.Config) { c.Role = "ACCOUNTADMIN" }, 390189, ""},
		"wrong database":        {func(c *sf.Config) { c.Database = "NODB" }, 390201, ""},
		"wrong schema":          {func(c *sf.Config) { c.Schema = "NOSCHEMA" }, 390201, ""},
		"wrong warehouse":       {func(c *sf.Config) { c.Warehouse = "NOWH" }, 390201, ""},
		"not validated": {func(c *sf.Config) {
			c.Database, c.ValidateDefaultParameters = "NODB", sf.ConfigBoolFalse
		}, 0, "BENCH"},
		"OAuth": {func(c *sf.Config) {
			c.Authenticator, c.Token, c.Password = sf.AuthTypeOAuth, "a-token", ""
		}, 0, "BENCH"},
		"OAuth without a user": {func(c *sf.Config) {
			c.Authenticator, c.Token, c.Password, c.User = sf.AuthTypeOAuth, "a-token", "", ""
		}, 0, "BENCH"},
		"OAuth of another": {func(c *sf.Config) {
			c.Authenticator, c.Token, c.User = sf.AuthTypeOAuth, "a-token", "OTHER"
		}, 390303, ""},
		"wrong OAuth": {func(c *sf.Config) { c.Authenticator, c.Token = sf.AuthTypeOAuth, "b-token" }, 390303, ""},
		"PAT":         {func(c *sf.Config) { c.Authenticator, c.Token, c.Password = sf.AuthTypePat, "a-token", "" }, 0, "BENCH"},
		"wrong PAT":   {func(c *sf.Config) { c.Authenticator, c.Token, c.Password = sf.AuthTypePat, "b-token", "" }, 394400, ""},
		"key pair": {func(c *sf.Config) {
			c.Authenticator, c.User, c.PrivateKey, c.Password = sf.AuthTypeJwt, "KEYED", key, ""
		}, 0, "KEYED"},
		"second key": {func(c *sf.Config) { c.Authenticator, c.User, c.PrivateKey = sf.AuthTypeJwt, "keyed", second }, 0, "KEYED"},
		"wrong key":  {func(c *sf.Config) { c.Authenticator, c.User, c.PrivateKey = sf.AuthTypeJwt, "KEYED", stranger }, 390144, ""},
		"key of another": {func(c *sf.Config) {
			c.Authenticator, c.User, c.PrivateKey = sf.AuthTypeJwt, "BENCH", key
		}, 390144, ""},
		"key and unknown user": {func(c *sf.Config) {
			c.Authenticator, c.User, c.PrivateKey = sf.AuthTypeJwt, "NOBODY", key
		}, 390144, ""},
		"expired JWT": {func(c *sf.Config) {
			c.Authenticator, c.User, c.PrivateKey = sf.AuthTypeJwt, "KEYED", key
			//lint:ignore SA1019 of this version of the driver there is no other way
			c.JWTExpireTimeout = -time.Hour
		}, 390144, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			db := s.open(t, try.change)
			var user string
			err := db.QueryRowContext(within(t), "SELECT CURRENT_USER()").Scan(&user)
			is.Equal(number(err), try.number)
			is.Equal(user, try.user)
		})
	}
}

func TestLoginToAnotherAccount(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	_, err := s.open(t, func(c *sf.Config) { c.Account = "elsewhere" }).ExecContext(within(t), "SELECT 1")
	is.Equal(number(err), sf.ErrCodeFailedToConnect)
	key := newKey(t)
	s = start(t, server.Options{}, engine.User{Name: "KEYED", PublicKey: publicPart(t, key)})
	_, err = s.open(t, func(c *sf.Config) {
		c.Account, c.Authenticator, c.User, c.PrivateKey = "elsewhere", sf.AuthTypeJwt, "KEYED", key
	}).ExecContext(within(t), "SELECT 1")
	is.Equal(number(err), sf.ErrCodeFailedToConnect)
}

func TestForgedJWTs(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	s := start(t, server.Options{}, engine.User{Name: "KEYED", PublicKey: publicPart(t, key), DefaultRole: "SYSADMIN", Roles: []string{"SYSADMIN"}})
	good := claims(t, key, "STANDIN", "KEYED")
	for name, forged := range map[string]string{
		"good":                  sign(t, key, "RS256", good),
		"signed by a stranger":  sign(t, stranger, "RS256", good),
		"no signature":          sign(t, nil, "none", good),
		"empty signature":       sign(t, nil, "RS256", good),
		"another issuer":        sign(t, key, "RS256", claims(t, stranger, "STANDIN", "KEYED")),
		"another account":       sign(t, key, "RS256", claims(t, key, "ELSEWHERE", "KEYED")),
		"another user":          sign(t, key, "RS256", claims(t, key, "STANDIN", "BENCH")),
		"subject is not issuer": sign(t, key, "RS256", with(good, "sub", "STANDIN.BENCH")),
		"expired":               sign(t, key, "RS256", with(good, "exp", time.Now().Add(-2*time.Minute).Unix())),
		"never expires":         sign(t, key, "RS256", with(good, "exp", nil)),
		"issued in the future":  sign(t, key, "RS256", with(good, "iat", time.Now().Add(time.Hour).Unix())),
		"not three parts":       "a.b",
		"no base64":             "?.?.?",
		"nothing":               "",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var r raw
			s.ask(t, "POST", "/session/v1/login-request", "", map[string]any{"data": map[string]any{
				"ACCOUNT_NAME": "standin", "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": forged,
			}}, &r)
			if name == "good" {
				is.True(r.Success)
				return
			}
			is.Equal(r.Code, "390144")
		})
	}
}

func TestLoginSaysWhatASessionHas(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	r := s.login(t, "BENCH", password, map[string]any{"TIMEZONE": "UTC", "QUERY_TAG": "007", "HYBRID_TABLE_LOCK_TIMEOUT": "7", "AUTOCOMMIT": true, "SURPRISE": 1})
	is.True(r.Success)
	got := map[string]any{}
	for _, p := range r.Data.Parameters {
		got[p.Name] = p.Value
	}
	is.Equal(got["TIMEZONE"], "UTC")
	is.Equal(got["QUERY_TAG"], "007")
	is.Equal(got["HYBRID_TABLE_LOCK_TIMEOUT"], 7.0)
	is.Equal(got["AUTOCOMMIT"], true)
	is.Equal(got["CLIENT_TELEMETRY_ENABLED"], true) // as Snowflake does; who wants none says so
	is.Equal(got["CLIENT_STAGE_ARRAY_BINDING_THRESHOLD"], 0.0)
	r = s.login(t, "BENCH", password, map[string]any{"CLIENT_TELEMETRY_ENABLED": "false"})
	for _, p := range r.Data.Parameters {
		is.True(p.Name != "CLIENT_TELEMETRY_ENABLED" || p.Value == false)
	}
	r = s.login(t, "BENCH", password, map[string]any{"TIMEZONE": "Nowhere/Land"})
	is.True(!r.Success)
}

func TestLoginInAContainer(t *testing.T) {
	is := is.New(t)
	s := start(t, server.Options{})
	for _, more := range []map[string]any{
		{"LOGIN_NAME": "BENCH", "PASSWORD": password, "SPCS_TOKEN": "of the service"},
		{"AUTHENTICATOR": "OAUTH", "TOKEN": "a-token", "SPCS_TOKEN": "of the service"},
	} {
		var r raw
		more["ACCOUNT_NAME"] = "STANDIN"
		s.ask(t, "POST", "/session/v1/login-request", "", map[string]any{"data": more}, &r)
		is.True(r.Success)
	}
	for name, more := range map[string]map[string]any{
		"no password": {"LOGIN_NAME": "BENCH"}, "no user": {"PASSWORD": password}, "no token": {"AUTHENTICATOR": "OAUTH", "LOGIN_NAME": "BENCH"},
		"a browser": {"AUTHENTICATOR": "EXTERNALBROWSER", "LOGIN_NAME": "BENCH"}, "nothing": {},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var r raw
			more["ACCOUNT_NAME"] = "STANDIN"
			s.ask(t, "POST", "/session/v1/login-request", "", map[string]any{"data": more}, &r)
			is.True(!r.Success)
			is.True(len(r.Code) == 6)
			is.Equal(r.Data.Token, "")
		})
	}
}
