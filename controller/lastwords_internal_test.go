package controller

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/client"
)

func TestCutText(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("a", 160), strings.Repeat("a", 161), strings.Repeat("ä", 200), strings.Repeat("<", 200), strings.Repeat("日本", 99), strings.Repeat("\xff", 99), "x" + strings.Repeat("\n\"", 99)} {
		for _, most := range []int{10, 160, 300} {
			is := is.New(t)
			got := cutText(text, most)
			data, err := json.Marshal(got)
			is.NoErr(err)
			is.True(len(data)-2 <= most) // without its quotes
			if whole, err := json.Marshal(text); err == nil && len(whole)-2 <= most {
				is.Equal(got, text)
				continue
			}
			kept, cut := strings.CutSuffix(got, "…")
			is.True(cut && strings.HasPrefix(text, kept))
			is.True(len(data)-2 > most-12 || !utf8.ValidString(text)) // no more is cut than must be
		}
	}
}

// TestLastWords: everybody is heard, in turn, and nobody twice with the same words.
func TestLastWords(t *testing.T) {
	is := is.New(t)
	var l lastWords
	workers := make([]client.Worker, 20)
	seen := map[string]string{} // as a viewer knows it
	say := func(format string) {
		for i := range workers {
			workers[i].ID, workers[i].LastError = fmt.Sprintf("worker-%d", i), cutText(fmt.Sprintf(format, i), maxFrameText)
		}
	}
	frame := func() (told int) {
		l.hear(workers)
		cost := 0
		for _, w := range l.tell(workers) {
			if w.LastError != "" {
				told++
				cost += len(w.LastError)
				seen[w.ID] = w.LastError
			}
		}
		is.True(told <= 1 || cost <= frameTexts)
		return told
	}
	is.Equal(frame(), 0) // nobody says anything
	say("error of %d" + strings.Repeat(" and so on", 50))
	for range 20 {
		is.Equal(frame(), 1)
	}
	is.Equal(frame(), 0) // all is told
	is.Equal(len(seen), 20)
	is.Equal(workers[7].LastError, seen["worker-7"])

	say("short %d")
	is.True(frame() > 3)
	for range 20 {
		frame()
	}
	for i, w := range workers {
		is.Equal(seen[w.ID], fmt.Sprintf("short %d", i))
	}

	told := map[string]bool{} // all of them say something new in each frame
	for n := range 20 {
		say(fmt.Sprintf("%d: ", n) + "%d" + strings.Repeat("!", 150))
		clear(seen)
		is.Equal(frame(), 1)
		for id := range seen {
			told[id] = true
		}
	}
	is.Equal(len(told), 20)

	workers[0].LastError, workers[0].Ending = "", "it was killed"
	for range 25 {
		l.hear(workers)
		for _, w := range l.tell(workers) {
			if w.Ending != "" {
				seen[w.ID] = w.Ending
			}
		}
	}
	is.Equal(seen["worker-0"], "it was killed")
}
