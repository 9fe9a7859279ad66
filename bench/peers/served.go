//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// clockTicks are those of a second in Linux's /proc.
const clockTicks = 100

// cpu is the processor time, in seconds, of all the server's processes since it was
// started, those that have ended too. It is 0 where the system has no /proc.
func (s *server) cpu() (float64, error) {
	first := s.cluster.PID()
	if first == 0 {
		return 0, errors.New("the server does not run: it has no lock file")
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	ticks := 0
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended: its parent's line has it, or the next reading
		}
		used, err := ticksOf(string(text), strconv.Itoa(first))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		ticks += used
	}
	return float64(ticks) / clockTicks, nil
}

// ticksOf reads from a line of /proc/PID/stat what a process has used: the server's
// first one with all its children that have ended, and each child that runs; else 0.
func ticksOf(line, first string) (ticks int, err error) {
	pid, _, _ := strings.Cut(line, " ")
	at := strings.LastIndexByte(line, ')') // a name may hold anything
	if at < 0 {
		return 0, errors.New("it has no name")
	}
	fields := strings.Fields(line[at+1:]) // from the third one, the state
	if len(fields) < 15 {
		return 0, fmt.Errorf("%d fields", len(fields)+2)
	}
	counted := 0
	switch first {
	case pid:
		counted = 4 // user, system, and both of its children
	case fields[1]:
		counted = 2
	}
	for _, field := range fields[11 : 11+counted] {
		used, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += used
	}
	return ticks, nil
}
