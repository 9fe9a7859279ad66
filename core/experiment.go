package core

import (
	"fmt"
	"maps"
	"strconv"
)

// Design is how the runs of an experiment belong together.
type Design string

// The designs.
const (
	RepeatDesign Design = "REPEAT" // the same scenario again and again
	ABDesign     Design = "AB"     // two scenarios by turns, in rounds
)

// The sides of an A/B experiment.
const (
	SideA = "A"
	SideB = "B"
)

// How large experiments may be. The number of a run in its experiment has three
// digits, so that no run's id is the beginning of another's.
const (
	MinRepeats = 2
	MaxRepeats = 200
	MinRounds  = 1
	MaxRounds  = 100
)

// Slot is the place of one run in an experiment.
type Slot struct {
	Number int    `json:"number"`         // of the run, from 1
	Round  int    `json:"round"`          // from 1; of a repetition, the number
	Side   string `json:"side,omitempty"` // A or B; of a repetition, empty
}

// PlanRepeat is the order of a repetition. The error wraps ErrInvalid.
func PlanRepeat(times int) ([]Slot, error) {
	if times < MinRepeats || times > MaxRepeats {
		return nil, fmt.Errorf("%w: a repetition is of %d to %d runs, not of %d", ErrInvalid, MinRepeats, MaxRepeats, times)
	}
	plan := make([]Slot, times)
	for i := range plan {
		plan[i] = Slot{Number: i + 1, Round: i + 1}
	}
	return plan, nil
}

// PlanAB is the order of an A/B experiment: each round has both sides, one right
// after the other. In half of the rounds A is first, in half of them B; in which of
// them is drawn from the seed. So whatever changes slowly beside the experiment
// meets both sides alike: a steady drift cancels, and any other falls on one or the
// other side by chance, which the interval then holds. Of an odd number of rounds
// it is drawn which side is first once more. The error wraps ErrInvalid.
func PlanAB(rounds int, seed uint64) ([]Slot, error) {
	if rounds < MinRounds || rounds > MaxRounds {
		return nil, fmt.Errorf("%w: an A/B experiment is of %d to %d rounds, not of %d", ErrInvalid, MinRounds, MaxRounds, rounds)
	}
	random := NewRand(seed, 0, 0)
	turned := make([]bool, rounds) // B is first
	many := rounds / 2
	if rounds%2 == 1 && random.Int64n(2) == 1 {
		many++
	}
	for i := range many {
		turned[i] = true
	}
	for i := rounds - 1; i > 0; i-- { // Fisher and Yates
		j := int(random.Int64n(int64(i + 1)))
		turned[i], turned[j] = turned[j], turned[i]
	}
	var plan []Slot
	for i, b := range turned {
		first, second := SideA, SideB
		if b {
			first, second = SideB, SideA
		}
		n := len(plan)
		plan = append(plan, Slot{n + 1, i + 1, first}, Slot{n + 2, i + 1, second})
	}
	return plan, nil
}

// Membership is what a run knows of the experiment that it belongs to. It travels
// in the tags of the run's scenario, so that an experiment can be read from its runs,
// however it ended.
type Membership struct {
	Group  string // names the experiment
	Design Design
	Slot   Slot
	Rounds int // that were planned
	// Primary is the metric that an A/B experiment is about, as PrimaryMetric has it:
	// named before the first run, so that it cannot be chosen by what came out. Of a
	// repetition it is empty.
	Primary string
}

// The tags that a Membership is kept in.
const (
	tagGroup  = "benchfleet.group"
	tagDesign = "benchfleet.design"
	tagNumber = "benchfleet.number"
	tagRound  = "benchfleet.round"
	tagRounds = "benchfleet.rounds"
	tagSide   = "benchfleet.side"
	tagMetric = "benchfleet.metric"
)

// Tagged is the tags of a scenario with the membership added. tags is not changed.
func (m Membership) Tagged(tags map[string]string) map[string]string {
	out := maps.Clone(tags)
	if out == nil {
		out = map[string]string{}
	}
	out[tagGroup], out[tagDesign] = m.Group, string(m.Design)
	out[tagNumber], out[tagRound], out[tagRounds] = strconv.Itoa(m.Slot.Number), strconv.Itoa(m.Slot.Round), strconv.Itoa(m.Rounds)
	if m.Design == ABDesign {
		out[tagSide], out[tagMetric] = m.Slot.Side, m.Primary
	}
	return out
}

// MembershipOf reads a membership from tags; false: they hold none.
func MembershipOf(tags map[string]string) (m Membership, ok bool) {
	m = Membership{Group: tags[tagGroup], Design: Design(tags[tagDesign]), Primary: tags[tagMetric]}
	m.Slot.Side = tags[tagSide]
	for _, number := range []struct {
		tag  string
		into *int
	}{{tagNumber, &m.Slot.Number}, {tagRound, &m.Slot.Round}, {tagRounds, &m.Rounds}} {
		n, err := strconv.Atoi(tags[number.tag])
		if err != nil || n < 1 || n > MaxRepeats {
			return Membership{}, false
		}
		*number.into = n
	}
	sided := m.Slot.Side == SideA || m.Slot.Side == SideB
	switch {
	case m.Group == "":
	case m.Design == ABDesign && sided && m.Primary != "", m.Design == RepeatDesign && m.Slot.Side == "" && m.Primary == "":
		return m, true
	}
	return Membership{}, false
}

// RunID is the id of the run: the group's with the number behind it, so that a
// search for the group finds its runs on every store.
func (m Membership) RunID() string { return fmt.Sprintf("%s-%03d", m.Group, m.Slot.Number) }

// String says which run of its experiment it is: "run 3 of 10: round 2, B".
func (m Membership) String() string {
	if m.Design == RepeatDesign {
		return fmt.Sprintf("run %d of %d", m.Slot.Number, m.Rounds)
	}
	return fmt.Sprintf("run %d of %d: round %d, %s", m.Slot.Number, 2*m.Rounds, m.Slot.Round, m.Slot.Side)
}
