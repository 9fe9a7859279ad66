package worker

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// redactor removes secrets from texts: the addresses of store and target, and
// the passwords in them.
type redactor struct {
	mu      sync.Mutex
	secrets []secret // longest first
}

type secret struct{ text, instead string }

// minSecret is the length below which a text is no secret: replacing it
// everywhere would only garble messages.
const minSecret = 4

// add learns an address. A plain path or name without a password is no secret.
func (r *redactor) add(address, name string) {
	passwords := passwordsOf(address)
	if len(passwords) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secret{address, "[" + name + "]"})
	for _, p := range passwords {
		if len(p) >= minSecret {
			r.secrets = append(r.secrets, secret{p, "[secret]"})
		}
	}
	slices.SortStableFunc(r.secrets, func(a, b secret) int { return cmp.Compare(len(b.text), len(a.text)) })
}

// addToken hides a secret that is nothing else.
func (r *redactor) addToken(token, name string) {
	if len(token) < minSecret {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secret{token, "[" + name + "]"})
}

// text replaces every secret in a text.
func (r *redactor) text(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s.text, s.instead)
	}
	return text
}

// passwordsOf finds what is secret in an address: the password before an @, and
// the values of parameters whose names speak of secrets.
func passwordsOf(address string) []string {
	var found []string
	keep := func(p string) {
		if p == "" {
			return
		}
		found = append(found, p)
		if plain, err := url.PathUnescape(p); err == nil && plain != p {
			found = append(found, plain)
		}
	}
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
	}
	if at := strings.LastIndex(strings.SplitN(rest, "?", 2)[0], "@"); at >= 0 {
		if _, password, ok := strings.Cut(rest[:at], ":"); ok {
			keep(password)
		}
	}
	for _, field := range strings.FieldsFunc(address, func(r rune) bool { return strings.ContainsRune("?&; ", r) }) {
		name, value, ok := strings.Cut(field, "=")
		name = strings.ToLower(name)
		if ok && slices.ContainsFunc([]string{"pass", "pwd", "secret", "token", "key"}, func(s string) bool { return strings.Contains(name, s) }) {
			keep(strings.Trim(value, `'"`))
		}
	}
	return found
}
