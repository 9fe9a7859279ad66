package snowflake

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	sf "github.com/snowflakedb/gosnowflake/v2"
	"github.com/youmark/pkcs8"

	"github.com/benchfleet/benchfleet/core"
)

const hushed = "s3cret/of:tests"

func TestParseAddress(t *testing.T) {
	for _, tc := range []struct {
		address string
		environ []string
		want    string // of the fields below
	}{
		{"bench:s3cret%2Fof%3Atests@acme/SHOP/PUBLIC?warehouse=W&role=R", nil, "acme acme.snowflakecomputing.com:443 https bench R W W SHOP.PUBLIC password"},
		{"snowflake:bench:x@org-acme", nil, "org-acme org-acme.snowflakecomputing.com:443 https bench    . password"},
		{"bench:x@acme.eu-central-1/SHOP", nil, "acme acme.eu-central-1.snowflakecomputing.com:443 https bench    SHOP. password"},
		{"bench:x@acme.cn-north-1/SHOP", nil, "acme acme.cn-north-1.snowflakecomputing.cn:443 https bench    SHOP. password"},
		{"bench:x@acme?region=us-east-2&database=D&schema=S&observer_warehouse=O&warehouse=W", nil, "acme acme.us-east-2.snowflakecomputing.com:443 https bench  W O D.S password"},
		{"bench:x@127.0.0.1:8080/D?account=standin&protocol=http", nil, "standin 127.0.0.1:8080 http bench    D. password"},
		{"bench:x@acme.privatelink.snowflakecomputing.com/D", nil, "acme acme.privatelink.snowflakecomputing.com:443 https bench    D. password"},
		{"bench:p@ss/word@acme/D", nil, "acme acme.snowflakecomputing.com:443 https bench    D. password"},
		{"/D/S?authenticator=OAUTH&token=t", []string{"SNOWFLAKE_HOST=inner.example", "SNOWFLAKE_ACCOUNT=LOC1"}, "LOC1 inner.example:443 https     D.S OAuth token"},
		{"/D/S?authenticator=oauth&token=t&protocol=http", []string{"SNOWFLAKE_HOST=h", "SNOWFLAKE_ACCOUNT=A", "SNOWFLAKE_PORT=81"}, "A h:81 http     D.S OAuth token"},
		{"bench@acme?authenticator=programmatic_access_token&token=t", nil, "acme acme.snowflakecomputing.com:443 https bench    . programmatic access token"},
	} {
		t.Run(tc.address, func(t *testing.T) {
			is := is.New(t)
			c, err := ParseAddress(tc.address, tc.environ)
			is.NoErr(err)
			is.Equal(fmt.Sprintf("%s %s %s %s %s %s %s %s.%s %s", c.Account, c.address(), c.Protocol, c.User, c.Role, c.Warehouse, c.ObserverWarehouse, c.Database, c.Schema, c.auth.kind), tc.want)
		})
	}
}

func TestStoreNames(t *testing.T) {
	for query, want := range map[string]string{
		"u:p@a":     "UNISTORE_BENCHMARK CONFIG TEST_RESULTS",
		"u:p@a/D":   "D CONFIG TEST_RESULTS",
		"u:p@a/D/S": "D CONFIG TEST_RESULTS",
		"u:p@a/D?store_database=X&store_config_schema=C&storeResultsSchema=R": "X C R",
	} {
		t.Run(query, func(t *testing.T) {
			is := is.New(t)
			c, err := ParseAddress(query, nil)
			is.NoErr(err)
			is.Equal(c.StoreDatabase+" "+c.ConfigSchema+" "+c.ResultsSchema, want)
			is.Equal(len(c.parameters), 0)
		})
	}
}

