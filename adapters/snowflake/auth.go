package snowflake

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	sf "github.com/snowflakedb/gosnowflake/v2"
	"github.com/youmark/pkcs8"

	"github.com/benchfleet/benchfleet/core"
)

// The ways to log in.
const (
	withPassword authKind = "password"
	withKeyPair  authKind = "key pair"
	accessToken  authKind = "programmatic access token"
	oauthToken   authKind = "OAuth token"
)

type authKind string

// serviceToken is where Snowpark Container Services put the token of a container.
const serviceToken = "/snowflake/session/token"

// maxSecretFile bounds a file with a secret in bytes.
const maxSecretFile = 64 << 10

// secret is a text that does not print, not even inside of something else: only
// its address would.
type secret struct{ text *string }

func newSecret(text string) secret {
	if text == "" {
		return secret{}
	}
	return secret{&text}
}

// reveal is the text; "" without one.
func (s secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// auth is how to log in.
type auth struct {
	kind      authKind
	password  secret
	key       privateKey
	token     secret
	tokenFile string // read again for each connection
}

// privateKey is a key that does not print, as secret does not.
type privateKey struct{ key *rsa.PrivateKey }

// auth finds the way to log in.
func (s *settings) auth(env map[string]string) (auth, error) {
	a := auth{token: newSecret(s.values["token"]), tokenFile: s.values["tokenfile"], password: newSecret(s.values["password"])}
	hasKey := s.values["privatekey"] != "" || s.values["privatekeyfile"] != ""
	switch named := strings.ToUpper(s.values["authenticator"]); named {
	case "", "SNOWFLAKE":
		a.kind = withPassword
		if named == "" && hasKey {
			a.kind = withKeyPair
		}
	case "SNOWFLAKE_JWT":
		a.kind = withKeyPair
	case "PROGRAMMATIC_ACCESS_TOKEN":
		a.kind = accessToken
	case "OAUTH":
		a.kind = oauthToken
		if a.token.text == nil && a.tokenFile == "" && env["SNOWFLAKE_HOST"] != "" {
			a.tokenFile = serviceToken
		}
	default:
		return a, invalid("authenticator is %q; allowed: SNOWFLAKE, SNOWFLAKE_JWT, PROGRAMMATIC_ACCESS_TOKEN, OAUTH", s.values["authenticator"])
	}
	if err := a.check(s, hasKey); err != nil {
		return a, err
	}
	var err error
	switch a.kind {
	case withPassword:
		if file := s.values["passwordfile"]; file != "" {
			a.password, err = readSecret("password_file", file)
		}
	case withKeyPair:
		a.key, err = s.privateKey()
	default:
		if a.tokenFile != "" { // so that its lack is found before anything is opened
			_, err = readSecret("token_file", a.tokenFile)
		}
	}
	return a, err
}

// check refuses what is missing or too much.
func (a auth) check(s *settings, hasKey bool) error {
	tokens := a.token.text != nil || a.tokenFile != ""
	passwords := a.password.text != nil || s.values["passwordfile"] != ""
	switch {
	case a.password.text != nil && s.values["passwordfile"] != "":
		return invalid("password and password_file are given; one is enough")
	case a.token.text != nil && a.tokenFile != "":
		return invalid("token and token_file are given; one is enough")
	case s.values["privatekey"] != "" && s.values["privatekeyfile"] != "":
		return invalid("private_key and private_key_file are given; one is enough")
	case a.kind == withPassword && tokens:
		return invalid("a token is given; say authenticator=OAUTH or authenticator=PROGRAMMATIC_ACCESS_TOKEN")
	case a.kind == withPassword && !passwords:
		return invalid("password is missing (or private_key_file, or a token_file with an authenticator)")
	case a.kind == withKeyPair && !hasKey:
		return invalid("private_key_file is missing for authenticator SNOWFLAKE_JWT")
	case (a.kind == accessToken || a.kind == oauthToken) && !tokens:
		return invalid("token_file is missing for authenticator %s", s.values["authenticator"])
	case a.kind != withPassword && passwords:
		return invalid("a password is given besides a %s; one is enough", a.kind)
	case a.kind != withKeyPair && hasKey:
		return invalid("a private key is given besides a %s; one is enough", a.kind)
	}
	return nil
}

// readSecret reads a file with a secret, without the white space around it.
func readSecret(field, path string) (secret, error) {
	text, err := readSmall(path, maxSecretFile)
	if err != nil {
		return secret{}, fmt.Errorf("%w (%s)", err, field)
	}
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		return secret{}, invalid("%s %s is empty", field, path)
	}
	return newSecret(trimmed), nil
}

