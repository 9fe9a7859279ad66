package spcs

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	jobPrefix = "BF_"

	maxID     = 255 // bytes of a run's or a worker's id
	runPart   = 24  // bytes of the run's id in a name
	maxWorker = 12  // and of the worker's: with an epoch of ten digits 62 in all, and 63 may be
)

// plainName is an identifier that needs no quotes. Services take no other, nor do
// they work in a schema or database with another.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)

// nameOf is the job's name: readable, and by its hash different for different
// keys. It becomes a label of DNS, so it ends in a letter or a digit.
func nameOf(key core.WorkerKey) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s/%d", len(key.RunID), key.RunID, key.WorkerID, key.Epoch))
	return fmt.Sprintf("%s%s_%d_%X", prefixOf(key.RunID), readable(key.WorkerID, maxWorker), key.Epoch, sum[:5])
}

// prefixOf begins the names of all jobs of a run, and perhaps those of another run
// whose id looks alike; of every run where runID is empty.
func prefixOf(runID string) string {
	if runID == "" {
		return jobPrefix
	}
	return jobPrefix + readable(runID, runPart) + "_"
}

// readable keeps of an id what a name may hold.
func readable(id string, limit int) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return '_'
	}, id[:min(len(id), limit)])
}

// literal writes a text as a string constant of SQL.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
}

// like is the pattern of LIKE that matches what begins with a text.
func like(text string) string {
	return strings.NewReplacer(`\`, `\\`, "_", `\_`, "%", `\%`).Replace(text)
}

// commonPrefix is what all names begin with.
func commonPrefix(names []string) string {
	if len(names) == 0 {
		return ""
	}
	prefix := names[0]
	for _, name := range names[1:] {
		for !strings.HasPrefix(name, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// mark is the comment of a job: what it is, exactly. The name shows it to people.
type mark struct {
	Version int    `json:"benchfleet"`
	Run     string `json:"run"`
	Worker  string `json:"worker"`
	Epoch   int    `json:"epoch"`
	Expires string `json:"expires,omitempty"` // RFC 3339, UTC; empty: never
}

func markOf(spec ports.WorkerSpec) (string, error) {
	m := mark{Version: version, Run: spec.Key.RunID, Worker: spec.Key.WorkerID, Epoch: spec.Key.Epoch}
	if !spec.ExpiresAt.IsZero() {
		m.Expires = spec.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("%w: spcs: comment of %s: %w", core.ErrInternal, spec.Key.WorkerID, err)
	}
	return string(text), nil
}

// keyIn reads a comment; false for one that is no launch's.
func keyIn(comment string) (core.WorkerKey, time.Time, bool) {
	var m mark
	if json.Unmarshal([]byte(comment), &m) != nil || m.Version != version || m.Run == "" || m.Worker == "" {
		return core.WorkerKey{}, time.Time{}, false
	}
	expires, err := time.Parse(time.RFC3339Nano, m.Expires)
	if err != nil {
		expires = time.Time{}
	}
	return core.WorkerKey{RunID: m.Run, WorkerID: m.Worker, Epoch: m.Epoch}, expires, true
}

// place is where job services are: a schema of a database.
type place struct{ database, schema string }

// String is the path of the schema.
func (p place) String() string { return p.database + "." + p.schema }

// path is the full name of a job.
func (p place) path(name string) string { return p.database + "." + p.schema + "." + name }

// objectPath reads DATABASE.SCHEMA.NAME, each without quotes, in upper case.
func objectPath(text string) (string, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return "", false
	}
	for _, part := range parts {
		if !plainName.MatchString(part) {
			return "", false
		}
	}
	return strings.ToUpper(text), true
}

// imagePath is an image in a repository: /db/schema/repository/name:tag.
type imagePath struct {
	repository string // DB.SCHEMA.REPOSITORY
	name       string
	tag        string // or digest
	digest     bool
}

var imageName = regexp.MustCompile(`^/([A-Za-z_][A-Za-z0-9_]*)/([A-Za-z_][A-Za-z0-9_]*)/([A-Za-z_][A-Za-z0-9_]*)/([a-z0-9]+(?:[._-]+[a-z0-9]+)*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`)

func parseImage(text string) (imagePath, bool) {
	m := imageName.FindStringSubmatch(text)
	if m == nil {
		return imagePath{}, false
	}
	p := imagePath{repository: strings.ToUpper(m[1] + "." + m[2] + "." + m[3]), name: m[4], tag: m[5]}
	switch {
	case m[6] != "":
		p.tag, p.digest = m[6], true
	case p.tag == "":
		p.tag = "latest"
	}
	return p, true
}

// validKey refuses what no job can have.
func validKey(key core.WorkerKey) error {
	for _, id := range []struct{ what, value string }{{"run", key.RunID}, {"worker", key.WorkerID}} {
		if id.value == "" || len(id.value) > maxID || !utf8.ValidString(id.value) || strings.ContainsRune(id.value, 0) {
			return fmt.Errorf("%w: spcs: id of the %s is %q; want 1 to %d bytes of UTF-8 without a zero byte", core.ErrInvalid, id.what, id.value, maxID)
		}
	}
	if key.Epoch < 0 || len(strconv.Itoa(key.Epoch)) > 10 {
		return fmt.Errorf("%w: spcs: epoch is %d; want 0 or more, in at most ten digits", core.ErrInvalid, key.Epoch)
	}
	return nil
}
