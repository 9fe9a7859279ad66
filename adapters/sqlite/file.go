package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/benchfleet/benchfleet/core"
)

// uri names a file and the parameters of a connection for the driver.
func uri(path string, parameters url.Values) string {
	slashed := filepath.ToSlash(path)
	if runtime.GOOS == "windows" && !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	return "file:" + (&url.URL{Path: slashed}).EscapedPath() + "?" + parameters.Encode()
}

// checkFile tells whether path can be a database; what names its use in errors.
// A missing file is NotFound. It does not open the file: closing it again would
// take away the locks that the connections of this process have on it (POSIX),
// and the next process that closes the database would delete the WAL that they
// write to.
func checkFile(what, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fileError(what, path, err)
	}
	if info.IsDir() {
		return fmt.Errorf("%w: sqlite: %s %s is a directory; a file is needed", core.ErrInvalid, what, path)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: sqlite: %s %s is no regular file", core.ErrInvalid, what, path)
	}
	return nil
}

// fileError gives an error of the operating system its code.
func fileError(what, path string, err error) error {
	code := core.ErrUnavailable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = core.ErrNotFound
	case errors.Is(err, fs.ErrPermission):
		code = core.ErrDenied
	}
	var at *fs.PathError
	if errors.As(err, &at) && at.Path == path {
		err = at.Err // the path once is enough
	}
	return fmt.Errorf("%w: sqlite: %s %s: %w", code, what, path, err)
}

// rights says what a user must be allowed to do.
func rights(path string) string {
	name := filepath.Base(path)
	return fmt.Sprintf("%s must be readable and writable, and so must its directory, in which SQLite keeps %s-wal and %s-shm", path, name, name)
}

// explain adds to an error what a user of the file can do about it.
func explain(path string, err error) error {
	if err == nil {
		return nil
	}
	directory := filepath.Dir(path)
	switch code := sqliteCode(err); code & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w; the disk of %s is full", err, directory)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%w; is the disk of %s full or gone?", err, directory)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		for _, beside := range []string{path + "-wal", path + "-shm"} {
			if fileReadOnly(beside) {
				return fmt.Errorf("%w; %s is read-only for this user: remove it when nobody uses the database", err, beside)
			}
		}
		return fmt.Errorf("%w; %s", err, rights(path))
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w; %s is not a SQLite database, or is damaged: move it away with its -wal and -shm, and make a new one", err, path)
	}
	return err
}

// checkWritable is checkFile for a file that is to be changed. SQLite would open
// one that is read-only too, and leave -wal and -shm beside it that nobody can
// write.
func checkWritable(what, path string) error {
	if err := checkFile(what, path); err != nil {
		return err
	}
	if fileReadOnly(path) {
		return fmt.Errorf("%w: sqlite: %s %s is read-only for this user; %s", core.ErrDenied, what, path, rights(path))
	}
	return nil
}

// prepareFile makes what is missing of a database that is to be changed: an
// empty file, which SQLite takes for an empty database, and the directories above
// it, all for their owner alone. -wal and -shm get the mode of the file. created
// says that there was none: whoever made it may remove it.
func prepareFile(what, path string) (created bool, err error) {
	err = checkWritable(what, path)
	if !errors.Is(err, core.ErrNotFound) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fileError(what, path, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist): // somebody else was faster
		return false, checkWritable(what, path)
	case err != nil:
		return false, fileError(what, path, err)
	}
	if err := file.Close(); err != nil {
		removeFile(path)
		return false, fileError(what, path, err)
	}
	return true, nil
}

// removeFile removes a database that was made and not completed. What stays
// behind is an empty database, and an error says why.
func removeFile(path string) {
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		_ = os.Remove(path + suffix)
	}
}
