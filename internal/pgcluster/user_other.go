//go:build !unix

package pgcluster

import "os/exec"

// AsServer does nothing here.
func AsServer(*exec.Cmd) {}

// GiveAway does nothing here.
func GiveAway(...string) error { return nil }
