package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/benchfleet/benchfleet/core"
	"github.com/spf13/cobra"
)

// ThisBuild is the identity of this binary: the revision that it was built from,
// with a hash of the executable when the sources were modified, or that hash
// alone when it carries no revision.
func ThisBuild() (core.Build, error) {
	b := core.Build{GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	revision, modified := "", false
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if revision != "" && !modified {
		b.ID, b.Stamped = revision, true
		return b, nil
	}
	hash, err := executableHash()
	if err != nil {
		return b, fmt.Errorf("%w: this executable cannot be read, so its identity is unknown: %w", core.ErrInternal, err)
	}
	b.ID, b.Stamped = "exe-"+hash, false
	if revision != "" {
		b.ID, b.Stamped = revision+"+"+hash, true
	}
	return b, nil
}

// thisBuild is ThisBuild, found out once: it may hash the whole executable.
func (a *app) thisBuild() (core.Build, error) {
	if a.build == nil {
		build, err := ThisBuild()
		if err != nil {
			return build, err
		}
		a.build = &build
	}
	return *a.build, nil
}

// executableHash is the beginning of the SHA-256 of this executable.
func executableHash() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the build of this binary",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			build, err := ThisBuild()
			if err != nil {
				return err
			}
			if a.json() {
				return writeJSON(a.out, build)
			}
			return a.print("benchfleet %s\n%s %s\n", build.ID, build.GoVersion, build.Platform)
		},
	}
}

// shownBuild is the identity of this binary in texts, short; "of an unknown
// build" when it cannot be found out.
func (a *app) shownBuild() string {
	build, err := a.thisBuild()
	if err != nil {
		return "of an unknown build"
	}
	return build.ID[:min(len(build.ID), 12)]
}
