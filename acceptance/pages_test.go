//go:build unix

package acceptance

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/core"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/matryer/is"
)

// TestAcceptancePages does in a browser what a person does: imports a template, runs
// three workers, watches numbers move, presses Stop, sees CANCELLING and then
// CANCELLED with the certificate, compares two runs, and opens the report offline.
func TestAcceptancePages(t *testing.T) {
	atHand(t)
	needs(t, launcherFlag, "local", "pages do not know launchers")
	is := is.New(t)
	s := newSite(t)
	db := s.db()
	service, c := s.controller("--prefix", "/bench")
	b := newBrowser(t, servesAt.FindStringSubmatch(service.stderr.String())[1])

	b.open("")
	b.shows("main", "There are no runs yet")
	b.look("runs-none")
	b.imports(s.templates("pages.yaml"))
	run := b.startsRun("load.duration=1m")
	is.Equal(value[string](b, `location.pathname`), "/bench/runs/"+run)
	b.watches()
	b.stops(run)
	cert := s.checkEnded(t, db, run, "CANCELLED", "USER_REQUESTED")
	is.True(cert.Clean)
	is.Equal(cert.RequestedBy, "local")
	stopped, err := c.Run(t.Context(), run)
	is.NoErr(err)
	is.Equal(stopped.Detail, "seen enough <b>of it</b>")

	b.click(".head .primary") // run again
	second := b.startsRun("load.duration=4s\nload.warmup=1s\nmix[2].parameters[0].value=1000")
	b.shows(".sub .status", "COMPLETED")
	s.checkEnded(t, db, second, "COMPLETED", "ELAPSED")
	b.look("run-completed")
	b.reads()
	b.compares(run, second)
	b.opensOffline(c, run)
}

