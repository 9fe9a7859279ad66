package yardstick

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

const listFile = "tests.txt"

// What a line of the list says after the name, besides a reason.
const (
	passes       = "pass"
	passesSlowly = "pass slowly" // it takes most of a minute
	notRun       = "not run: "   // a reason follows: it takes long to fail
)

// entry is a line of the list: a test of the driver, and what is known of it.
type entry struct{ test, says string }

func (e entry) passes() bool { return e.says == passes || e.says == passesSlowly }

// list is tests.txt: comments, and entries sorted by name.
type list struct {
	driver   string // the module's path and version, of the first line
	comments []string
	entries  []entry
}

// parse reads a list, and refuses one that is not as write makes it.
func parse(text string) (l list, err error) {
	scanner := bufio.NewScanner(strings.NewReader(text))
	for n := 1; scanner.Scan(); n++ {
		line := scanner.Text()
		if comment, ok := strings.CutPrefix(line, "#"); ok && len(l.entries) == 0 {
			if n == 1 {
				l.driver = strings.TrimSpace(comment)
			}
			l.comments = append(l.comments, line)
			continue
		}
		test, says, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(test, "Test") || says == "" || says != strings.TrimSpace(says) {
			return l, fmt.Errorf("line %d is %q; expected: a test's name, a blank, and pass or a reason", n, line)
		}
		if last := len(l.entries) - 1; last >= 0 && l.entries[last].test >= test {
			return l, fmt.Errorf("line %d: %s does not come after %s", n, test, l.entries[last].test)
		}
		l.entries = append(l.entries, entry{test, says})
	}
	if l.driver == "" {
		return l, fmt.Errorf("the first line is no comment that names the driver's module and version")
	}
	return l, scanner.Err()
}

func (l list) String() string {
	var b strings.Builder
	for _, comment := range l.comments {
		fmt.Fprintln(&b, comment)
	}
	for _, e := range l.entries {
		fmt.Fprintln(&b, e.test, e.says)
	}
	return b.String()
}

// tests are the names of the entries that are wanted.
func (l list) tests(wanted func(entry) bool) (names []string) {
	for _, e := range l.entries {
		if wanted(e) {
			names = append(names, e.test)
		}
	}
	return names
}

func (l list) says(test string) string {
	i := slices.IndexFunc(l.entries, func(e entry) bool { return e.test == test })
	return l.entries[i].says
}

func readList(t *testing.T) list {
	t.Helper()
	text, err := os.ReadFile(listFile)
	if err != nil {
		t.Fatal(err)
	}
	l, err := parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", listFile, err)
	}
	return l
}

func TestParse(t *testing.T) {
	is := is.New(t)
	const good = "# example.org/m v1.2.3\n# more\nTestA pass\nTestB pass slowly\nTestC needs a moon\n"
	l, err := parse(good)
	is.NoErr(err)
	is.Equal(l.driver, "example.org/m v1.2.3")
	is.Equal(l.String(), good)
	is.Equal(l.tests(entry.passes), []string{"TestA", "TestB"})
	is.Equal(l.says("TestC"), "needs a moon")
	for _, bad := range []string{
		"TestA pass\n", "# m v1\nTestB pass\nTestA pass\n", "# m v1\nTestA pass\nTestA pass\n", "# m v1\nTestA\n", "# m v1\nTestA \n", "# m v1\nA pass\n",
		"# m v1\nTestA pass\n# late\n",
	} {
		_, err := parse(bad)
		is.True(err != nil) // a list that is not as it must be
	}
}
