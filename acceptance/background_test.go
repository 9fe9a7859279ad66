//go:build unix

package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestAcceptanceInTheBackground: a run that is started in the background is
// watched, followed and stopped from other terminals.
func TestAcceptanceInTheBackground(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	run := strings.TrimSpace(s.must("run", "short", "--duration", "1m", "--detach").stdout)
	is.Equal(s.newest(db), run) // stdout is the id and nothing else
	s.reaches(db, "RUNNING", "MEASUREMENT")
	is.Equal(len(s.workers(run)), 3)
	if runtime.GOOS == "linux" {
		is.Equal(len(orchestrators(t, run)), 1)
	}
	var status struct {
		Status     string
		OwnerAlive bool `json:"owner_alive"`
		Workers    []any
	}
	is.NoErr(json.Unmarshal([]byte(s.must("status", run, "--output", "json").stdout), &status))
	is.Equal(status.Status, "RUNNING")
	is.True(status.OwnerAlive)
	is.Equal(len(status.Workers), 3)

	is.Equal(s.text(db, "SELECT STATUS FROM TEST_RESULTS WHERE TEST_ID = ? AND END_TIME IS NULL", run), "RUNNING") // its row is there
	is.True(strings.Contains(s.must("result", run).stdout, "there is no result yet: the run is RUNNING"))
	until(t, 10*time.Second, "what the orchestrator logged is stored", func() bool {
		return strings.Contains(s.must("logs", run).stdout, "the run is RUNNING")
	})

	watch, follow, brief := s.start("watch", run), s.start("logs", run, "--follow"), s.start("watch", run)
	brief.says("MEASUREMENT")
	brief.signal(syscall.SIGINT)
	is.Equal(brief.wait(10*time.Second).code, 3) // the watcher leaves
	follow.says("worker-2")
	second := s.do("orchestrator", "--run", run)
	is.Equal(second.code, 2)
	is.True(strings.Contains(second.stderr, "which lives"))
	is.Equal(s.collected("gc"), "")
	is.Equal(s.text(db, "SELECT STATUS FROM RUN_STATUS WHERE RUN_ID = ?", run), "RUNNING") // and the run goes on

	stop := s.must("stop", run, "--reason", "seen enough")
	is.True(strings.Contains(stop.stdout, "CANCELLED"))
	watched := watch.wait(20 * time.Second)
	is.Equal(watched.code, 3) // as run would have
	is.True(strings.Contains(watched.stdout, "PARTIAL RESULT"))
	followed := follow.wait(20 * time.Second)
	t.Log(followed)
	is.Equal(followed.code, 0)
	s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	until(t, 10*time.Second, "its orchestrator is gone", func() bool { return len(orchestrators(t, run)) == 0 })
	is.True(strings.Contains(s.must("logs", run, "--worker", "worker-1").stdout, "worker-1")) // kept
	is.True(strings.Contains(s.must("logs", run).stdout, "the run is CANCELLED"))
}

func TestAcceptanceInTheBackgroundRefused(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	o := s.do("run", "short", "--detach", "--set", "table.name=NOT_THERE")
	is.Equal(o.code, 4)
	is.Equal(o.stdout, "")
	is.True(strings.Contains(o.stderr, "--set table.name=NOT_THERE"))
	is.Equal(s.number(s.db(), "SELECT USAGE_COUNT FROM TEST_TEMPLATES WHERE TEMPLATE_NAME = ?", "short"), int64(0)) // nothing was run
	until(t, 10*time.Second, "its orchestrator is gone", func() bool { return len(orchestrators(t, s.newest(s.db()))) == 0 })
}

// orchestrators are the processes that drive a run in the background. Their
// settings, which may hold secrets, are in no argument.
func orchestrators(t *testing.T, run string) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.HasSuffix(line, []byte("orchestrator\x00--run\x00"+run+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// TestAcceptanceTwoAtOnce: two runs on one data directory do not disturb each
// other.
func TestAcceptanceTwoAtOnce(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	one, two := s.start("run", "short", "--duration", "1s"), s.start("run", "short", "--duration", "3s")
	for _, r := range []*running{one, two} {
		o := r.wait(60 * time.Second)
		t.Log(o)
		is.Equal(o.code, 0)
	}
	for _, seconds := range []string{"1", "3"} {
		run := s.text(db, "SELECT RUN_ID FROM RUN_STATUS WHERE SCENARIO_CONFIG LIKE ?", `%"duration":"`+seconds+`s"%`)
		c := s.checkEnded(t, db, run, "COMPLETED", "ELAPSED")
		is.True(c.Clean)
		s.checkConserved(t, db, run)
		is.Equal(s.number(db, "SELECT ERROR_OPERATIONS FROM TEST_RESULTS WHERE TEST_ID = ?", run), int64(0)) // their inserts do not meet
	}
	s.checkFile("store.db")
	s.checkTarget()
}

// TestAcceptanceNobodyReads: a run goes on when what it says is no longer read,
// as behind "| head".
func TestAcceptanceNobodyReads(t *testing.T) {
	once(t)
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	reader, writer, err := os.Pipe()
	is.NoErr(err)
	r := s.command("run", "short", "--duration", "1s")
	r.cmd.Stderr = writer
	r.begin()
	is.NoErr(writer.Close())
	_, err = reader.Read(make([]byte, 1))
	is.NoErr(err)
	is.NoErr(reader.Close())
	is.Equal(r.wait(30*time.Second).code, 0)
	s.checkEnded(t, db, s.newest(db), "COMPLETED", "ELAPSED")
}

func TestAcceptancePrepareInterrupted(t *testing.T) {
	is := is.New(t)
	s := newSite(t)
	prepare := s.start("prepare", "short", "--rows", "3000000")
	until(t, 30*time.Second, "some rows are there", func() bool { return s.rows() > 10000 })
	prepare.signal(syscall.SIGINT)
	o := prepare.wait(20 * time.Second)
	t.Log(o)
	is.Equal(o.code, 3)
	is.True(strings.Contains(o.stderr, "of 3,000,000 rows; the same command goes on there"))
	there := s.rows()
	is.True(there < 3000000)
	o = s.must("prepare", "short", "--rows", "20000") // of which it has some
	is.True(strings.Contains(o.stdout, "20,000 rows"))
	is.Equal(s.rows(), max(there, 20000))
	s.checkTarget()
	is.Equal(s.do("prepare", "short", "--drop").code, 0)
	is.Equal(s.do("run", "short").code, 4) // and then it is missing
}
