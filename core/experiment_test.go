package core

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestPlanRepeat(t *testing.T) {
	is := is.New(t)
	for _, times := range []int{-1, 0, 1, 201} {
		_, err := PlanRepeat(times)
		is.True(errors.Is(err, ErrInvalid))
		is.True(strings.Contains(err.Error(), "2 to 200"))
	}
	plan, err := PlanRepeat(3)
	is.NoErr(err)
	is.Equal(plan, []Slot{{Number: 1, Round: 1}, {Number: 2, Round: 2}, {Number: 3, Round: 3}})
	plan, err = PlanRepeat(MaxRepeats)
	is.NoErr(err)
	is.Equal(len(plan), 200)
}

// TestPlanABIsBalanced: of every size and many seeds, each round has both sides next
// to each other, and each side is first in half of them.
func TestPlanABIsBalanced(t *testing.T) {
	is := is.New(t)
	for _, rounds := range []int{-1, 0, 101} {
		_, err := PlanAB(rounds, 1)
		is.True(errors.Is(err, ErrInvalid))
	}
	for rounds := MinRounds; rounds <= MaxRounds; rounds++ {
		for seed := range uint64(20) {
			plan, err := PlanAB(rounds, seed)
			is.NoErr(err)
			is.Equal(len(plan), 2*rounds)
			firstA := 0
			for r := range rounds {
				x, y := plan[2*r], plan[2*r+1]
				is.Equal([]int{x.Number, y.Number, x.Round, y.Round}, []int{2*r + 1, 2*r + 2, r + 1, r + 1})
				switch {
				case x.Side == SideA && y.Side == SideB:
					firstA++
				case x.Side != SideB || y.Side != SideA:
					t.Fatalf("round %d of %d has %s and %s", r+1, rounds, x.Side, y.Side)
				}
			}
			is.True(firstA == rounds/2 || firstA == (rounds+1)/2)
			again, err := PlanAB(rounds, seed)
			is.NoErr(err)
			is.Equal(again, plan)
		}
	}
}

// TestPlanABIsDrawn: every balanced order of four rounds comes, and about equally
// often; of three rounds both sides are first twice equally often.
func TestPlanABIsDrawn(t *testing.T) {
	for rounds, orders := range map[int]int{1: 2, 2: 2, 3: 6, 4: 6} {
		seen := map[string]int{}
		const times = 6000
		for seed := range uint64(times) {
			plan, err := PlanAB(rounds, seed)
			if err != nil {
				t.Fatal(err)
			}
			order := ""
			for r := range rounds {
				order += plan[2*r].Side
			}
			seen[order]++
		}
		if len(seen) != orders {
			t.Errorf("%d rounds come in %d orders, not %d: %v", rounds, len(seen), orders, seen)
		}
		for order, n := range seen {
			if want := times / orders; n < want*9/10 || n > want*11/10 {
				t.Errorf("%s came %d times of %d; about %d are even", order, n, times, want)
			}
		}
	}
}

func TestMembership(t *testing.T) {
	is := is.New(t)
	tags := map[string]string{"team": "a"}
	m := Membership{Group: "20261123-154200-3f9a1c", Design: ABDesign, Slot: Slot{Number: 3, Round: 2, Side: SideB}, Rounds: 10, Primary: "p95"}
	tagged := m.Tagged(tags)
	is.Equal(len(tags), 1) // not changed
	is.Equal(tagged["team"], "a")
	read, ok := MembershipOf(tagged)
	is.True(ok)
	is.Equal(read, m)
	is.Equal(m.RunID(), "20261123-154200-3f9a1c-003")
	is.Equal(m.String(), "run 3 of 20: round 2, B")
	r := Membership{Group: "g", Design: RepeatDesign, Slot: Slot{Number: 7, Round: 7}, Rounds: 7}
	read, ok = MembershipOf(r.Tagged(nil))
	is.True(ok)
	is.Equal(read, r)
	is.Equal(r.String(), "run 7 of 7")

	for tag, value := range map[string]string{
		tagGroup: "", tagDesign: "OTHER", tagNumber: "0", tagRound: "x", tagRounds: "201", tagSide: "C", tagMetric: "",
	} {
		spoilt := m.Tagged(nil)
		spoilt[tag] = value
		_, ok := MembershipOf(spoilt)
		if ok {
			t.Errorf("%s=%q is taken", tag, value)
		}
	}
	spoilt := r.Tagged(nil)
	spoilt[tagSide] = SideA
	_, ok = MembershipOf(spoilt)
	is.True(!ok)
	_, ok = MembershipOf(nil)
	is.True(!ok)
}
