//go:build unix

package acceptance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// page is one page of a health address; a code of 0: nobody answers.
type page struct {
	code int
	text string
}

func get(address, path string) page {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + path)
	if err != nil {
		return page{}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return page{}
	}
	return page{response.StatusCode, string(text)}
}

// health is what /health says.
type health struct {
	Role     string
	Live     bool
	Ready    bool
	Reasons  []string
	State    string
	RunID    string `json:"run_id"`
	WorkerID string `json:"worker_id"`
}

func (p page) health(t *testing.T) (h health) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.text), &h); err != nil || (p.code == http.StatusOK) != h.Ready {
		t.Fatalf("no status: %d %s %v", p.code, p.text, err)
	}
	return h
}

// sum adds up the samples of a metric whose labels contain a text; 0 where there
// is none yet.
func (p page) sum(t *testing.T, metric, labels string) (total float64) {
	t.Helper()
	for line := range strings.Lines(p.text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if base, _, _ := strings.Cut(name, "{"); !ok || base != metric || !strings.Contains(name, labels) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(line, err)
		}
		total += n
	}
	return total
}

// served is where a role serves its health, as its log says.
var served = regexp.MustCompile(`health is served.*address"?[=:]"?([0-9.:]+)`)

// logged is the health address in the log of a worker.
func (s *site) logged(run, worker string) string {
	s.t.Helper()
	var address string
	until(s.t, 20*time.Second, worker+" says where it serves its health", func() bool {
		found := served.FindStringSubmatch(s.must("logs", run, "--worker", worker).stdout)
		if found != nil {
			address = found[1]
		}
		return found != nil
	})
	return address
}

// stops gathers what roles say of themselves while their run ends: they answer
// only as long as they live.
type stops struct {
	mu    sync.Mutex
	said  map[string]string // by address
	group sync.WaitGroup
}

// watch asks an address until nobody answers.
func (s *stops) watch(address string) {
	s.group.Go(func() {
		for {
			p := get(address, "/health")
			if p.code == 0 {
				return
			}
			var h health
			if json.Unmarshal([]byte(p.text), &h) == nil {
				s.mu.Lock()
				s.said[address] += fmt.Sprintln(h.State, h.Ready, h.Reasons)
				s.mu.Unlock()
			}
		}
	})
}

// pages has every page of every address while the run goes on, and checks what
// holds of each.
func pages(t *testing.T, addresses []string, secrets ...string) (metrics []page) {
	t.Helper()
	for _, address := range addresses {
		for _, path := range []string{"/health", "/health/live", "/health/ready", "/metrics"} {
			p := get(address, path)
			if p.code != http.StatusOK {
				t.Errorf("%s%s: %+v", address, path, p)
			}
			for _, secret := range secrets {
				if strings.Contains(p.text, secret) {
					t.Errorf("%s%s shows %s: %s", address, path, secret, p.text)
				}
			}
			if path == "/metrics" {
				metrics = append(metrics, p)
			}
		}
	}
	return metrics
}

// freeAddress is an address of loopback at which nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// secretSite is a site whose target's address nobody may show.
func secretSite(t *testing.T) (s *site, secret string) {
	t.Helper()
	if *launcherFlag == "docker" || *launcherFlag == "spcs" {
		t.Skip("the workers' health addresses are inside their containers, where TestAcceptanceDockerHealth and TestAcceptanceSPCSHealth ask")
	}
	s = newSite(t)
	if *targetFlag != "sqlite" {
		return s, s.database
	}
	secret = "hush-hush"
	path := filepath.Join(s.dir, secret+".db")
	if err := os.Rename(filepath.Join(s.dir, "target.db"), path); err != nil {
		t.Fatal(err)
	}
	s.with("BENCHFLEET_ENDPOINT_LOCAL=" + path)
	return s, secret
}

