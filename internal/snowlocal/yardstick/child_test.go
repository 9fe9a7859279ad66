package yardstick

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

const childVariable = "YARDSTICK_CHILD"

// child skips a test that is there only to be run by TestRun.
func child(t *testing.T) {
	t.Helper()
	if os.Getenv(childVariable) == "" {
		t.Skip("it is run by TestRun, in a process of its own")
	}
}

func TestChildPasses(t *testing.T) {
	child(t)
	t.Run("with a part", func(*testing.T) {})
	fmt.Print("a line that does not end")
}

func TestChildFails(t *testing.T) {
	child(t)
	t.Run("in a part", func(t *testing.T) { t.Error("a reason") })
}

func TestChildSkips(t *testing.T) {
	child(t)
	t.Skip("a reason")
}

func TestChildHangs(t *testing.T) {
	child(t)
	fmt.Println("it waits")
	time.Sleep(time.Minute) // nobody waits for it
}

func TestChildCrashes(t *testing.T) {
	child(t)
	panic("a reason")
}

// TestRun runs the tests above as the driver's are run.
func TestRun(t *testing.T) {
	is := is.New(t)
	binary, err := os.Executable()
	is.NoErr(err)
	d := driver{folder: t.TempDir(), binary: binary}
	names := []string{"TestChildPasses", "TestChildFails", "TestChildSkips", "TestChildHangs", "TestChildCrashes"}
	env := append(os.Environ(), childVariable+"=1")
	outcomes, err := d.run(t.Context(), env, names, 5*time.Second)
	is.NoErr(err)
	for i, want := range []outcome{{passed, "does not end"}, {"FAIL", "a reason"}, {"SKIP", "a reason"}, {hung, "it waits"}, {crashed, "panic: a reason"}} {
		got := outcomes[names[i]]
		is.Equal(got.is, want.is)                             // how it ends
		is.True(strings.Contains(got.output, want.output))    // what it said
		is.True(!strings.Contains(got.output, "=== RUN   T")) // and nobody else
	}
	_, err = d.run(t.Context(), env, []string{"TestChildIsNotThere"}, time.Minute)
	is.True(err != nil && strings.Contains(err.Error(), "no test ran"))
	_, err = driver{folder: d.folder, binary: "/nonexistent"}.run(t.Context(), env, names, time.Minute)
	is.True(err != nil)
}
