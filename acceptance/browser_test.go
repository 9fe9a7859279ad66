//go:build unix

package acceptance

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// screens is where pictures of pages are kept for people to look at.
const screens = "../.artefacts/screens"

//go:embed testdata/looks.js
var looks string

// browser is a real Chromium without a window, at one page of a controller.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string // address of the controller, with a slash at its end
	user string // who the controller takes it for

	quick bool // how pages look is another test's business

	mu       sync.Mutex
	console  []string
	expected string // a part of what the browser itself says of a page that is not there
}

// newBrowser starts a browser, and ends it with the test. What pages write to the
// console fails the test: they have no reason to.
func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("BENCHFLEET_REQUIRE"), ","), "chromium"):
		t.Fatalf("BENCHFLEET_REQUIRE names chromium: %v", err)
	default:
		t.Skipf("needs a browser (Debian: chromium): %v", err)
	}
	// Without a sandbox, since tests run as root; the pages are our own.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, end := chromedp.NewContext(ctx)
	b := &browser{t: t, ctx: ctx, base: base, user: "local"}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(wide, height)); err != nil {
		t.Fatal("the browser does not start:", err)
	}
	messages := chromedp.Console(ctx)
	var reader sync.WaitGroup
	reader.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if strings.Contains(m.Text, tooQuick) {
				continue
			}
			b.mu.Lock()
			b.console = append(b.console, fmt.Sprintf("%s: %s (%s:%d)", m.Type, m.Text, m.URL, m.Line+1))
			b.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		end()
		cancel()
		reader.Wait()
		for _, m := range b.console {
			if b.expected == "" || !strings.Contains(m, b.expected) {
				t.Error("a page wrote to the console:", m)
			}
		}
	})
	return b
}

// tooQuick is what the browser says of a page with an autofocus when a test has
// chosen a field before the page's first frame, which no person does.
const tooQuick = "Autofocus processing was blocked because a document already has a focused element"

// The windows in which pages are looked at, in pixels.
const (
	wide   = 1280
	phone  = 390
	height = 900
)

// patience is how long a page may take to show what it is waited for.
const patience = 90 * time.Second

func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.keep("failed")
		b.t.Fatalf("%s: %v", what, err)
	}
}

// open goes to a page below the controller's address.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path))
}

// click presses what a selector finds, as a mouse does, when it is there to be seen.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// write writes with a keyboard.
func (b *browser) write(selector, text string) {
	b.t.Helper()
	b.do("see "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	value[bool](b, fmt.Sprintf(`document.querySelector(%q).select()`, selector)) // what is there is written over
	b.do("write into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// value is that of an expression in the page; the zero value while a page is on its
// way.
func value[T any](b *browser, expression string) (v T) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if errors.Is(err, context.DeadlineExceeded) {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// text is what an element says; empty where there is none.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf(`document.querySelector(%q)?.textContent.trim() ?? ""`, selector))
}

// shows waits until an element says a text.
func (b *browser) shows(selector, text string) {
	b.t.Helper()
	b.until(selector+" says "+text, func() bool { return strings.Contains(b.text(selector), text) })
}

// until waits for what the page is to show.
func (b *browser) until(what string, holds func() bool) {
	b.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			b.keep("failed")
			b.t.Fatalf("not within %s: %s; the page says: %.2000s", patience, what, b.text("main"))
		case <-poll.C:
		}
	}
}

// look judges how the page looks, wide and on a phone, light and dark, and keeps a
// picture of each.
func (b *browser) look(name string) {
	b.t.Helper()
	if b.quick {
		return
	}
	b.until("the page has its style sheets", func() bool { return value[string](b, `document.readyState`) == "complete" })
	for _, view := range []struct {
		name, scheme string
		width        int64
	}{{"wide", "light", wide}, {"dark", "dark", wide}, {"phone", "light", phone}, {"phone-dark", "dark", phone}} {
		b.scheme(view.scheme)
		b.do("resize", chromedp.EmulateViewport(view.width, height))
		for _, complaint := range value[[]string](b, looks) {
			b.t.Errorf("%s, %s: %s", name, view.name, complaint)
		}
		b.keep(name + "-" + view.name)
	}
	b.scheme("light")
	b.do("resize", chromedp.EmulateViewport(wide, height))
}

// tabs goes through the page by the keyboard: what is gone to shows it, in the order
// in which it is read.
func (b *browser) tabs(stops int) {
	b.t.Helper()
	value[bool](b, `document.activeElement.blur() || window.getSelection().removeAllRanges() || window.scrollTo(0, 0)`)
	for range stops {
		b.do("press Tab", chromedp.KeyEvent(kb.Tab))
		complaint := value[string](b, `(() => {
			const e = document.activeElement, style = getComputedStyle(e), before = window.tabbed;
			window.tabbed = e;
			if (e === document.body) return "";
			if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) return e.outerHTML.slice(0, 80) + " does not show that it has the focus";
			if (before?.isConnected && before !== document.body && before !== e && !(before.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)) return e.outerHTML.slice(0, 80) + " comes after what it stands before";
			return "";
		})()`)
		if complaint != "" {
			b.t.Error(complaint)
		}
	}
}

func (b *browser) scheme(name string) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
}

// keep keeps a picture of the whole page.
func (b *browser) keep(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(screens, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(screens, name+".png"), picture, 0o644)
	}
	if err != nil {
		b.t.Error("picture of", name, err)
	}
}
