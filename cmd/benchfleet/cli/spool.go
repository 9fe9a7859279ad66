package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// spoolIn keeps documents in the data directory, or where temporary files go
// when that is full or gone, and says where.
func spoolIn(dir string, say io.Writer) func(name string, content []byte) error {
	return func(name string, content []byte) error {
		err := keep(dir, name, content)
		if err != nil {
			dir := os.TempDir()
			if again := keep(dir, name, content); again != nil {
				return errors.Join(err, again)
			}
			fmt.Fprintf(say, "kept: %s, because of: %v\n", filepath.Join(dir, name), err)
			return nil
		}
		fmt.Fprintln(say, "kept:", filepath.Join(dir, name))
		return nil
	}
}

// keep writes a file by rename: whole or not at all.
func keep(dir, name string, content []byte) error {
	file, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
