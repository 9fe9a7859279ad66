package local

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// parseProcArgs returns the environment in the answer of macOS's sysctl
// kern.procargs2: the number of arguments, the path of the executable, zero
// bytes, the arguments, the environment. It is here so that it is tested on
// every platform.
func parseProcArgs(data []byte) []string {
	if len(data) < 4 {
		return nil
	}
	count := int(binary.LittleEndian.Uint32(data))
	data = data[4:]
	end := bytes.IndexByte(data, 0)
	if end < 0 {
		return nil
	}
	data = bytes.TrimLeft(data[end:], "\x00")
	all := strings.Split(string(data), "\x00")
	if count < 0 || count > len(all) {
		return nil
	}
	env := all[count:]
	for i, v := range env {
		if v == "" { // what follows is the kernel's
			return env[:i]
		}
	}
	return env
}