// Each bad address says which field is bad, and shows no secret.
func TestBadAddresses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty, noise := write("empty", "\n"), write("noise", "no key "+hushed)
	for address, says := range map[string]string{
		"":                             "password is missing",
		"u@a":                          "password is missing",
		":" + hushed + "@a":            "user is missing",
		"u:" + hushed + "@":            "account is missing",
		"https://u:" + hushed + "@a":   "scheme",
		"u:" + hushed + "%zz@a":        "password is malformed",
		"u:p@a/b/c/d":                  "4 parts",
		"u:p@a?warehous=W":             `"warehous" is not known; allowed: account`,
		"u:p@a?warehouse":              "malformed",
		"u:p@a?role=A&role=B":          "role is given twice",
		"u:p@a?query_tag=x":            "QUERY_TAG is set by benchfleet",
		"u:p@a?use_cached_result=true": "USE_CACHED_RESULT is set by benchfleet",
		"u:p@a?timezone=x":             "TIMEZONE is set by benchfleet",
		"u:p@a?maxRetryCount=3":        "maxRetryCount is not supported: each pool has its own",
		"u:p@a?connectionDiagnosticsEnabled=true":                   "it ends the process",
		"u:p@a?protocol=ftp":                                        `protocol is "ftp"`,
		"u:p@h:99999?account=a":                                     `port is "99999"`,
		"u:p@a b":                                                   "a character that no name has",
		"u:p@a?login_timeout=0":                                     "login_timeout",
		"u:p@a?authenticator=externalbrowser":                       "authenticator is",
		"u:" + hushed + "@a?token=" + hushed:                        "say authenticator=OAUTH",
		"u@a?authenticator=OAUTH":                                   "token_file is missing",
		"u@a?authenticator=OAUTH&token=" + hushed + "&token_file=x": "token and token_file",
		"u:" + hushed + "@a?authenticator=OAUTH&token=x":            "a password is given besides",
		"u:" + hushed + "@a?authenticator=SNOWFLAKE_JWT":            "private_key_file is missing",
		"u@a?authenticator=SNOWFLAKE_JWT&private_key=" + "c2VjcmV0": "private_key is not a PKCS #8 key",
		"u@a?private_key=%21" + hushed:                              "private_key is not base64",
		"u@a?private_key_file=" + noise:                             "is not PEM",
		"u@a?private_key_file=" + dir + "/none":                     "private_key_file",
		"u@a?authenticator=OAUTH&token_file=" + dir + "/none":       "token_file",
		"u@a?authenticator=OAUTH&token_file=" + empty:               "is empty",
		"u:p@a?password_file=" + empty:                              "password and password_file",
		"connection:none":                                           "neither SNOWFLAKE_HOME nor HOME",
		// A question mark in a password, as it is: what follows is no parameter.
		"u:p?" + hushed + "@a/b":                 "write ? as %3F",
		"u:p?" + hushed:                          "parameter 1 of the address is malformed",
		"u:p?x=1&" + hushed + "=2@a/b":           "write ? as %3F",
		"u:p@q?" + hushed + "=x@a/b?warehouse=W": "write ? as %3F",
		"u:p@a?warehouse=W&" + hushed:            "parameter 2 of the address is malformed",
		"u:p@a?observer_warehouse=O":             "warehouse is missing besides observer_warehouse",
	} {
		t.Run(address, func(t *testing.T) {
			is := is.New(t)
			_, err := ParseAddress(address, nil)
			is.True(err != nil)
			is.Equal(core.CodeOf(err), core.Invalid)
			is.True(strings.Contains(err.Error(), says)) // names the field
			is.True(!strings.Contains(err.Error(), hushed))
		})
	}
}

