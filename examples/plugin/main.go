// Command plugin is a launcher that benchfleet does not know, in a process of its
// own: it starts workers as processes of this host, with the least priority, so
// that a benchmark does not slow down the machine that it is started from.
//
//	go build -o polite ./examples/plugin
//	benchfleet run oltp --launcher plugin:./polite
//
// It shows the two things that the main of a launcher does: put a ports.Launcher
// together, and serve it. docs/writing-a-launcher.md tells how to write one from
// nothing.
//
// benchfleet tells where it is itself in BENCHFLEET_EXECUTABLE, which the workers
// are, and where its data directory is in BENCHFLEET_DIR.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/benchfleet/benchfleet/adapters/local"
	"github.com/benchfleet/benchfleet/adapters/plugin"
	"github.com/benchfleet/benchfleet/ports"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "polite:", err)
		os.Exit(1)
	}
}

func serve() error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)) // the orchestrator reads it
	worker, dir := os.Getenv("BENCHFLEET_EXECUTABLE"), os.Getenv("BENCHFLEET_DIR")
	if worker == "" || dir == "" {
		return errors.New("BENCHFLEET_EXECUTABLE and BENCHFLEET_DIR are not set: this is a plugin, which benchfleet starts")
	}
	processes, err := local.New(filepath.Join(dir, "polite"), local.Options{
		Command: []string{"nice", "-n", "19", worker, "worker"},
		Environ: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, // and nothing of the plugin's own
		Logger:  log,
	})
	if err != nil {
		return err
	}
	defer processes.Close()
	plugin.Serve(polite{processes}, plugin.ServeOptions{Logger: log})
	return nil
}

// polite is a launcher of processes under a name of its own.
type polite struct{ *local.Launcher }

func (p polite) Capabilities() ports.Capabilities {
	c := p.Launcher.Capabilities()
	c.Name = "polite"
	return c
}
