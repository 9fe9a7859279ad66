package controller

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/benchfleet/benchfleet/client"
)

// The bounds of texts in frames, in bytes of JSON. All of a text is in what
// list-workers reads, and in the log.
const (
	maxFrameText = 160 // of one worker
	frameTexts   = 240 // of all workers in a frame that follows upon another
	maxFrameEnd  = 300 // why a run ends
)

// runeCost is what a character takes in JSON.
func runeCost(r rune) int {
	switch {
	case strings.ContainsRune("\"\\\n\r\t\b\f", r):
		return len(`\n`)
	case r < ' ' || r == utf8.RuneError || strings.ContainsRune("<>&\u2028\u2029", r):
		return len(`\u003c`)
	default:
		return utf8.RuneLen(r)
	}
}

func textCost(text string) (cost int) {
	for _, r := range text {
		cost += runeCost(r)
	}
	return cost
}

// cutText is a text that costs at most so much in JSON.
func cutText(text string, most int) string {
	if textCost(text) <= most {
		return text
	}
	const mark = "…"
	spent := len(mark)
	for at, r := range text {
		if spent += runeCost(r); spent > most {
			return text[:at] + mark
		}
	}
	return text
}

// lastWords is what workers said last, their error or how they ended: a few of them in
// each frame, so that a frame stays small when all of them have something to say. Who
// has had its turn waits until the others have had theirs.
type lastWords struct {
	known  map[string]string // of each worker
	untold []string          // workers whose words have changed since a frame has told them
}

func wordsOf(w *client.Worker) string { return w.LastError + "\x00" + w.Ending }

// hear takes in what workers say now.
func (l *lastWords) hear(workers []client.Worker) {
	if l.known == nil {
		l.known = map[string]string{}
	}
	for i := range workers {
		w := &workers[i]
		if words := wordsOf(w); l.known[w.ID] != words {
			l.known[w.ID] = words
			if !slices.Contains(l.untold, w.ID) {
				l.untold = append(l.untold, w.ID)
			}
		}
	}
}

// tell returns the workers without what a frame has told already, or has no room for.
func (l *lastWords) tell(workers []client.Worker) []client.Worker {
	var told []string
	room := frameTexts
	for _, id := range l.untold {
		i := slices.IndexFunc(workers, func(w client.Worker) bool { return w.ID == id })
		if i >= 0 {
			cost := textCost(workers[i].LastError+workers[i].Ending) + len(`"last_error":"",`)
			if len(told) > 0 && cost > room {
				break
			}
			room -= cost
		}
		told = append(told, id)
	}
	l.untold = slices.Clone(l.untold[len(told):])
	out := slices.Clone(workers)
	for i := range out {
		if !slices.Contains(told, out[i].ID) {
			out[i].LastError, out[i].Ending = "", ""
		}
	}
	return out
}
