package snowflake

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/benchfleet/benchfleet/core"
)

const (
	connectionsFile = "connections.toml"
	// maxConnectionsFile bounds the file in bytes.
	maxConnectionsFile = 1 << 20
)

// connectionFolders are where connections.toml may be, in the order in which
// they are looked into.
func connectionFolders(env map[string]string) []string {
	if home := env["SNOWFLAKE_HOME"]; home != "" {
		return []string{home}
	}
	home := firstOf(env["HOME"], env["USERPROFILE"])
	if home == "" {
		return nil
	}
	return []string{filepath.Join(home, ".snowflake"), filepath.Join(firstOf(env["XDG_CONFIG_HOME"], filepath.Join(home, ".config")), "snowflake")}
}

// connectionSettings reads one entry of connections.toml. Without a name it is
// SNOWFLAKE_DEFAULT_CONNECTION_NAME, else "default".
func connectionSettings(name string, env map[string]string) (*settings, error) {
	name = firstOf(name, env["SNOWFLAKE_DEFAULT_CONNECTION_NAME"], "default")
	folders := connectionFolders(env)
	if len(folders) == 0 {
		return nil, invalid("connection %q: neither SNOWFLAKE_HOME nor HOME is set", name)
	}
	for _, folder := range folders {
		path := filepath.Join(folder, connectionsFile)
		text, err := readSmall(path, maxConnectionsFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = ownersAlone(path)
		}
		if err != nil {
			return nil, err
		}
		return readConnection(path, name, text)
	}
	return nil, invalid("connection %q: there is no %s in %s", name, connectionsFile, strings.Join(folders, " and "))
}

// ownersAlone refuses a file that others may write, as the driver does: it could
// lead a password to a server of theirs.
func ownersAlone(path string) error {
	const byOthers = 0o022
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: snowflake: %w", core.ErrInvalid, err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&byOthers != 0 {
		return fmt.Errorf("%w: snowflake: others may write %s; run: chmod 600 %s", core.ErrDenied, path, path)
	}
	return nil
}

func readConnection(path, name string, text []byte) (*settings, error) {
	var all map[string]map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return nil, invalid("%s, line %d: not TOML", path, at.Position.Line) // its text may hold a secret
		}
		return nil, invalid("%s: its top level holds other things than tables", path)
	}
	entry, found := all[name]
	if !found {
		return nil, invalid("%s has no connection %q; it has %s", path, name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	s := &settings{values: map[string]string{}, parameters: map[string]string{}, connection: true}
	for _, key := range slices.Sorted(maps.Keys(entry)) {
		var value string
		switch v := entry[key].(type) {
		case string:
			value = v
		case bool, int64:
			value = fmt.Sprint(v)
		default:
			return nil, invalid("%s, connection %s: %s is neither a text, a number nor a truth value", path, name, key)
		}
		if err := s.set(key, value); err != nil {
			return nil, fmt.Errorf("%w (connection %s in %s)", err, name, path)
		}
	}
	return s, nil
}

// readSmall reads a file of at most that many bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > limit {
		return nil, invalid("%s has %d bytes; allowed: %d", path, info.Size(), limit)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: snowflake: %w", core.ErrDenied, err)
	case err != nil:
		return nil, fmt.Errorf("%w: snowflake: %w", core.ErrInvalid, err)
	}
	return text, nil
}
