package spcs

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

func TestStates(t *testing.T) {
	is := is.New(t)
	for status, want := range map[string]ports.LaunchState{
		"PENDING": ports.LaunchPending, "RUNNING": ports.LaunchRunning, "CANCELLING": ports.LaunchRunning, "DELETING": ports.LaunchRunning,
		"DONE": ports.LaunchGone, "FAILED": ports.LaunchGone, "CANCELLED": ports.LaunchGone, "DELETED": ports.LaunchGone, "INTERNAL_ERROR": ports.LaunchGone,
		"": ports.LaunchGone, "SOMETHING_NEW": ports.LaunchRunning,
	} {
		is.Equal(stateOf(status), want)
	}
}

func TestEnds(t *testing.T) {
	is := is.New(t)
	for _, c := range []struct {
		status string
		box    row
		code   int
		cause  string
	}{
		{"DONE", row{"last_exit_code": "0", "message": "Completed successfully", "start_time": "x"}, 0, "exited with code 0"},
		{"FAILED", row{"last_exit_code": "3", "message": "User application error, check container logs", "start_time": "x"}, 3, "exited with code 3"},
		{"FAILED", row{"last_exit_code": "137", "message": "Container was OOMKilled,\nit used more", "start_time": "x"}, 137, "killed by signal 9 (code 137): Container was OOMKilled, it used more"},
		{"FAILED", row{"last_exit_code": "0", "message": "The node was replaced", "start_time": "x"}, 0, "exited with code 0: The node was replaced"},
		{"CANCELLED", row{"last_exit_code": "0", "message": "Completed successfully", "start_time": "x"}, 0, "exited with code 0"},
		{"CANCELLED", row{"last_exit_code": "143", "start_time": "x"}, 143, "killed by signal 15 (code 143)"},
		{"CANCELLED", row{"message": "Failed to pull image"}, -1, "never started: Failed to pull image"},
		{"CANCELLED", nil, -1, "never started"},
		{"FAILED", row{"start_time": "x", "message": "The node was replaced"}, -1, "ended, and how is not known: The node was replaced"},
		{"INTERNAL_ERROR", row{"start_time": "x"}, -1, "ended, and how is not known (Snowflake's own error)"},
	} {
		is.Equal(endOf(c.status, c.box), ports.WorkerStatus{State: ports.LaunchGone, ExitCode: c.code, Cause: c.cause})
	}
}

// A job that was not asked yet is told to wait for what the newest one waits for.
func TestCausesOfWaiting(t *testing.T) {
	is := is.New(t)
	w := waits{messages: map[string]string{}}
	is.Equal(w.cause("a"), "pending: accepted, not placed on a node yet")
	w.messages["a"], w.newest = "Failed to pull image", "Failed to pull image"
	w.pool = poolTrouble("P", row{"state": "ACTIVE", "error_code": codeFull, "status_message": "Compute pool has reached the maximum node limit."})
	is.Equal(w.cause("b"), "pending: Failed to pull image; compute pool P: Compute pool has reached the maximum node limit. (392508); run: ALTER COMPUTE POOL P SET MAX_NODES = more, or start fewer workers")

	is.Equal(poolTrouble("P", row{"state": "ACTIVE", "error_code": "0"}), "")
	is.Equal(poolTrouble("P", row{"state": "IDLE"}), "")
	is.Equal(poolTrouble("P", row{"state": "STARTING"}), "compute pool P is starting")
	is.True(strings.HasSuffix(poolTrouble("P", row{"state": "SUSPENDED", "auto_resume": "false"}), "ALTER COMPUTE POOL P RESUME"))
	is.True(strings.Contains(poolTrouble("P", row{"state": "STARTING", "error_code": codeCapacity, "status_message": "CAPACITY_ERROR."}), "another instance family"))
}

func TestHandles(t *testing.T) {
	is := is.New(t)
	h := handle{"AB12", "BENCH", "DB", "S", "BF_X_1"}
	back, err := decode(h.encode())
	is.NoErr(err)
	is.Equal(back, h)
	is.Equal(back.path(), "DB.S.BF_X_1")
	good := h.encode()
	for _, bad := range []core.Handle{
		{}, {Launcher: "docker", Version: 1, Data: good.Data}, {Launcher: name, Version: 2, Data: good.Data}, {Launcher: name, Version: 1, Data: []byte("x")},
		handle{"AB12", "BENCH", "DB", "S", "x; DROP SERVICE y"}.encode(), handle{"AB12", "BENCH", "DB", `"s"`, "X"}.encode(), handle{"", "BENCH", "DB", "S", "X"}.encode(),
	} {
		_, err := decode(bad)
		is.Equal(core.CodeOf(err), core.Invalid)
	}
}

func TestNewestLines(t *testing.T) {
	is := is.New(t)
	is.Equal(string(ports.NewestLines([]byte("one\ntwo\nthree\n"), 100)), "one\ntwo\nthree\n")
	is.Equal(string(ports.NewestLines([]byte("one\ntwo\nthree\n"), 10)), "two\nthree\n")
	is.Equal(string(ports.NewestLines([]byte("one\ntwo\nthree\n"), 9)), "three\n")
	is.Equal(string(ports.NewestLines([]byte("one\ntwo\nthree\n"), 3)), "ee\n")
}

func TestPrivileges(t *testing.T) {
	is := is.New(t)
	l := made(t, Options{Pool: "p", Image: "/db/s/r/b:1", Warehouse: "w", EAIs: []string{"e"}, Secrets: map[string]string{"A": "d.s.o"}})
	held := privileges{}
	var lacks []string
	look := func() {
		lacks = nil
		for _, n := range l.needs() {
			if !held.has(n) {
				lacks = append(lacks, n.grant("R"))
			}
		}
	}
	look()
	is.Equal(lacks, strings.Split(l.grants("R"), "; "))
	is.Equal(lacks, []string{
		"GRANT USAGE ON DATABASE DB TO ROLE R", "GRANT USAGE ON SCHEMA DB.SERVICES TO ROLE R", "GRANT CREATE SERVICE ON SCHEMA DB.SERVICES TO ROLE R",
		"GRANT USAGE ON COMPUTE POOL P TO ROLE R", "GRANT READ ON IMAGE REPOSITORY DB.S.R TO ROLE R", "GRANT USAGE ON WAREHOUSE W TO ROLE R",
		"GRANT USAGE ON INTEGRATION e TO ROLE R", "GRANT READ ON SECRET D.S.O TO ROLE R",
	})
	held[privilegeKey("DATABASE", "DB")] = []string{"USAGE"}
	held[privilegeKey("SCHEMA", "DB.SERVICES")] = []string{"OWNERSHIP"}
	held[privilegeKey("COMPUTE_POOL", "P")] = []string{"MONITOR"}
	held[privilegeKey("IMAGE_REPOSITORY", "DB.S.R")] = []string{"WRITE"}
	held[privilegeKey("WAREHOUSE", "W")] = []string{"USAGE"}
	held[privilegeKey("INTEGRATION", "E")] = []string{"USAGE"}
	held[privilegeKey("SECRET", `"D"."S"."O"`)] = []string{"READ"}
	look()
	is.Equal(lacks, []string{"GRANT USAGE ON COMPUTE POOL P TO ROLE R"})
}
