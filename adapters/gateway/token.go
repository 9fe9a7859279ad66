package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
)

// Token is the token that opens one run to its workers, or the whole store when
// runID is empty. It is a pure function of the key: a successor that has the key
// accepts what its predecessor gave out. It is a secret; it names its run.
func Token(key []byte, runID string) string {
	mac := hmac.New(sha256.New, key)
	purpose := "benchfleet gateway 1: run "
	if runID == "" {
		purpose = "benchfleet gateway 1: store"
	}
	_, _ = mac.Write([]byte(purpose + runID)) // never fails
	return url.QueryEscape(runID) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// runOf is the run that a token names, "" for the whole store.
func runOf(token string) (runID string, ok bool) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return "", false
	}
	runID, err := url.QueryUnescape(token[:at])
	return runID, err == nil
}

// verify reports whether the token was made with the key, and for which run. It
// takes the same time wherever a wrong token differs.
func verify(key []byte, token string) (runID string, ok bool) {
	runID, ok = runOf(token)
	return runID, ok && len(key) >= keySize && hmac.Equal([]byte(token), []byte(Token(key, runID)))
}
