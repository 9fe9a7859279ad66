package yardstick

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const driverModule = "github.com/snowflakedb/gosnowflake/v2"

// driver is the driver's tests, built.
type driver struct {
	version string // the module's path and version
	folder  string // a copy of its source, which the tests read and write files of
	binary  string
}

// buildDriver copies the driver's source out of the module cache, since tests
// write beside it, and compiles its tests as this module compiles the driver: with the
// same versions and flags, so that Go's cache holds all that the driver needs.
func buildDriver(ctx context.Context, folder string) (driver, error) {
	out, err := goCommand(ctx, "list", "-m", "-f", "{{.Path}} {{.Version}}\n{{.Dir}}", driverModule)
	if err != nil {
		return driver{}, err
	}
	version, source, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if source == "" { // not in the cache yet
		if _, err := goCommand(ctx, "mod", "download", driverModule); err != nil {
			return driver{}, err
		}
		if source, err = goCommand(ctx, "list", "-m", "-f", "{{.Dir}}", driverModule); err != nil {
			return driver{}, err
		}
	}
	d := driver{version: version, folder: filepath.Join(folder, "gosnowflake"), binary: filepath.Join(folder, "gosnowflake.test")}
	if err := os.CopyFS(d.folder, os.DirFS(strings.TrimSpace(source))); err != nil {
		return d, err
	}
	_, err = goCommand(ctx, "test", "-c", "-tags", "minicore_disabled", "-ldflags", "-s -w", "-o", d.binary, driverModule)
	return d, err
}

// tests are the names of all tests there are.
func (d driver) tests(ctx context.Context) ([]string, error) {
	c := exec.CommandContext(ctx, d.binary, "-test.list=^Test")
	c.Dir, c.Env = d.folder, []string{"SKIP_SETUP=true"}
	out, err := c.Output()
	return strings.Fields(string(out)), err
}

// goCommand is what a go command writes to stdout.
func goCommand(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "go", args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}