// imports writes a template by a file, after trying a wrong one.
func (b *browser) imports(file string) {
	b.t.Helper()
	b.click(".empty a")
	b.click(".head .primary")
	b.shows("#valid", "valid")
	b.until("the whole page", func() bool { return value[string](b, `document.readyState`) == "complete" })
	b.do("write nonsense", chromedp.SetValue(chromedp.CSS("#text"), "name: x\nloads: {}\n"), chromedp.SendKeys(chromedp.CSS("#text"), kb.End))
	value[bool](b, `document.getElementById("text").dispatchEvent(new Event("input"))`)
	b.shows("#problems", "line 2")
	b.look("template-wrong")
	b.do("choose a file", chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	b.until("the file's template is valid", func() bool {
		return value[bool](b, `!document.getElementById("valid").hidden && document.querySelector("[data-field=name]").value === "by-hand"`)
	})
	// A field changes the text.
	b.write("[data-field='load.think_time']", "6ms")
	b.click("#text")
	b.until("the text has what the field has", func() bool {
		return value[bool](b, `/think_time: "?6ms/.test(document.getElementById("text").value)`)
	})
	b.look("template-edit")
	b.click("button[value=save]")
	b.shows("main h1", "by-hand")
	b.look("template")
}

// startsRun starts a run from the page of a template.
func (b *browser) startsRun(set string) (id string) {
	b.t.Helper()
	b.do("set", chromedp.SetValue(chromedp.CSS("textarea[name=set]"), set))
	b.click("button[value=start]")
	b.until("the page of the run", func() bool {
		path := value[string](b, `location.pathname`)
		_, after, found := strings.Cut(path, "/runs/")
		id = after
		return found && after != ""
	})
	return id
}

// watches sees a run of three workers as it goes on.
func (b *browser) watches() {
	b.t.Helper()
	b.shows("#status", "RUNNING")
	b.until("three workers are healthy", func() bool { return b.text("#f-workers") == "3 / 3" })
	b.until("the measurement is marked as what happens now", func() bool {
		return value[bool](b, `document.querySelector(".phases [aria-current]")?.dataset.phase === "MEASUREMENT"`)
	})
	seen := map[string]bool{}
	b.until("the throughput has moved twice", func() bool {
		if text := b.text("#f-rate"); strings.HasSuffix(text, " op/s") && text != "0 op/s" {
			seen[text] = true
		}
		return len(seen) > 2
	})
	points := func() int {
		return value[int](b, `(document.querySelector("[data-chart=throughput] .chart-wide path.chart-line")?.getAttribute("d").match(/[ML]/g) ?? []).length`)
	}
	before := points()
	b.until("the chart has grown", func() bool { return before > 0 && points() > before })
	b.look("run-live")
	page := value[string](b, `location.href`)
	b.open("runs")
	b.shows("tbody .status", "RUNNING")
	b.look("runs-active")
	b.do("back to the run", chromedp.Navigate(page))
	b.shows("#status", "RUNNING")
}

// stops presses Stop, by the keyboard, and sees what that does.
func (b *browser) stops(run string) {
	b.t.Helper()
	b.until("a statement of a second has been measured", func() bool { return b.text("#f-p99") != "–" })
	b.do("press Stop", chromedp.Focus(chromedp.CSS("#stop")), chromedp.KeyEvent(kb.Enter))
	b.until("it asks why", func() bool { return value[bool](b, `document.getElementById("stop-dialog").open`) })
	b.look("run-stop")
	b.write("#stop-dialog [name=reason]", "seen enough <b>of it</b>")
	b.click("#stop-dialog .danger")
	b.shows("#status", "CANCELLING")
	b.shows("#ending", "Stop requested by "+b.user+": seen enough <b>of it</b>")
	b.keep("run-cancelling")
	b.shows(".sub .status", "CANCELLED")
	b.until("the certificate", func() bool {
		return strings.Contains(value[string](b, `document.querySelector("[aria-labelledby=stop]")?.textContent ?? ""`), "Clean")
	})
	certificate := value[string](b, `document.querySelector("[aria-labelledby=stop]").textContent`)
	for _, text := range []string{"worker-0", "worker-1", "worker-2", "USER_REQUESTED", "by " + b.user} {
		if !strings.Contains(certificate, text) {
			b.t.Errorf("the stop certificate does not say %q: %s", text, certificate)
		}
	}
	if n := value[int](b, `document.querySelectorAll("main b b, main p b").length`); n != 0 {
		b.t.Error("the reason became markup")
	}
	b.look("run-cancelled")
}

// reads goes through what else a run has left.
func (b *browser) reads() {
	b.t.Helper()
	page := value[string](b, `location.href`)
	b.click(".toc a[href$='/executions']")
	b.shows("main h1", "Executions")
	b.until("rows", func() bool { return value[int](b, `document.querySelectorAll("tbody tr").length`) > 10 })
	b.look("executions")
	b.do("back to the run", chromedp.Navigate(page))
	b.click(".toc a[href$='/logs']")
	b.shows("main h1", "Log")
	lines := `[...document.querySelectorAll("#log-list .line")].filter((l) => !l.hidden).length`
	all := value[int](b, lines)
	b.write("#log-text", "COMPLETED")
	b.until("the filter leaves some", func() bool { n := value[int](b, lines); return n > 0 && n < all })
	b.look("log")
}

// compares picks two runs and compares them.
func (b *browser) compares(first, second string) {
	b.t.Helper()
	b.open("runs")
	b.look("runs")
	b.click("input[value='" + first + "']")
	b.shows("#picked", "at least one more")
	b.click("input[value='" + second + "']")
	b.click("#compare button")
	b.shows("main h1", "Compare")
	b.until("the whole page", func() bool { return value[string](b, `document.readyState`) == "complete" })
	page := b.text("main")
	for _, text := range []string{"B beside A", "95% interval", "throughput", "What else is not alike", first, second} {
		if !strings.Contains(page, text) {
			b.t.Errorf("the comparison does not say %q", text)
		}
	}
	if n := value[int](b, `document.querySelectorAll(".chart-wide svg").length`); n < 4 {
		b.t.Errorf("the comparison has %d charts", n)
	}
	b.look("compare")
}

// opensOffline saves the report and opens it without a network.
func (b *browser) opensOffline(c *client.Client, run string) {
	b.t.Helper()
	b.open("runs/" + run)
	b.click(".menu summary")
	b.look("run-downloads")
	address := value[string](b, `document.querySelector(".menu a[href$='/html']").href`)
	response, err := http.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	file := filepath.Join(b.t.TempDir(), "report.html")
	out, err := os.Create(file)
	if err == nil {
		_, err = out.ReadFrom(response.Body)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil || response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Disposition"), "attachment") {
		b.t.Fatal("the report cannot be saved:", response.Status, err)
	}
	offline := network.OverrideNetworkStateParams{Offline: true, DownloadThroughput: -1, UploadThroughput: -1}
	if _, err := chromedp.Call(b.ctx, network.OverrideNetworkState, offline); err != nil {
		b.t.Fatal(err)
	}
	b.do("open the report", chromedp.Navigate("file://"+file))
	b.shows("h1", "by-hand")
	if n := value[int](b, `document.querySelectorAll(".chart-wide svg").length`); n < 3 {
		b.t.Errorf("the report has %d charts", n)
	}
	if n := value[int](b, `performance.getEntriesByType("resource").length`); n != 0 {
		b.t.Errorf("the report has asked for %d things", n)
	}
	b.look("report-offline")
}

// TestAcceptancePagesPrepared: a prepared run is started from its page, and stopped
// from the page for browsers without scripts.
func TestAcceptancePagesPrepared(t *testing.T) {
	atHand(t)
	needs(t, launcherFlag, "local", "pages do not know launchers")
	is := is.New(t)
	s := newSite(t)
	service, c := s.controller()
	run, err := c.CreateRun(t.Context(), client.NewRun{Template: "short", Set: []string{"load.duration=1m"}}, "")
	is.NoErr(err)
	b := newBrowser(t, servesAt.FindStringSubmatch(service.stderr.String())[1])
	b.open("runs/" + run.ID)
	b.shows("#status", "PREPARED")
	b.look("run-prepared")
	b.tabs(9)
	b.click("#start button")
	b.shows("#status", "RUNNING")
	b.open("runs/" + run.ID + "/stop") // as without scripts
	b.look("stop")
	b.write("[name=reason]", "enough")
	b.click(".danger")
	b.shows(".sub .status", "CANCELLED")
	ended := s.endsAs(c, run.ID, core.Cancelled)
	is.Equal(ended.Detail, "enough")
	b.expected = "status of 404"
	b.open("runs/nothing-like-this")
	b.shows("main h1", "Not found")
	b.look("problem")
}

// TestAcceptancePagesLogin: who has no token sees how to come in, a viewer sees
// everything and changes nothing, an operator may stop; and twenty workers fit on a
// page.
func TestAcceptancePagesLogin(t *testing.T) {
	atHand(t)
	needs(t, launcherFlag, "local", "pages do not know launchers")
	is := is.New(t)
	s := newSite(t)
	tokens := filepath.Join(s.dir, "tokens")
	operator := strings.TrimSpace(s.must("token", "ada", "--token-file", tokens).stdout)
	viewer := strings.TrimSpace(s.must("token", "wall", "--role", "viewer", "--token-file", tokens).stdout)
	service := s.start("controller", "--listen", "127.0.0.1:0", "--token-file", tokens, "--prefix", "/bench")
	service.says("the controller serves")
	base := servesAt.FindStringSubmatch(service.stderr.String())[1]
	c, err := client.New(base, client.Options{Token: operator})
	is.NoErr(err)
	run, err := c.CreateRun(t.Context(), client.NewRun{Template: "short", Start: true, Set: []string{"load.duration=1m", "load.workers=20", "load.connections=1", "load.think_time=20ms"}}, "")
	is.NoErr(err)

	b := newBrowser(t, base)
	b.expected = "status of 40"
	b.open("runs/" + run.ID)
	b.look("login")
	b.write("#token", viewer+"x")
	b.click("form button")
	b.shows("[role=alert]", "lets nobody in")
	b.look("login-wrong")
	b.write("#token", viewer)
	b.click("form button")
	b.shows("#status", "RUNNING") // the page that was asked for
	b.shows("#f-workers", "20 / 20")
	is.Equal(value[int](b, `document.querySelectorAll("#stop, #start, #check").length`), 0)
	b.look("run-live-20-viewer")
	b.tabs(8)
	b.open("runs/" + run.ID + "/stop")
	b.look("stop-viewer")
	is.Equal(value[int](b, `document.querySelectorAll("form[action*=stop]").length`), 0)
	b.open("templates/short")
	b.look("template-viewer")
	b.click(".who button")
	b.write("#token", operator)
	b.click("form button")
	b.shows("main h1", "Runs")
	b.open("runs/" + run.ID)
	b.click("#stop")
	b.write("#stop-dialog [name=reason]", "seen by both")
	b.click("#stop-dialog .danger")
	b.shows(".sub .status", "CANCELLED")
	ended, err := c.Run(t.Context(), run.ID)
	is.NoErr(err)
	is.Equal(ended.StopBy, "ada")
}
