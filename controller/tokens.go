package controller

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// tokenPrefix makes a token known as one, to people and to scanners of secrets.
const tokenPrefix = "bft_"

// maxTokens bounds a token file.
const maxTokens = 1000

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// Tokens are who may come in with which token. Only the hashes are known: a token
// has 256 random bits, so a plain hash tells nothing about it.
type Tokens struct{ entries []tokenEntry }

type tokenEntry struct {
	hash   [sha256.Size]byte
	caller Caller
}

// NewToken makes a token, and the line of a token file that lets it in. The token
// itself is kept nowhere.
func NewToken(role Role, name string) (token, line string, err error) {
	if err := checkEntry(role, name); err != nil {
		return "", "", err
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
	hash := sha256.Sum256([]byte(token))
	return token, fmt.Sprintf("%s %s sha256:%s\n", role, name, hex.EncodeToString(hash[:])), nil
}

func checkEntry(role Role, name string) error {
	switch {
	case role != Viewer && role != Operator:
		return fmt.Errorf("%w: the role is %.40q; allowed: %s, %s", core.ErrInvalid, role, Viewer, Operator)
	case !tokenName.MatchString(name):
		return fmt.Errorf("%w: the name is %.80q; allowed: up to 64 letters, digits, dots, dashes, underscores and at signs", core.ErrInvalid, name)
	}
	return nil
}

// ParseTokens reads a token file: on each line a role, a name and sha256: with the
// hash of the token, as NewToken makes it. Lines that begin with # are comments. No
// error repeats what may be a token.
func ParseTokens(text []byte) (*Tokens, error) {
	t := &Tokens{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := parseEntry(strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("line %d of the token file: %w", number, err)
		}
		if t.entries = append(t.entries, e); len(t.entries) > maxTokens {
			return nil, fmt.Errorf("%w: the token file has more than %d tokens", core.ErrInvalid, maxTokens)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: the token file: %w", core.ErrInvalid, err)
	}
	if len(t.entries) == 0 {
		return nil, fmt.Errorf("%w: the token file lets nobody in; make a line with: benchfleet token", core.ErrInvalid)
	}
	return t, nil
}

func parseEntry(fields []string) (e tokenEntry, err error) {
	if len(fields) != 3 {
		return e, fmt.Errorf("%w: it is no ROLE NAME sha256:HASH; make it with: benchfleet token", core.ErrInvalid)
	}
	e.caller = Caller{Name: fields[1], Role: Role(fields[0])}
	if err := checkEntry(e.caller.Role, e.caller.Name); err != nil {
		return e, err
	}
	text, hashed := strings.CutPrefix(fields[2], "sha256:")
	hash, err := hex.DecodeString(text)
	if !hashed || err != nil || len(hash) != sha256.Size {
		return e, fmt.Errorf("%w: its last word is no sha256: and 64 hexadecimal digits; a token itself belongs in no file of the controller", core.ErrInvalid)
	}
	copy(e.hash[:], hash)
	return e, nil
}

// find is whose token it is. It takes the same time for every token.
func (t *Tokens) find(token string) (Caller, bool) {
	hash := sha256.Sum256([]byte(token))
	found := -1
	for i := range t.entries {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], t.entries[i].hash[:]), i, found)
	}
	if found < 0 {
		return Caller{}, false
	}
	return t.entries[found].caller, true
}
