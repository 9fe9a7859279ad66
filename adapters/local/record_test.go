package local

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/matryer/is"
)

// Every key has a folder of its own, and the folder tells the key.
func TestFolderOf(t *testing.T) {
	is := is.New(t)
	ids := []string{"a", "A", "a.1", "a.1.1", ".", "..", ".released-x", "a/b", `a\b`, "a%b", "a%2Fb", "a b", "ü", "\x00", "CON", "worker-0", "-", strings.Repeat("x", 200)}
	seen := map[string]core.WorkerKey{}
	for _, run := range ids {
		for _, worker := range ids {
			for _, epoch := range []int{0, 1, 11} {
				key := core.WorkerKey{RunID: run, WorkerID: worker, Epoch: epoch}
				folder, err := folderOf(key)
				is.NoErr(err)
				other, twice := seen[folder]
				if twice {
					t.Errorf("%+v and %+v share %s", key, other, folder)
				}
				seen[folder] = key
				back, ok := keyOf(folder)
				is.True(ok)
				is.Equal(back, key)
				is.True(filepath.IsLocal(filepath.FromSlash(folder)))
				is.True(validFolder.MatchString(folder))
			}
		}
	}
	for _, key := range []core.WorkerKey{
		{RunID: strings.Repeat("x", 256), WorkerID: "w", Epoch: 1},
		{RunID: "r", WorkerID: strings.Repeat("ü", 50), Epoch: 1},
		{RunID: "r", WorkerID: "w", Epoch: -1},
	} {
		_, err := folderOf(key)
		is.Equal(core.CodeOf(err), core.Invalid)
	}
	for _, folder := range []string{"r", "r/w", "r/w.x", "r/w.1.1", "r/%ZZ.1", "r/w.99999999999999999999"} {
		_, ok := keyOf(folder)
		is.True(!ok)
	}
}

func TestIDOf(t *testing.T) {
	is := is.New(t)
	id := newID()
	is.Equal(idOf("/x/"+exitName(id)), id)
	for _, bad := range []string{"", "/", "exit-.json", "/x/exit-123.json", "/x/" + reapedName(id), exitName(id) + ".tmp"} {
		is.Equal(idOf(bad), "")
	}
}

func TestMarkedBy(t *testing.T) {
	is := is.New(t)
	id := newID()
	whole := []string{"PATH=/bin", ports.EnvRunID + "=r", ports.EnvWorkerID + "=w=1", ports.EnvEpoch + "=3", ports.EnvExitRecord + "=/d/" + exitName(id), ""}
	m, ok := markedBy(whole)
	is.True(ok)
	is.Equal(m.id, id)
	is.Equal(m.key, core.WorkerKey{RunID: "r", WorkerID: "w=1", Epoch: 3})
	for i := 1; i <= 4; i++ {
		less := append([]string(nil), whole...)
		less[i], _, _ = strings.Cut(less[i], "=")
		if _, ok := markedBy(less); ok {
			t.Errorf("marked without a value of %s", less[i])
		}
	}
	_, ok = markedBy(nil)
	is.True(!ok)
}

func TestExitOf(t *testing.T) {
	is := is.New(t)
	is.Equal(exitOf(0), exit{})
	is.Equal(exitOf(3<<8).String(), "exited with code 3")
	is.Equal(exitOf(9), exit{Code: -1, Signal: 9})
	is.Equal(exitOf(11|0x80), exit{Code: -1, Signal: 11}) // with a core dump
	is.Equal(exit{Code: -1, Signal: 9}.String(), "killed by signal 9 (killed)")
}

func TestNewest(t *testing.T) {
	is := is.New(t)
	for _, c := range []struct {
		data  string
		limit int
		want  string
	}{
		{"", 5, ""},
		{"a\nb\n", 4, "a\nb\n"},
		{"a\nb\n", 3, "b\n"},
		{"a\nb\n", 2, "b\n"},
		{"a\nb\n", 1, "\n"},
		{"a\nb", 1, "b"},
		{"a\nlong", 3, "ong"},
		{"one\ntwo\nthree", 9, "two\nthree"},
		{"one\ntwo\nthree", 8, "three"},
	} {
		is.Equal(string(ports.NewestLines([]byte(c.data), c.limit)), c.want) // c.data, c.limit
		path := filepath.Join(t.TempDir(), "log")
		is.NoErr(os.WriteFile(path, []byte("before\n"+c.data), 0o600))
		got, err := tail(path, c.limit)
		is.NoErr(err)
		is.Equal(string(got), string(ports.NewestLines([]byte("before\n"+c.data), c.limit)))
	}
}

// The layout is that of xnu's sysctl_procargsx.
func TestParseProcArgs(t *testing.T) {
	is := is.New(t)
	answer := func(count uint32, text string) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, count), text...)
	}
	is.Equal(parseProcArgs(answer(2, "/bin/x\x00\x00\x00\x00x\x00arg one\x00A=1\x00B=\nc\x00\x00executable_path=x\x00")), []string{"A=1", "B=\nc"})
	is.Equal(parseProcArgs(answer(1, "/bin/x\x00x\x00A=1\x00")), []string{"A=1"})
	is.Equal(len(parseProcArgs(answer(1, "/bin/x\x00x\x00"))), 0)
	for _, bad := range [][]byte{nil, {1}, answer(1, "no end"), answer(9, "/bin/x\x00x\x00"), answer(1<<31, "/bin/x\x00x\x00")} {
		is.Equal(len(parseProcArgs(bad)), 0)
	}
}

func FuzzParseProcArgs(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00/bin/x\x00x\x00A=1\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range parseProcArgs(data) {
			if v == "" {
				t.Error("an empty variable")
			}
		}
	})
}