// privateKey reads the key of a key pair: PKCS #8 in base64, or a PEM file, which
// may be encrypted.
func (s *settings) privateKey() (none privateKey, _ error) {
	passphrase := newSecret(s.values["privatekeypassphrase"])
	if file := s.values["privatekeypassphrasefile"]; file != "" {
		if passphrase.text != nil {
			return none, invalid("private_key_passphrase and private_key_passphrase_file are given; one is enough")
		}
		var err error
		if passphrase, err = readSecret("private_key_passphrase_file", file); err != nil {
			return none, err
		}
	}
	field, kind := "private_key", "PRIVATE KEY"
	var der []byte
	if text := s.values["privatekey"]; text != "" {
		var err error
		if der, err = decodeBase64(text); err != nil {
			return none, invalid("private_key is not base64 of a PKCS #8 key")
		}
	} else {
		field = "private_key_file " + s.values["privatekeyfile"]
		text, err := readSmall(s.values["privatekeyfile"], maxSecretFile)
		if err != nil {
			return none, fmt.Errorf("%w (private_key_file)", err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return none, invalid("%s is not PEM", field)
		}
		der, kind = block.Bytes, block.Type
	}
	key, err := decodeKey(field, kind, der, passphrase.reveal())
	if err != nil {
		return none, err
	}
	return privateKey{key}, nil
}

func decodeBase64(text string) ([]byte, error) {
	text = strings.Join(strings.Fields(text), "")
	if strings.ContainsAny(text, "-_") {
		return base64.URLEncoding.DecodeString(text)
	}
	return base64.StdEncoding.DecodeString(text)
}

func decodeKey(field, kind string, der []byte, passphrase string) (*rsa.PrivateKey, error) {
	switch kind {
	case "PRIVATE KEY":
		if passphrase != "" {
			return nil, invalid("%s is not encrypted, and a passphrase is given", field)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, invalid("%s is not a PKCS #8 key", field)
		}
		key, ok := parsed.(*rsa.PrivateKey)
		if !ok {
			return nil, invalid("%s is a %T; Snowflake takes RSA keys", field, parsed)
		}
		return key, nil
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return nil, invalid("%s is not an unencrypted PKCS #1 key", field)
		}
		return key, nil
	case "ENCRYPTED PRIVATE KEY":
		if passphrase == "" {
			return nil, invalid("%s is encrypted; name its passphrase with private_key_passphrase_file", field)
		}
		key, err := pkcs8.ParsePKCS8PrivateKeyRSA(der, []byte(passphrase))
		if err != nil {
			return nil, fmt.Errorf("%w: snowflake: %s cannot be decrypted with its passphrase", core.ErrDenied, field)
		}
		return key, nil
	default:
		return nil, invalid("%s holds a %q; allowed: PRIVATE KEY, ENCRYPTED PRIVATE KEY, RSA PRIVATE KEY", field, kind)
	}
}

// apply puts the credentials into the driver's configuration.
func (a auth) apply(to *sf.Config) error {
	switch a.kind {
	case withKeyPair:
		to.Authenticator, to.PrivateKey = sf.AuthTypeJwt, a.key.key
	case accessToken, oauthToken:
		to.Authenticator = sf.AuthTypePat
		if a.kind == oauthToken {
			to.Authenticator = sf.AuthTypeOAuth
		}
		token := a.token
		if a.tokenFile != "" {
			var err error
			if token, err = readSecret("token_file", a.tokenFile); err != nil {
				return err
			}
		}
		to.Token = token.reveal()
	default:
		to.Authenticator, to.Password = sf.AuthTypeSnowflake, a.password.reveal()
	}
	return nil
}
