package spcs

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// Every name is one that a service may have, shows its key, and is another for
// another key; the comment gives the key back exactly.
func TestNamesAndComments(t *testing.T) {
	is := is.New(t)
	valid := regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,61}[A-Z0-9]$`)
	keys := []core.WorkerKey{
		{RunID: "20261123-154200-3f9a1c", WorkerID: "worker-0", Epoch: 1},
		{RunID: "20261123-154200-3f9a1c", WorkerID: "worker-0", Epoch: 11},
		{RunID: "20261123-154200-3f9a1c", WorkerID: "worker_0", Epoch: 1},
		{RunID: "20261123-154200-3F9A1C", WorkerID: "worker-0", Epoch: 1},
		{RunID: "20261123-154200-3f9a1", WorkerID: "cworker-0", Epoch: 1},
		{RunID: "a'b\\c%_$$", WorkerID: "größe 世界", Epoch: 0},
		{RunID: strings.Repeat("r", maxID), WorkerID: strings.Repeat("w", maxID), Epoch: 4294967295},
		{RunID: strings.Repeat("r", maxID), WorkerID: strings.Repeat("w", maxID-1), Epoch: 4294967295},
	}
	seen := map[string]core.WorkerKey{}
	for _, key := range keys {
		is.NoErr(validKey(key))
		name := nameOf(key)
		is.True(valid.MatchString(name)) // a name of a service, and a label of DNS
		other, taken := seen[name]
		is.True(!taken || other == key)
		seen[name] = key
		is.True(strings.HasPrefix(name, prefixOf(key.RunID)))
		is.True(strings.HasPrefix(name, prefixOf("")))

		at := time.Date(2031, 4, 5, 6, 7, 8, 9, time.UTC)
		comment, err := markOf(ports.WorkerSpec{Key: key, ExpiresAt: at})
		is.NoErr(err)
		back, expires, ok := keyIn(comment)
		is.True(ok)
		is.Equal(back, key)
		is.True(expires.Equal(at))
	}
	is.True(strings.HasPrefix(nameOf(keys[0]), "BF_20261123_154200_3F9A1C_WORKER_0_1_"))

	for _, comment := range []string{"", "{}", "nonsense", `{"benchfleet":2,"run":"r","worker":"w"}`, `{"benchfleet":1,"run":"","worker":"w"}`} {
		_, _, ok := keyIn(comment)
		is.True(!ok)
	}
	never, err := markOf(ports.WorkerSpec{Key: keys[0]})
	is.NoErr(err)
	_, expires, ok := keyIn(never)
	is.True(ok && expires.IsZero())
}

func TestKeysThatNoJobCanHave(t *testing.T) {
	is := is.New(t)
	for _, key := range []core.WorkerKey{
		{}, {RunID: "r"}, {WorkerID: "w"}, {RunID: strings.Repeat("r", maxID+1), WorkerID: "w"}, {RunID: "r\x00", WorkerID: "w"},
		{RunID: "r\xff", WorkerID: "w"}, {RunID: "r", WorkerID: "w", Epoch: -1}, {RunID: "r", WorkerID: "w", Epoch: 12345678901},
	} {
		is.Equal(core.CodeOf(validKey(key)), core.Invalid)
	}
}

func TestTextsOfSQL(t *testing.T) {
	is := is.New(t)
	is.Equal(literal(`it's a \ and "x"`), `'it''s a \\ and "x"'`)
	is.Equal(like(`BF_A%\`), `BF\_A\%\\`)
	is.Equal(quoted("BENCH"), "BENCH")
	is.Equal(quoted(`My "Role"`), `"My ""Role"""`)
	is.Equal(commonPrefix([]string{"BF_R_WORKER_0_1_AA", "BF_R_WORKER_1_1_BB"}), "BF_R_WORKER_")
	is.Equal(commonPrefix([]string{"BF_X"}), "BF_X")
	is.Equal(commonPrefix([]string{"A", "B"}), "")
	is.Equal(commonPrefix(nil), "")
}

func TestImagePaths(t *testing.T) {
	is := is.New(t)
	digest := "sha256:" + strings.Repeat("0a", 32)
	for text, want := range map[string]imagePath{
		"/db/services/images/benchfleet:v1.2":        {"DB.SERVICES.IMAGES", "benchfleet", "v1.2", false},
		"/db/services/images/benchfleet":             {"DB.SERVICES.IMAGES", "benchfleet", "latest", false},
		"/DB/S/R/bench-fleet@" + digest:              {"DB.S.R", "bench-fleet", digest, true},
		"/db/services/images/benchfleet:v@" + digest: {"DB.SERVICES.IMAGES", "benchfleet", digest, true},
	} {
		got, ok := parseImage(text)
		is.True(ok)
		is.Equal(got, want)
	}
	for _, text := range []string{"", "benchfleet:dev", "/db/s/benchfleet:dev", "db/s/r/b:1", "/db/s/r/Bench:1", "/db/s/r/b:", "/db/s/r/b:1 x", "/d-b/s/r/b:1", "/db/s/r/b:$$"} {
		_, ok := parseImage(text)
		is.True(!ok)
	}
	image, _ := parseImage("/db/s/r/b:v1")
	is.True(image.in(row{"image_name": "b", "tags": "v1"}))
	is.True(image.in(row{"image_name": "b", "tags": `["v0","v1"]`}))
	is.True(!image.in(row{"image_name": "b", "tags": "v11, v0"}))
	is.True(!image.in(row{"image_name": "bb", "tags": "v1"}))
	image, _ = parseImage("/db/s/r/b@" + digest)
	is.True(image.in(row{"image_name": "b", "digest": digest}))
	is.True(!image.in(row{"image_name": "b", "digest": "sha256:00"}))
}
