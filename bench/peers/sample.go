//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// setting is all that samples of a case must share to be compared. It is the first
// line of its file.
type setting struct {
	Began    time.Time `json:"began"`
	Revision string    `json:"revision"` // of benchfleet, with + when modified
	Machine  string    `json:"machine"`
	Kernel   string    `json:"kernel"`
	Go       string    `json:"go"`
	Pgx      string    `json:"pgx"`
	Postgres string    `json:"postgres"`
	Server   []string  `json:"server"` // settings of postgresql.conf that are not the default
	Data     string    `json:"data"`   // the file system under the server
	Over     string    `json:"over"`   // socket or tcp
	Warmup   float64   `json:"warmup_seconds"`
	Duration float64   `json:"duration_seconds"`
	Rate     float64   `json:"open_loop_rate"` // operations per second of the case open
}

// same reports whether samples taken under both may stand in one table.
func (s setting) same(o setting) bool {
	s.Began, o.Began = time.Time{}, time.Time{}
	a, _ := json.Marshal(s) // plain data
	b, _ := json.Marshal(o)
	return string(a) == string(b)
}

// sample is what one side did in one turn.
type sample struct {
	Case  string    `json:"case"`
	Round int       `json:"round"` // from 0
	Turn  int       `json:"turn"`  // place in the round, from 0
	Side  string    `json:"side"`
	At    time.Time `json:"at"`
	Load  float64   `json:"load_average"` // of the machine before it
	// Idle is that load before the command that took the sample had done anything.
	Idle *float64 `json:"load_average_at_start,omitempty"`
	// Failed is how many tries failed and made no sample.
	Failed int `json:"failed_tries,omitempty"`

	Rate       float64 `json:"ops_per_second,omitempty"`     // of the measured time
	Operations float64 `json:"operations,omitempty"`         // that the process made in all, warm-up included
	CPU        float64 `json:"cpu_seconds,omitempty"`        // of all processes of the client
	Served     float64 `json:"server_cpu_seconds,omitempty"` // of all processes of the server meanwhile

	// Values are what else was measured, by name and unit.
	Values map[string]float64 `json:"values,omitempty"`
	// Verdict is benchfleet's own, where that is not VALID, with its reasons.
	Verdict string   `json:"verdict,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
}

// taken is what was measured of a case.
type taken struct {
	setting setting
	samples []sample
}

func journalOf(folder, id string) string { return filepath.Join(folder, id+".jsonl") }

// readAll reads what was measured of each case, by its name. A case without a file has
// not been measured. What was measured of it on other machines too is in files beside
// that one: of reads-8 in reads-8@ and whatever.
func readAll(folder string, cases []comparison) (map[string][]taken, error) {
	all := map[string][]taken{}
	for _, c := range cases {
		others, err := filepath.Glob(journalOf(folder, c.id+"@*"))
		if err != nil {
			return nil, err
		}
		for _, path := range append([]string{journalOf(folder, c.id)}, others...) {
			s, samples, err := readJournal(path)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			all[c.id] = append(all[c.id], taken{s, samples})
		}
	}
	return all, nil
}

// journal is the file of the samples of one case.
type journal struct {
	file    *os.File
	samples []sample // that were in it
}

// openJournal opens or begins the file for a setting. Errors: one for a file of
// another setting.
func openJournal(path string, now setting) (*journal, error) {
	was, samples, err := readJournal(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case !was.same(now):
		return nil, fmt.Errorf("%s holds samples of another setting (build, machine, server or times), which no table may mix with new ones: move it away, or name another with -samples", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, samples: samples}
	if was.Began.IsZero() {
		err = j.append(now)
	} else {
		err = j.truncateTail()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

// truncateTail drops a last line that was cut short, and goes to the end.
func (j *journal) truncateTail() error {
	text, err := os.ReadFile(j.file.Name())
	if err != nil {
		return err
	}
	end := len(text)
	for end > 0 && text[end-1] != '\n' {
		end--
	}
	if err := j.file.Truncate(int64(end)); err != nil {
		return err
	}
	_, err = j.file.Seek(int64(end), 0)
	return err
}

func (j *journal) append(value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

// readJournal reads a file of samples. A last line that was cut short is passed by.
func readJournal(path string) (s setting, samples []sample, err error) {
	file, err := os.Open(path)
	if err != nil {
		return s, nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	reader := bufio.NewReader(file)
	for n := 1; ; n++ {
		line, end := reader.ReadBytes('\n')
		if end != nil {
			return s, samples, nil // what has no end of line was being written
		}
		var one sample
		into := any(&one)
		if n == 1 {
			into = &s
		}
		if err := json.Unmarshal(line, into); err != nil {
			return s, nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		if n > 1 {
			samples = append(samples, one)
		}
	}
}

// wholeRounds are the samples of one case in rounds that have every side, by
// round; the rest is as if it had not been measured. Of a side that a round has
// twice, because it was begun again after an interruption, the newest counts.
func wholeRounds(samples []sample, id string, sides []string) (rounds []map[string]sample) {
	byRound := map[int]map[string]sample{}
	last := -1
	for _, s := range samples {
		if s.Case != id {
			continue
		}
		if byRound[s.Round] == nil {
			byRound[s.Round] = map[string]sample{}
		}
		byRound[s.Round][s.Side] = s
		last = max(last, s.Round)
	}
	for n := 0; n <= last; n++ {
		round, whole := byRound[n], true
		for _, side := range sides {
			_, there := round[side]
			whole = whole && there
		}
		if whole {
			rounds = append(rounds, round)
		}
	}
	return rounds
}

// firstOpen is the number of the first round that is not whole.
func firstOpen(samples []sample, id string, sides []string, rounds int) int {
	whole := map[int]map[string]bool{}
	for _, s := range samples {
		if s.Case == id {
			if whole[s.Round] == nil {
				whole[s.Round] = map[string]bool{}
			}
			whole[s.Round][s.Side] = true
		}
	}
	for n := range rounds {
		for _, side := range sides {
			if !whole[n][side] {
				return n
			}
		}
	}
	return rounds
}

// order is the order of the sides in a round: from both ends of their list to its middle,
// turned by one place every second round, and backwards in the other ones. So in twice as
// many rounds as there are sides each comes at each place twice, and twice after each
// other one.
func order(sides, round int) []int {
	places := make([]int, sides)
	for i := range places {
		at := i
		if round%2 == 1 {
			at = sides - 1 - i
		}
		zigzag := at / 2
		if at%2 == 1 {
			zigzag = sides - 1 - at/2
		}
		places[i] = (zigzag + round/2) % sides
	}
	return places
}
