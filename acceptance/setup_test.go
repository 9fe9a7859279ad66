//go:build unix

package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/docker"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/core"
)

// setUpDocker builds the image around the command.
func setUpDocker(dir string, undo []func()) ([]func(), error) {
	build, err := buildOf(binary)
	if err != nil {
		return undo, err
	}
	image, err := buildImage("", dir, binary, build)
	undo = append(undo, func() { exec.Command("docker", "image", "rm", "--force", image).Run() })
	if err != nil {
		return undo, err
	}
	fleet.witness, fleet.image = containers{}, image
	fleet.env = []string{"BENCHFLEET_LAUNCHER=docker", "BENCHFLEET_LAUNCHER_OPTION=image=" + image}
	return undo, listen()
}

// buildOf is what a binary says that it was built from.
func buildOf(binary string) (core.Build, error) {
	var build core.Build
	text, err := exec.Command(binary, "version", "--output", "json").Output()
	if err == nil {
		err = json.Unmarshal(text, &build)
	}
	return build, err
}

// buildImage builds the image of the Dockerfile around a binary, by the daemon
// at host ("": that of this machine), with a name of its own. Its labels tell of
// a build.
func buildImage(host, dir, binary string, build core.Build) (image string, err error) {
	folder, err := os.MkdirTemp(dir, "image")
	if err != nil {
		return "", err
	}
	if err := os.Link(binary, filepath.Join(folder, "benchfleet")); err != nil {
		return "", err
	}
	image = fmt.Sprintf("benchfleet-acceptance:%d-%s", os.Getpid(), filepath.Base(folder))
	revision, _, _ := strings.Cut(build.ID, "+")
	cmd := exec.Command("docker", "build", "--quiet", "--force-rm", "--tag", image, "--build-arg", "BUILD="+build.ID,
		"--build-arg", "REVISION="+revision, "--file", "../Dockerfile", folder)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if host != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+host)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return image, fmt.Errorf("docker build: %w: %s", err, out)
	}
	return image, nil
}

// setUpPlugin builds the example of a third party's launcher.
func setUpPlugin(dir string, undo []func()) ([]func(), error) {
	path := filepath.Join(dir, "launcher")
	if out, err := exec.Command("go", "build", "-o", path, "../examples/plugin").CombinedOutput(); err != nil {
		return undo, fmt.Errorf("the plugin cannot be built: %w: %s", err, out)
	}
	fleet.env = []string{"BENCHFLEET_LAUNCHER=plugin:" + path}
	return undo, nil
}

// server is the PostgreSQL server of all tests. It starts with the first that
// needs it.
var server postgrestest.Shared

// listen makes the server listen where containers reach it, too.
func listen() error {
	launcher, err := docker.New(docker.Options{})
	if err != nil {
		return err
	}
	reach, err := launcher.Reach(context.Background())
	if err := errors.Join(err, launcher.Close()); err != nil {
		return err
	}
	fleet.host, server.Options.Listen = reach.Listen, "127.0.0.1,"+reach.Listen
	return nil
}
