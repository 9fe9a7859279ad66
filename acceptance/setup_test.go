//go:build unix

package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/benchfleet/benchfleet/adapters/docker"
	"github.com/benchfleet/benchfleet/adapters/docker/dockertest"
	"github.com/benchfleet/benchfleet/adapters/postgres/postgrestest"
	"github.com/benchfleet/benchfleet/adapters/snowflake/snowflaketest"
	"github.com/benchfleet/benchfleet/core"
)

// dockerfile is that of the image of the command.
const dockerfile = "../Dockerfile"

// setUpDocker builds the image around the command.
func setUpDocker(undo []func()) ([]func(), error) {
	build, err := buildOf(binary)
	if err != nil {
		return undo, err
	}
	image, err := dockertest.Product("", dockerfile, binary, build.ID)
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

// cloud is Snowflake, or the stand-in for it, of all tests.
var cloud snowflaketest.Shared

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