// TestAcceptanceHealth: while a run goes on its orchestrator and its workers say
// how it goes, each at an address of its own, and at its end that it ends.
func TestAcceptanceHealth(t *testing.T) {
	is := is.New(t)
	s, secret := secretSite(t)
	db := s.db()
	address := freeAddress(t)
	s.with("BENCHFLEET_HEALTH=" + address)
	running := s.start("run", "slow", "--duration", "1m") // whose workers take a while to drain
	running.says("health is served at http://" + address + "/health")
	run := s.reaches(db, "RUNNING", "MEASUREMENT")
	addresses := []string{address}
	for i := range 3 {
		addresses = append(addresses, s.logged(run, fmt.Sprint("worker-", i)))
	}
	for i, at := range addresses {
		h := get(at, "/health").health(t)
		is.Equal(h.RunID, run)
		is.Equal(h.State, "RUNNING")
		is.True(h.Ready)
		is.Equal(h.Reasons, []string{})
		if i == 0 {
			is.Equal(h.Role, "orchestrator")
			continue
		}
		is.Equal(h.Role, "worker")
		is.Equal(h.WorkerID, fmt.Sprint("worker-", i-1))
	}
	is.Equal(s.must("health").stdout, "orchestrator RUNNING: live true, ready true\n") // asks what the variable names
	is.Equal(s.must("health", "--address", addresses[1]).stdout, "worker RUNNING: live true, ready true\n")

	names := []string{"benchfleet_run_operations_total", "benchfleet_worker_operations_total", "benchfleet_worker_operations_total", "benchfleet_worker_operations_total"}
	before := pages(t, addresses, secret)
	for i, name := range names {
		least := before[i].sum(t, name, `outcome="ok"`)
		until(t, 30*time.Second, "counters rise at "+addresses[i], func() bool {
			return get(addresses[i], "/metrics").sum(t, name, `outcome="ok"`) > least
		})
	}
	all := pages(t, addresses, secret)
	is.Equal(all[0].sum(t, "benchfleet_run_workers", `life="READY"`), 3.0)
	is.Equal(all[1].sum(t, "benchfleet_worker_state", `state="RUNNING"`), 1.0)

	watch := &stops{said: map[string]string{}}
	for _, at := range addresses {
		watch.watch(at)
	}
	running.signal(syscall.SIGINT)
	is.Equal(running.wait(30*time.Second).code, 3)
	watch.group.Wait()
	is.True(strings.Contains(watch.said[address], "CANCELLING true []")) // it has work to do
	for _, at := range addresses[1:] {
		is.True(strings.Contains(watch.said[at], "DRAINING false [DRAINING: the run is CANCELLING]"))
	}
	c := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(c.Clean)
	for _, w := range c.Workers {
		is.Equal(w.Ending, "drained, reported and exited")
	}
	is.Equal(s.do("health").code, 2) // nobody is there any more
}

// TestAcceptanceHealthInTheBackground: an orchestrator in the background serves
// where it was told to, and its log is JSON, every line.
func TestAcceptanceHealthInTheBackground(t *testing.T) {
	is := is.New(t)
	s, secret := secretSite(t)
	db := s.db()
	address := freeAddress(t)
	run := strings.TrimSpace(s.must("run", "short", "--duration", "2s", "--detach", "--health", address).stdout)
	s.reaches(db, "RUNNING", "MEASUREMENT")
	pages(t, []string{address}, secret)
	o := s.do("run", "short", "--health", address) // which is not free
	is.Equal(o.code, 2)
	is.True(strings.Contains(o.stderr, "address already in use"))
	is.Equal(s.number(db, "SELECT COUNT(*) FROM RUN_STATUS"), int64(1))
	s.reaches(db, "COMPLETED", "")
	until(t, 10*time.Second, "its orchestrator is gone", func() bool { return len(orchestrators(t, run)) == 0 })

	text, err := os.ReadFile(filepath.Join(s.dir, "orchestrator-"+run+".log"))
	is.NoErr(err)
	is.True(!strings.Contains(string(text), secret))
	is.Equal(served.FindStringSubmatch(string(text))[1], address)
	is.True(strings.Contains(string(text), `"msg":"the run is COMPLETED"`))
	logged := checkLog(t, string(text))
	is.True(logged > 5)
	for i := range 3 { // what the workers wrote, as it is kept
		var lines []struct{ Message string }
		is.NoErr(json.Unmarshal([]byte(s.must("logs", run, "--worker", fmt.Sprint("worker-", i), "--output", "json").stdout), &lines))
		is.True(len(lines) > 3)
		is.True(served.MatchString(lines[0].Message)) // it is the first that a worker says
	}
}

// checkLog checks that each line is JSON with a time, a level and a message, and
// counts them.
func checkLog(t *testing.T, text string) (n int) {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); n++ {
		var record struct {
			Time  time.Time
			Level string
			Msg   string
		}
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil || record.Time.IsZero() || record.Level == "" || record.Msg == "" {
			t.Errorf("%q is no line of a log: %v", lines.Text(), err)
		}
	}
	return n
}
