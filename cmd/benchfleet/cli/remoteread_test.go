package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/ports"
)

// What a controller shows of a run is what the store shows of it.
func TestReadingThroughAController(t *testing.T) {
	is := is.New(t)
	s := serveSite(t)
	made, err := s.client.CreateRun(t.Context(), client.NewRun{Template: "oltp"}, "")
	is.NoErr(err)
	_, err = s.client.StopRun(t.Context(), made.ID, client.StopRun{Reason: "enough"})
	is.NoErr(err)
	store, err := openStore(t.Context(), "sqlite:"+filepath.Join(s.dir, "store.db"), os.Environ())
	is.NoErr(err)
	defer store.Close()
	var lines []ports.LogLine
	for i, worker := range []string{"", "worker-0", "worker-1"} {
		lines = append(lines, ports.LogLine{RunID: made.ID, WorkerID: worker, Sequence: 7, Time: time.Now().Add(time.Duration(i) * time.Millisecond), Level: "INFO", Message: "line " + worker})
	}
	is.NoErr(store.Logs().Append(t.Context(), lines))
	environ := append(os.Environ(), "BENCHFLEET_DIR="+s.dir)
	for _, command := range []string{
		"status RUN", "status RUN --output json", "events RUN", "events RUN --output json",
		"logs RUN", "logs RUN --output json", "logs RUN --worker worker-1", "logs RUN --follow",
	} {
		t.Run(command, func(t *testing.T) {
			is := is.New(t)
			args := strings.Fields(strings.ReplaceAll(command, "RUN", made.ID))
			near := run(t, environ, args...)
			far := run(t, environ, append(args, "--controller", s.url)...)
			is.Equal(near.code, ExitCompleted)
			is.Equal(far.code, ExitCompleted)
			is.Equal(masked(far.stdout), masked(near.stdout))
			is.True(!strings.HasPrefix(command, "logs") || strings.Contains(far.stdout, "worker-1"))
		})
	}
	for _, command := range []string{"status none", "events none", "logs none", "compare none other", "logs " + made.ID + " --worker worker-9"} {
		t.Run(command, func(t *testing.T) {
			is := is.New(t)
			far := run(t, environ, append(strings.Fields(command), "--controller", s.url)...)
			is.True(far.code != ExitCompleted)
			is.True(strings.Contains(far.stderr, "none") || strings.Contains(far.stderr, "worker-9")) // it says what is not there
		})
	}
}

// masked leaves out what the clock says, which goes on.
func masked(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, `"now"`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
