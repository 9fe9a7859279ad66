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
	return fmt.Errorf("%w: sqlite: %s %s: %w", code, what, path, err)
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
		return fmt.Errorf("%w; %s must be readable and writable, and so must its directory, in which SQLite keeps %s-wal and %s-shm",
			err, path, filepath.Base(path), filepath.Base(path))
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w; %s is not a SQLite database, or is damaged: move it away with its -wal and -shm, and make a new one", err, path)
	}
	return err
}

// prepareFile makes the directories above path. created says that there was no
// file: whoever makes it now may remove it.
func prepareFile(what, path string) (created bool, err error) {
	err = checkFile(what, path)
	if !errors.Is(err, core.ErrNotFound) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
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
