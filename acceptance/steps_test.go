//go:build unix

package acceptance

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRunbookSteps does in a browser what a runbook says, one step a line, for the
// shell that walks it:
//
//	open ADDRESS
//	press WHAT IS WRITTEN ON A BUTTON OR LINK
//	write BEGINNING OF A LABEL = TEXT ⏎ TEXT OF THE NEXT LINE
//	see TEXT
func TestRunbookSteps(t *testing.T) {
	if os.Getenv(envSteps) == "" {
		t.Skip("runbooks are walked by task runbooks")
	}
	b := newBrowser(t, "")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		b.step(strings.TrimSpace(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// step does one line of a runbook.
func (b *browser) step(line string) {
	b.t.Helper()
	what, rest, _ := strings.Cut(line, " ")
	switch what {
	case "":
	case "open":
		b.open(rest)
	case "press":
		b.mark(line, fmt.Sprintf(`(e) => e.textContent.trim() === %q`, rest), "button, a, summary")
		b.do(line, chromedp.Click(chromedp.CSS("[data-walked]")))
	case "write":
		label, text, _ := strings.Cut(rest, " = ")
		b.mark(line, fmt.Sprintf(`(e) => [...e.labels].some((l) => l.textContent.trim().startsWith(%q))`, label), "input:not([type=hidden]), textarea")
		b.do(line, chromedp.SendKeys(chromedp.CSS("[data-walked]"), strings.ReplaceAll(text, " ⏎ ", "\n")))
	case "see":
		b.until(line, func() bool {
			return strings.Contains(strings.ToUpper(value[string](b, `document.body?.innerText ?? ""`)), strings.ToUpper(rest))
		})
	default:
		b.t.Fatalf("a step is %q; allowed: open, press, write, see", line)
	}
}

// mark waits until the page is whole and shows an element of that kind, in an open
// dialog if there is one, and marks it.
func (b *browser) mark(line, holds, selector string) {
	b.t.Helper()
	b.until(line, func() bool {
		return value[bool](b, fmt.Sprintf(`(() => {
			if (document.readyState !== "complete") return false;
			document.querySelectorAll("[data-walked]").forEach((e) => e.removeAttribute("data-walked"));
			const all = (document.querySelector("dialog[open]") ?? document).querySelectorAll(%q);
			const found = [...all].filter((e) => e.checkVisibility()).find(%s);
			found?.setAttribute("data-walked", "");
			return !!found;
		})()`, selector, holds))
	})
}
