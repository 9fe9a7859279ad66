package local

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// The files of a launch's folder.
const (
	lockFile   = "lock"
	recordFile = "launch.json"
	logFile    = "log"

	maxRecord   = 64 << 10 // of any record, in bytes
	maxFileName = 255      // bytes, on every file system that matters
)

// state is how far a launch came.
type state string

const (
	claimed state = "claimed" // no process yet, as far as the record knows
	started state = "started" // its process is known
	lost    state = "lost"    // a start was attempted, and no process of it lives
)

// record is launch.json. It is replaced by rename and never changed in place.
type record struct {
	Version   int            `json:"version"`
	ID        string         `json:"id"`
	Key       core.WorkerKey `json:"key"`
	State     state          `json:"state"`
	Host      string         `json:"host"`
	Boot      string         `json:"boot"`
	ExpiresAt time.Time      `json:"expires_at,omitzero"`
	process
}

var validID = regexp.MustCompile(`^[0-9a-f]{16}$`)

func newID() string {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

func (l *Launcher) newRecord(spec ports.WorkerSpec) record {
	return record{
		Version:   version,
		ID:        newID(),
		Key:       spec.Key,
		State:     claimed,
		Host:      l.host,
		Boot:      l.boot,
		ExpiresAt: spec.ExpiresAt.UTC(),
	}
}

func (r record) handle(folder string) core.Handle {
	return handle{Host: r.Host, Boot: r.Boot, Folder: folder, ID: r.ID, process: r.process}.encode()
}

// durability of a record against the loss of power. A claim must outlast it,
// lest the key be launched twice; of a process nothing outlasts it anyway.
type durability bool

const (
	volatile durability = false
	durable  durability = true
)

func writeRecord(folder string, rec record, d durability) error {
	return writeJSON(folder, recordFile, rec, d)
}

// writeJSON replaces a file by rename.
func writeJSON(folder, file string, value any, d durability) (err error) {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(folder, file+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(append(data, '\n'))
	if err == nil && d == durable {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), filepath.Join(folder, file)); err != nil {
		return err
	}
	if d == durable {
		return errors.Join(syncFolder(folder), syncFolder(filepath.Dir(folder)))
	}
	return nil
}

func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// errUnreadable means that a record is there, and nobody can read it.
var errUnreadable = errors.New("unreadable record")

// readRecord reads the record of a launch. The error is fs.ErrNotExist when
// there is none.
func readRecord(folder string) (record, error) {
	var rec record
	if err := readJSON(filepath.Join(folder, recordFile), &rec); err != nil {
		return rec, err
	}
	if rec.Version != version {
		return rec, fmt.Errorf("%w: %s has version %d, this launcher knows %d",
			errUnreadable, filepath.Join(folder, recordFile), rec.Version, version)
	}
	if !validID.MatchString(rec.ID) {
		return rec, fmt.Errorf("%w: %s has no id", errUnreadable, filepath.Join(folder, recordFile))
	}
	return rec, nil
}

func readJSON(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return err
	}
	if len(data) > maxRecord {
		return fmt.Errorf("%w: %s is larger than %d bytes", errUnreadable, path, maxRecord)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: %s: %w", errUnreadable, path, err)
	}
	return nil
}

// exitName is the file of the worker's exit record. The id in it marks every
// process of the launch, since it is in their environment.
func exitName(id string) string { return "exit-" + id + ".json" }

// reapedName is the file in which the parent records how the worker ended.
func reapedName(id string) string { return "reaped-" + id + ".json" }

// idOf is the inverse of exitName for a path, or "".
func idOf(exitRecord string) string {
	id, ok := strings.CutPrefix(filepath.Base(exitRecord), "exit-")
	id, ok2 := strings.CutSuffix(id, ".json")
	if !ok || !ok2 || !validID.MatchString(id) {
		return ""
	}
	return id
}

// folderOf names the folder of a key below dir/workers: one for each key.
// Errors: Invalid.
func folderOf(key core.WorkerKey) (string, error) {
	if key.RunID == "" || key.WorkerID == "" || key.Epoch < 0 {
		return "", fmt.Errorf("%w: local: worker key with run %q, worker %q, epoch %d; run and worker are not empty, the epoch is not negative",
			core.ErrInvalid, key.RunID, key.WorkerID, key.Epoch)
	}
	run, worker := fileName(key.RunID), fileName(key.WorkerID)+"."+strconv.Itoa(key.Epoch)
	if len(run) > maxFileName || len(worker) > maxFileName {
		return "", fmt.Errorf("%w: local: run or worker id is too long for the name of a folder: %.40q…, %.40q…", core.ErrInvalid, key.RunID, key.WorkerID)
	}
	return run + "/" + worker, nil
}

// fileName writes every byte but letters, digits, '-' and '_' as %XX.
func fileName(id string) string {
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if c == '-' || c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// keyOf is the inverse of folderOf.
func keyOf(folder string) (core.WorkerKey, bool) {
	var key core.WorkerKey
	if !validFolder.MatchString(folder) {
		return key, false
	}
	run, rest, _ := strings.Cut(folder, "/")
	worker, epoch, _ := strings.Cut(rest, ".")
	var errs [3]error
	key.RunID, errs[0] = url.PathUnescape(run)
	key.WorkerID, errs[1] = url.PathUnescape(worker)
	key.Epoch, errs[2] = strconv.Atoi(epoch)
	return key, errors.Join(errs[:]...) == nil
}

// root is the folder of all launches, without symbolic links once it exists, so
// that every spelling of dir finds the same processes.
func (l *Launcher) root() string {
	if real, err := filepath.EvalSymlinks(l.dir); err == nil {
		return filepath.Join(real, "workers")
	}
	return filepath.Join(l.dir, "workers")
}

// path is where a folder of folderOf is.
func (l *Launcher) path(folder string) string {
	return filepath.Join(l.root(), filepath.FromSlash(folder))
}

// openLog creates the log of a launch, under a shared lock that its process
// inherits with it: as long as the lock is held, somebody of the launch lives.
// It must not exist: it means that a start was attempted.
func openLog(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, logFile), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if ok, err := flock(f, shared); err != nil || !ok {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// attempted reports whether a start was attempted, and whether somebody who
// inherited the log still has it.
func attempted(folder string) (yes, held bool, err error) {
	f, err := os.OpenFile(filepath.Join(folder, logFile), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	free, err := flock(f, exclusive)
	return true, !free, errors.Join(err, f.Close())
}