// keys writes one key as PKCS #8, encrypted PKCS #8 and PKCS #1.
func keys(t *testing.T) (key *rsa.PrivateKey, plain, encrypted, old, der64 string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	secretDER, err := pkcs8.MarshalPrivateKey(key, []byte(hushed), nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return key, write("plain.p8", "PRIVATE KEY", der), write("encrypted.p8", "ENCRYPTED PRIVATE KEY", secretDER),
		write("old.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), base64.URLEncoding.EncodeToString(der)
}

func TestKeyPairs(t *testing.T) {
	is := is.New(t)
	key, plain, encrypted, old, text := keys(t)
	pass := filepath.Join(t.TempDir(), "pass")
	is.NoErr(os.WriteFile(pass, []byte(hushed+"\n"), 0o600))
	for _, query := range []string{
		"private_key_file=" + plain, "privateKeyPath=" + plain, "private_key_file=" + old, "privateKey=" + text,
		"private_key_file=" + encrypted + "&private_key_passphrase_file=" + pass,
		"authenticator=SNOWFLAKE_JWT&private_key_file=" + encrypted + "&private_key_file_pwd=s3cret%2Fof%3Atests",
	} {
		c, err := ParseAddress("u@a?"+query, nil)
		is.NoErr(err)
		var driver sf.Config
		is.NoErr(c.auth.apply(&driver))
		is.Equal(driver.Authenticator, sf.AuthTypeJwt)
		is.True(driver.PrivateKey.Equal(key))
	}
	for query, code := range map[string]core.Code{
		"private_key_file=" + encrypted:                                                                   core.Invalid,
		"private_key_file=" + encrypted + "&private_key_passphrase=wrong":                                 core.Denied,
		"private_key_file=" + plain + "&private_key_passphrase=x":                                         core.Invalid,
		"private_key_file=" + encrypted + "&private_key_passphrase=x&private_key_passphrase_file=" + pass: core.Invalid,
	} {
		_, err := ParseAddress("u@a?"+query, nil)
		is.Equal(core.CodeOf(err), code)
	}
}

// A token file is read for each connection, without the line break behind it.
func TestTokenFileIsReadAgain(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "token")
	is.NoErr(os.WriteFile(file, []byte("first\n"), 0o600))
	c, err := ParseAddress("@a?authenticator=OAUTH&token_file="+file, nil)
	is.NoErr(err)
	for _, token := range []string{"first", "second"} {
		is.NoErr(os.WriteFile(file, []byte(token+"\n"), 0o600))
		var driver sf.Config
		is.NoErr(c.auth.apply(&driver))
		is.Equal(driver.Authenticator, sf.AuthTypeOAuth)
		is.Equal(driver.Token, token)
		is.Equal(driver.TokenFilePath, "")
	}
	is.NoErr(os.Remove(file))
	is.Equal(core.CodeOf(c.auth.apply(&sf.Config{})), core.Invalid)
}

// However an address is printed, its secrets are not.
func TestConfigsPrintNoSecret(t *testing.T) {
	is := is.New(t)
	_, plain, _, _, _ := keys(t)
	for _, address := range []string{"u:" + hushed + "@a", "u@a?authenticator=OAUTH&token=" + hushed, "u@a?private_key_file=" + plain} {
		c, err := ParseAddress(address, nil)
		is.NoErr(err)
		asJSON, err := json.Marshal(c)
		is.NoErr(err)
		for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%v %+v %#v", &c, &c, &c), fmt.Sprintf("%+v %#v", c.auth, c.auth), string(asJSON)} {
			is.True(!strings.Contains(text, hushed))
			is.True(!strings.Contains(text, "Primes"))
		}
	}
}

