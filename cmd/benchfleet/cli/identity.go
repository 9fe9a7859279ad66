package cli

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"time"
)

// NewRunID makes an id for a run, unique and sorted by time.
func NewRunID() string { return newRunID(time.Now()) }

// newRunID is unique and sorts by time: 20261123-154200-3f9a1c.
func newRunID(now time.Time) string {
	return now.UTC().Format("20060102-150405") + "-" + randomHex(3)
}

// newOwner identifies this process among all orchestrators, for ever.
func newOwner(host string) string {
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), randomHex(4))
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
