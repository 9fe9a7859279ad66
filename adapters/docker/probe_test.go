//go:build linux || darwin

package docker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// envProbe holds what a worker of these tests does instead of a script: one of
// the probes below.
const envProbe = "DOCKER_TEST_PROBE"

// seen is what a worker finds in its container.
type seen struct {
	UID, GID     int
	Dir          string            // mode and owner of the secrets' folder
	Files        map[string]string // mode, owner and text of each secret
	Environ      []string
	CommandLine  string
	Capabilities string // CapEff and CapBnd of /proc/self/status
	NoNew        string // NoNewPrivs of the same
	Writable     bool   // whether it can make a file in the root
}

func probeMain() {
	what, ok := os.LookupEnv(envProbe)
	if !ok {
		return
	}
	name, rest, _ := strings.Cut(what, " ")
	switch name {
	case "look":
		if err := json.NewEncoder(os.Stdout).Encode(look()); err != nil {
			panic(err)
		}
		fmt.Println("all")
	case "eat": // until the kernel ends it
		var all [][]byte
		for range 1 << 10 {
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = byte(i)
			}
			all = append(all, block)
		}
		fmt.Println(len(all))
	case "dial":
		c, err := net.DialTimeout("tcp", rest, 10*time.Second)
		if err != nil {
			fmt.Println("dial:", err)
			os.Exit(1)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		fmt.Println("heard", line, err)
		_ = c.Close()
	}
	os.Exit(0)
}

func look() seen {
	s := seen{UID: os.Getuid(), GID: os.Getgid(), Files: map[string]string{}, Environ: os.Environ()}
	s.Dir = owned(secretDir)
	files, err := filepath.Glob(secretDir + "/*")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		s.Files[filepath.Base(file)] = fmt.Sprint(owned(file), " ", string(text), " ", err)
	}
	line, err := os.ReadFile("/proc/self/cmdline")
	s.CommandLine = fmt.Sprint(string(line), err)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(status)) {
		switch fields := strings.Fields(line); fields[0] {
		case "CapEff:", "CapBnd:":
			s.Capabilities += fields[1] + " "
		case "NoNewPrivs:":
			s.NoNew = fields[1]
		}
	}
	s.Writable = os.WriteFile("/probe", nil, 0o600) == nil
	return s
}

// owned is the mode and the owner of a file.
func owned(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%o %d:%d", info.Mode().Perm(), stat.Uid, stat.Gid)
}
