package core_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

// transfer is a transaction of two statements that has succeeded n times, each
// part lasting a time of its own.
func transfer(n int) core.KindMetrics {
	k := core.KindMetrics{Kind: "TRANSFER", Access: "WRITE", Counts: core.Counts{Started: uint64(n), OK: uint64(n)}}
	if n == 0 {
		return k
	}
	k.Statements = core.NewStatementMetrics(2)
	for i := range k.Statements {
		part := time.Duration(i+1) * time.Millisecond
		k.Statements[i].Service.RecordN(part, uint64(n))
	}
	k.Service.RecordN(10*time.Millisecond, uint64(n))
	return k
}

// parts are the names, counts and sums of the statements.
func parts(k core.KindMetrics) string {
	text := ""
	for i := range k.Statements {
		s := &k.Statements[i]
		text += fmt.Sprintf("%s %d %s; ", s.Name, s.Service.Count(), s.Service.Sum())
	}
	return text
}

func TestMergeStatements(t *testing.T) {
	const none, two, five = "", "BEGIN 2 2ms; 1 2 4ms; 2 2 6ms; COMMIT 2 8ms; ", "BEGIN 5 5ms; 1 5 10ms; 2 5 15ms; COMMIT 5 20ms; "
	for _, test := range []struct {
		name string
		a, b int
		want string
	}{
		{"neither has any", 0, 0, none},
		{"only the first has any", 2, 0, two},
		{"only the second has any", 0, 2, two},
		{"both have", 2, 3, five},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			a, b := transfer(test.a), transfer(test.b)
			a.Merge(&b)
			is.Equal(parts(a), test.want)
			is.Equal(parts(b), parts(transfer(test.b))) // as it was

			merged := core.MergeKinds([]core.KindMetrics{transfer(test.a)}, []core.KindMetrics{b})
			is.Equal(len(merged), 1)
			is.Equal(parts(merged[0]), test.want)
			for i := range b.Statements { // nothing is shared
				b.Statements[i].Service.Record(time.Hour)
			}
			is.Equal(parts(a), test.want)
			is.Equal(parts(merged[0]), test.want)
		})
	}
}

func TestStatementsThatDiffer(t *testing.T) {
	is := is.New(t)
	short := core.MergeStatements(nil, core.NewStatementMetrics(1))
	is.Equal(parts(core.KindMetrics{Statements: core.MergeStatements(short, transfer(1).Statements)}),
		"BEGIN 1 1ms; 1 1 2ms; COMMIT 1 4ms; 2 1 3ms; ")
}

func TestTotalHasNoStatements(t *testing.T) {
	is := is.New(t)
	kinds := []core.KindMetrics{transfer(2), transfer(3)}
	kinds[1].Kind = "REFUND"
	total := core.Total(kinds)
	is.Equal(total.OK, uint64(5))
	is.Equal(total.Service.Count(), uint64(5))
	is.Equal(len(total.Statements), 0)
	is.Equal(len(core.MergeKinds(nil, kinds)[1].Statements), 4)
}

func TestStatementsInJSON(t *testing.T) {
	is := is.New(t)
	text, err := json.Marshal(transfer(2))
	is.NoErr(err)
	var back core.KindMetrics
	is.NoErr(json.Unmarshal(text, &back))
	is.Equal(parts(back), parts(transfer(2)))

	text, err = json.Marshal(transfer(0))
	is.NoErr(err)
	var fields map[string]any
	is.NoErr(json.Unmarshal(text, &fields))
	_, has := fields["statements"]
	is.Equal(has, false) // omitted where there are none
}