func TestConnections(t *testing.T) {
	home := t.TempDir()
	const text = `
[default]
account = "acme"
user = "bench"
password = "s3cret/of:tests"
[typed]
host = "127.0.0.1"
port = 8080
protocol = "http"
account = "standin"
username = "bench"
password = "x"
login_timeout = 7
client_session_keep_alive = true
abort_detached_query = "TRUE"
[odd]
account = "acme"
user = "bench"
password = "s3cret/of:tests"
workload = "x"
[nested]
account = { a = 1 }
`
	if err := os.WriteFile(filepath.Join(home, connectionsFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	user := t.TempDir()
	if err := os.MkdirAll(filepath.Join(user, ".config", "snowflake"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(user, ".config", "snowflake", connectionsFile), []byte("[default]\naccount='other'\nuser='u'\npassword='p'"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := []string{"SNOWFLAKE_HOME=" + home}
	t.Run("default", func(t *testing.T) {
		is := is.New(t)
		c, err := ParseAddress("connection:", at)
		is.NoErr(err)
		is.Equal(c.Account+" "+c.User+" "+c.auth.password.reveal(), "acme bench "+hushed)
		c, err = ParseAddress("snowflake:connection:default", []string{"HOME=" + user})
		is.NoErr(err)
		is.Equal(c.Account, "other")
	})
	t.Run("by name", func(t *testing.T) {
		is := is.New(t)
		for _, environ := range [][]string{at, append(at, "SNOWFLAKE_DEFAULT_CONNECTION_NAME=typed")} {
			name := "typed"
			if len(environ) == 2 {
				name = ""
			}
			c, err := ParseAddress("connection:"+name, environ)
			is.NoErr(err)
			is.Equal(c.address(), "127.0.0.1:8080")
			is.Equal(c.LoginTimeout, 7*time.Second)
			is.Equal(c.parameters, map[string]string{"CLIENT_SESSION_KEEP_ALIVE": "true", "ABORT_DETACHED_QUERY": "TRUE"})
		}
	})
	for name, says := range map[string]string{
		"odd": `"workload" is not known`, "none": `has no connection "none"; it has default, nested, odd, typed`, "nested": "account is neither",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := ParseAddress("connection:"+name, at)
			is.Equal(core.CodeOf(err), core.Invalid)
			is.True(strings.Contains(err.Error(), says))
			is.True(!strings.Contains(err.Error(), hushed))
		})
	}
	t.Run("not TOML", func(t *testing.T) {
		is := is.New(t)
		broken := t.TempDir()
		is.NoErr(os.WriteFile(filepath.Join(broken, connectionsFile), []byte("[a]\nuser = 'u'\npassword = s3cret/of:tests"), 0o600))
		_, err := ParseAddress("connection:a", []string{"SNOWFLAKE_HOME=" + broken})
		is.Equal(core.CodeOf(err), core.Invalid)
		is.True(strings.Contains(err.Error(), "line 3: not TOML"))
		is.True(!strings.Contains(err.Error(), hushed))
		_, err = ParseAddress("connection:a", []string{"SNOWFLAKE_HOME=" + t.TempDir()})
		is.True(strings.Contains(err.Error(), "there is no connections.toml in"))
	})
}

// What a pool asks of its sessions, and that an address can change.
func TestParameters(t *testing.T) {
	is := is.New(t)
	c, err := ParseAddress("u:p@a?go_query_result_format=ARROW&HYBRID_TABLE_LOCK_TIMEOUT=3&statement_timeout_in_seconds=9", nil)
	is.NoErr(err)
	load, control := parametersOf(measuredPool, c.parameters), parametersOf(controlPool, c.parameters)
	is.Equal(load["USE_CACHED_RESULT"], "false")
	is.Equal(load["GO_QUERY_RESULT_FORMAT"], "ARROW")
	is.Equal(control["GO_QUERY_RESULT_FORMAT"], "JSON")
	is.Equal(load["TIMEZONE"], "UTC")
	is.Equal(load["CLIENT_TELEMETRY_ENABLED"], "false")
	is.Equal(load["READ_LATEST_WRITES"], "")
	is.Equal(control["USE_CACHED_RESULT"], "false")
	is.Equal(control["READ_LATEST_WRITES"], "true")
	is.Equal(control["HYBRID_TABLE_LOCK_TIMEOUT"], "3")
	is.Equal(newConnector(&c, measuredPool, "t").base.MaxRetryCount, 1)
	is.Equal(newConnector(&c, controlPool, "t").base.MaxRetryCount, 7)
	is.Equal(*newConnector(&c, measuredPool, "the tag").base.Params["QUERY_TAG"], "the tag")
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"u:p@a/d/s?warehouse=w", "connection:x", "u:p@h:1?account=a&protocol=http", "@?&=%", "/d?authenticator=oauth&token=t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		c, err := ParseAddress(address, nil)
		if err == nil && (c.Account == "" || c.Host == "" || c.Port == 0) {
			t.Errorf("%q leads nowhere: %v", address, c)
		}
		if err != nil && core.CodeOf(err) != core.Invalid && core.CodeOf(err) != core.Denied {
			t.Errorf("%q: %v", address, err)
		}
	})
}

// What others may write could lead a password to a server of theirs.
func TestConnectionsThatOthersMayWrite(t *testing.T) {
	is := is.New(t)
	home := t.TempDir()
	path := filepath.Join(home, connectionsFile)
	is.NoErr(os.WriteFile(path, []byte("[b]\naccount = \"a\"\nuser = \"u\"\npassword = \""+hushed+"\"\n"), 0o600))
	environ := []string{"SNOWFLAKE_HOME=" + home}
	_, err := ParseAddress("connection:b", environ)
	is.NoErr(err)
	for _, mode := range []os.FileMode{0o620, 0o602} {
		is.NoErr(os.Chmod(path, mode))
		_, err = ParseAddress("connection:b", environ)
		is.Equal(core.CodeOf(err), core.Denied)
		is.True(strings.Contains(err.Error(), "run: chmod 600 "+path))
	}
}
