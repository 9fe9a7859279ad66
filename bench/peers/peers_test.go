//go:build unix

package main

import (
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func near(a, b, within float64) bool { return math.Abs(a-b) <= within }

func TestRatioOf(t *testing.T) {
	is := is.New(t)
	// Logarithms 0.0, 0.1, 0.2: mean 0.1, deviation 0.1, t(2) = 4.3027.
	r := ratioOf([]float64{1, math.Exp(0.1), math.Exp(0.2)}, []float64{1, 1, 1})
	half := 4.3027 * 0.1 / math.Sqrt(3)
	is.True(near(r.mean, math.Exp(0.1), 1e-12))
	is.True(near(r.median, math.Exp(0.1), 1e-12))
	is.True(near(r.low, math.Exp(0.1-half), 1e-9))
	is.True(near(r.high, math.Exp(0.1+half), 1e-9))
	one := ratioOf([]float64{3}, []float64{2})
	is.Equal(one.mean, 1.5)
	is.True(math.IsNaN(one.low))
	is.True(math.IsNaN(ratioOf(nil, nil).mean))
	is.True(math.IsNaN(ratioOf([]float64{1}, []float64{1, 2}).mean))
	same := ratioOf([]float64{2, 2}, []float64{2, 2})
	is.Equal([]float64{same.low, same.high, same.halfWidth()}, []float64{1, 1, 0})
	is.Equal(means([]float64{2, 8}, []float64{8, 2}), []float64{4, 4})
	is.Equal([]float64{median([]float64{3, 1, 2}), median([]float64{4, 1, 2, 3})}, []float64{2, 2.5})
}

// Beyond the table the quantile goes on where it ends, and falls to the normal one.
func TestStudent(t *testing.T) {
	is := is.New(t)
	is.Equal(student975(9), 2.2622) // of ten pairs
	is.True(near(student975(31), 2.0395, 1e-3))
	is.True(near(student975(120), 1.9799, 1e-3))
	for n := 2; n < 500; n++ {
		is.True(student975(n) < student975(n-1))
	}
	is.True(student975(1_000_000) > 1.9599)
}

// The server's first process counts with its children that have ended, a child for itself,
// and nothing else does.
func TestTicksOf(t *testing.T) {
	line := func(pid, name, parent string) string {
		return pid + " (" + name + ") S " + parent + " 1 1 0 -1 4194560 100 200 0 0 7 5 30 20 20 0 1 0 100 2000 300"
	}
	for name, it := range map[string]struct {
		line string
		used int
	}{
		"first":     {line("41", "postgres", "1"), 62},
		"child":     {line("42", "postgres: a) b (c 41 ", "41"), 12},
		"unrelated": {line("43", "bash", "4"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			used, err := ticksOf(it.line, "41")
			is.NoErr(err)
			is.Equal(used, it.used)
		})
	}
	for _, line := range []string{"", "41 (postgres", "41 (postgres) S 1 2"} {
		_, err := ticksOf(line, "41")
		is.New(t).True(err != nil)
	}
}

// In as many rounds as there are sides, twice, each side comes at each place as often.
func TestOrder(t *testing.T) {
	for sides := 1; sides <= 6; sides++ {
		is := is.New(t)
		at, after := make([][]int, sides), make([][]int, sides)
		each := make([]int, sides)
		for i := range at {
			at[i], after[i], each[i] = make([]int, sides), make([]int, sides), i
		}
		for round := range 2 * sides {
			seen := order(sides, round)
			is.Equal(slices.Sorted(slices.Values(seen)), each) // once
			for place, side := range seen {
				at[side][place]++
				if place > 0 {
					after[side][seen[place-1]]++
				}
			}
		}
		for side := range sides {
			for other := range sides {
				is.Equal(at[side][other], 2)
				is.True(side == other || after[side][other] == 2)
			}
		}
	}
}

// Samples survive an interruption at any byte: what is whole is kept, and the rest is
// written anew.
func TestJournalIsCutShort(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "made", "samples.jsonl")
	now := setting{Began: time.Unix(1, 0).UTC(), Machine: "m", Server: []string{"a=b"}, Duration: 30}
	j, err := openJournal(path, now)
	is.NoErr(err)
	for n := range 3 {
		is.NoErr(j.append(sample{Case: "c", Round: n, Side: "s", Rate: float64(n), Values: map[string]float64{"p50_ms": 1}}))
	}
	is.NoErr(j.file.Close())
	whole, err := os.ReadFile(path)
	is.NoErr(err)
	first := strings.Index(string(whole), "\n") + 1
	for end := first; end <= len(whole); end += 7 {
		is.NoErr(os.WriteFile(path, whole[:end], 0o600))
		later := now
		later.Began = time.Unix(2, 0).UTC()
		j, err := openJournal(path, later)
		is.NoErr(err)
		is.Equal(len(j.samples), strings.Count(string(whole[:end]), "\n")-1)
		is.NoErr(j.append(sample{Case: "new"}))
		is.NoErr(j.file.Close())
		was, samples, err := readJournal(path)
		is.NoErr(err)
		is.Equal(was, now)
		is.Equal(samples, append(j.samples, sample{Case: "new"}))
	}
	other := now
	other.Machine = "another"
	_, err = openJournal(path, other)
	is.True(err != nil && strings.Contains(err.Error(), "another setting"))
	is.NoErr(os.WriteFile(path, []byte("{}\nnothing\n"), 0o600))
	_, _, err = readJournal(path)
	is.True(err != nil && strings.Contains(err.Error(), "line 2"))
}

func TestRounds(t *testing.T) {
	is := is.New(t)
	sides := []string{"a", "b"}
	made := func(round int, side string, rate float64) sample {
		return sample{Case: "c", Round: round, Side: side, Rate: rate}
	}
	samples := []sample{
		made(0, "a", 1), made(0, "b", 2), made(1, "b", 3), {Case: "other", Round: 1, Side: "a"},
		made(2, "a", 4), made(2, "b", 5), made(2, "a", 6), // begun again
	}
	rounds := wholeRounds(samples, "c", sides)
	is.Equal(column(rounds, "a", rateOf), []float64{1, 6})
	is.Equal(column(rounds, "b", rateOf), []float64{2, 5})
	is.Equal(firstOpen(samples, "c", sides, 5), 1)
	is.Equal(firstOpen(append(samples, made(1, "a", 7)), "c", sides, 5), 3)
	is.Equal(firstOpen(samples, "c", sides, 1), 1)
	is.Equal(len(wholeRounds(nil, "c", sides)), 0)
}

func TestReadPgbench(t *testing.T) {
	is := is.New(t)
	out := "query mode: prepared\nnumber of transactions actually processed: 31451\nnumber of failed transactions: 0 (0.000%)\n" +
		"initial connection time = 36.974 ms\ntps = 6335.874049 (without initial connection time)\n"
	s, err := readPgbench(out)
	is.NoErr(err)
	is.Equal([]float64{s.Operations, s.Rate}, []float64{31451, 6335.874049})
	_, err = readPgbench(strings.Replace(out, "transactions: 0", "transactions: 4", 1))
	is.True(err != nil && strings.Contains(err.Error(), "4 transactions"))
	_, err = readPgbench("pgbench: error: connection refused")
	is.True(err != nil)
}

func TestLatenciesOfPgbench(t *testing.T) {
	is := is.New(t)
	prefix := filepath.Join(t.TempDir(), "log")
	var lines [2]strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&lines[n%2], "0 %d %d 0 1700000000 5 3\n", n, 1000*(n+1))
	}
	is.NoErr(os.WriteFile(prefix+".1", []byte(lines[0].String()), 0o600))
	is.NoErr(os.WriteFile(prefix+".1.1", []byte(lines[1].String()), 0o600))
	var s sample
	is.NoErr(addLatencies(prefix, &s))
	is.Equal(s.Values, map[string]float64{"p50_ms": 501, "p90_ms": 901, "p95_ms": 951, "p99_ms": 991, "p999_ms": 1000, "max_ms": 1000})
	is.True(addLatencies(prefix+"-none", &s) != nil)
}

func TestBenchValues(t *testing.T) {
	is := is.New(t)
	values, err := benchValues("goos: linux\nBenchmarkThousandWorkers/sqlite:10 \t 1\t 3.0 max/tick\t 61.4 ms\nBenchmarkHour-2 1 5 KiB\nPASS\n")
	is.NoErr(err)
	is.Equal(values, map[string]float64{"sqlite:10 max/tick": 3, "sqlite:10 ms": 61.4, "KiB": 5})
	values, err = benchValues("BenchmarkX/memory:1000-2 1 7 ms\n")
	is.NoErr(err)
	is.Equal(values["memory:1000 ms"], 7.0)
	_, err = benchValues("PASS\n")
	is.True(err != nil)
}

// While it stalls nothing arrives, and everything is passed on once it is over.
func TestStallLeft(t *testing.T) {
	is := is.New(t)
	for at, left := range map[time.Duration]time.Duration{
		0: 0, 8999 * time.Millisecond: 0, 9 * time.Second: time.Second, 9700 * time.Millisecond: 300 * time.Millisecond, 10 * time.Second: 0,
	} {
		is.Equal(stall().Left(time.Unix(0, int64(at))), left)
	}
}

func TestProxy(t *testing.T) {
	is := is.New(t)
	server, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer server.Close()
	go func() { // answers what it hears
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 64)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					if _, err := conn.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	p, err := startProxy(server.Addr().String())
	is.NoErr(err)
	client, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port()))
	is.NoErr(err)
	defer client.Close()
	begun := time.Now()
	_, err = client.Write([]byte("hello"))
	is.NoErr(err)
	buffer := make([]byte, 5)
	is.NoErr(client.SetReadDeadline(begun.Add(30 * time.Second)))
	_, err = client.Read(buffer)
	is.NoErr(err)
	is.Equal(string(buffer), "hello")
	is.True(time.Since(begun) >= stall().Left(begun))
	is.NoErr(p.close())
	_, err = client.Read(buffer)
	is.True(err != nil) // closed with the proxy
}

// The model of clients that never queue is each one's own wait; where in the period
// the measurement begins makes no difference to it.
func TestStallModel(t *testing.T) {
	is := is.New(t)
	due := schedule(200, core.ArrivalsUniform, 300, 1, 40*time.Second)
	is.Equal(len(due), 8000)
	base := time.Millisecond
	one, other := stall().Responses(time.Unix(0, int64(2*time.Second)), due, 300, base), stall().Responses(time.Unix(0, int64(5*time.Second)), due, 300, base)
	for _, q := range quantiles {
		is.True(near(float64(one.Quantile(q)), float64(other.Quantile(q)), float64(6*time.Millisecond)))
	}
	is.True(near(one.Quantile(0.95).Seconds(), 0.501, 0.01)) // a tenth waits, evenly up to a second
	is.True(near(one.Quantile(0.99).Seconds(), 0.901, 0.01))
	is.Equal(len(schedule(50, core.ArrivalsPoisson, 4, 3, time.Minute)), len(schedule(50, core.ArrivalsPoisson, 4, 3, time.Minute)))
	drawn := float64(len(schedule(50, core.ArrivalsPoisson, 4, 3, time.Minute)))
	is.True(drawn > 2700 && drawn < 3300)
}

func TestParse(t *testing.T) {
	is := is.New(t)
	o, err := parse(nil)
	is.NoErr(err)
	is.Equal([]any{o.duration, o.rounds, o.over}, []any{promisedDuration, 12, "tcp"})
	for args, says := range map[string]string{
		"-duration 1500ms": "whole seconds", "-rounds 0": "1 to 1000", "-over pipe": "tcp and socket", "-rate 0": "1 to 1000000", "more": "flags only",
	} {
		_, err := parse(strings.Fields(args))
		is.True(err != nil && strings.Contains(err.Error(), says))
	}
	_, err = chosen((&bed{}).cases(), "reads-1,reads-2")
	is.True(err != nil && strings.Contains(err.Error(), `"reads-2"`))
	picked, err := chosen((&bed{}).cases(), "open,reads-32")
	is.NoErr(err)
	is.Equal([]string{picked[0].id, picked[1].id}, []string{"open", "reads-32"})
}

// quiet are the samples of a measurement that keeps every promise, save what is made
// worse.
func quiet(b *bed, worse func(*sample)) (samples []sample) {
	for _, c := range b.cases() {
		for round := range promisedRounds {
			for _, side := range c.sides {
				s := sample{Case: c.id, Round: round, Side: side.name, Load: 0.1, Rate: 1000 + float64(round%3), Operations: 1000, CPU: 0.03, Values: map[string]float64{
					"due": 1000, "started": 1000, "KiB-after-5-min": 2000, "KiB-after-1-h": 2010, "KiB-beat-of-5-min": 100, "KiB-beat-of-1-h": 105,
				}}
				for name := range quantiles {
					s.Values[name], s.Values["model_"+name] = 1, 1
				}
				for _, store := range []string{"memory", "sqlite", "gateway"} {
					s.Values[store+":1000 max-tick-ms"], s.Values[store+":10 max-statements/tick"], s.Values[store+":1000 max-statements/tick"] = 500, 3, 3
				}
				worse(&s)
				samples = append(samples, s)
			}
		}
	}
	return samples
}

// taking sorts samples by their cases.
func taking(s setting, samples []sample) map[string][]taken {
	all := map[string][]taken{}
	for _, one := range samples {
		if all[one.Case] == nil {
			all[one.Case] = []taken{{setting: s}}
		}
		all[one.Case][0].samples = append(all[one.Case][0].samples, one)
	}
	return all
}

// Cases may have been measured on different days, or on several machines: each says under
// what, once.
func TestTablesOfSeveralSettings(t *testing.T) {
	is := is.New(t)
	b := &bed{warmup: time.Second, duration: promisedDuration}
	all := taking(setting{Revision: "first", Duration: 30}, quiet(b, func(*sample) {}))
	tables := func() string {
		text, _ := tables(all, b, func(revision string) bool { return revision == "second" })
		return text
	}
	is.Equal(strings.Count(tables(), "Measured from"), 1)
	is.True(!strings.Contains(tables(), "cannot be made again"))
	all["tpcb"][0].setting.Revision = "second"
	text := tables()
	is.Equal(strings.Count(text, "Measured from"), 3) // for the reads, for TPC-B, and for what follows
	is.Equal(strings.Count(text, "That build is in no commit of this history"), 1)
	is.True(strings.Index(text, "benchfleet second") < strings.Index(text, titles["tpcb"]))
	all["reads-8"] = append(all["reads-8"], taken{setting{Machine: "another", Duration: 30}, all["reads-8"][0].samples})
	text = tables()
	is.Equal(strings.Count(text, "### "+titles["reads-8"]), 2)
	is.Equal(strings.Count(text, "Measured from"), 5) // for the first two, for the second again, for 32, for TPC-B, and for what follows
	is.True(strings.Contains(text, "on: another"))
	all["reads-8"] = all["reads-8"][:1]
	delete(all, "open")
	text = tables()
	is.True(!strings.Contains(text, "### "+titles["open"]))
	is.True(strings.Contains(text, "Not measured yet: "+titles["open"]+".**"))
}

// Each promise that is not kept is said so, and no other.
func TestTablesSayWhatIsNotMet(t *testing.T) {
	b := &bed{warmup: time.Second, duration: promisedDuration}
	good := setting{Machine: "m, 2 processors, 8 GiB", Duration: 30, Over: "tcp"}
	for name, tc := range map[string]struct {
		worse func(*sample)
		says  int // how many promises are not met
		words string
	}{
		"all kept": {func(*sample) {}, 0, ""},
		"slower than pgbench at 8": {func(s *sample) {
			if s.Case == "reads-8" && s.Side == sideOurs {
				s.Rate *= 0.96
			}
		}, 0, ""}, // 0.90 and 0.95 are what is promised
		"slower than all at 32": {func(s *sample) {
			if s.Case == "reads-32" && s.Side == sideOurs {
				s.Rate *= 0.9
			}
		}, 2, ""},
		"too much CPU": {func(s *sample) {
			if s.Case == "reads-1" && s.Side == sideOurs {
				s.CPU *= 1.3
			}
		}, 1, ""},
		"TPC-B": {func(s *sample) {
			if s.Case == "tpcb" && s.Side == sideOurs {
				s.Rate *= 0.9
			}
		}, 1, ""},
		"one round off its schedule": {func(s *sample) {
			if s.Case == "open" && s.Side == sideOurs && s.Round == 4 {
				s.Values["started"] = 998
			}
		}, 1, ""},
		"memory":          {func(s *sample) { s.Values["KiB-after-1-h"] += 500 }, 1, ""},
		"beats":           {func(s *sample) { s.Values["KiB-beat-of-1-h"] += 50 }, 1, ""},
		"ticks":           {func(s *sample) { s.Values["sqlite:1000 max-tick-ms"] = 1200 }, 1, ""},
		"statements":      {func(s *sample) { s.Values["memory:1000 max-statements/tick"] = 30 }, 1, ""},
		"a quiet machine": {func(s *sample) { s.Idle = new(0.5) }, 0, ""},
		"a busy machine":  {func(s *sample) { s.Idle = new(9.0) }, 0, "was not quiet: measuring began at a load average of 9.0"},
		"tries that failed": {func(s *sample) {
			if s.Case == "tpcb" && s.Side == sideOurs && s.Round == 4 {
				s.Failed = 2
			}
		}, 0, "2 tries failed, and were made again."},
		"its own doubts": {func(s *sample) {
			if s.Side == sideOurs && s.Round < 3 {
				s.Verdict, s.Reasons = "DEGRADED", []string{"it stood still"}
			}
		}, 0, `is DEGRADED in 3 of 10 rounds**; the first of the reasons: "it stood still".`},
		"wide": {func(s *sample) { s.Rate *= 1 + 0.3*float64(s.Round%2)*float64(len(s.Side)%2) }, -1, "half-width"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			text, missing := tables(taking(good, quiet(b, tc.worse)), b, here)
			is.Equal(len(missing), 0)
			is.Equal(strings.Contains(text, "was not quiet"), strings.Contains(tc.words, "was not quiet"))
			if tc.says >= 0 {
				is.Equal(strings.Count(text, "**not met**"), tc.says)
			}
			is.True(strings.Contains(text, tc.words))
			is.True(!strings.Contains(text, "short run"))
			for _, title := range titles {
				is.True(strings.Contains(text, "### "+title))
			}
		})
	}
	is := is.New(t)
	short := good
	short.Duration = 5
	text, _ := tables(taking(short, quiet(b, func(*sample) {})), b, here)
	is.True(strings.Contains(text, "short run"))
	few := slices.DeleteFunc(quiet(b, func(*sample) {}), func(s sample) bool { return s.Round >= 9 })
	text, _ = tables(taking(good, few), b, here)
	is.Equal(strings.Count(text, "**Only 9 rounds; promised are 10.**"), 5) // reads thrice, TPC-B, the open loop
	text, missing := tables(nil, b, here)
	is.True(!strings.Contains(text, "###"))
	is.Equal(len(missing), len(titles))
}

// Nothing is written over the tables of a case of which there are no samples.
func TestWriteLosesNoTable(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "doc.md")
	before := beginMark + "\nold\n" + endMark + "\n"
	is.NoErr(os.WriteFile(file, []byte(before), 0o600))
	err := run(t.Context(), []string{"-report", "-samples", t.TempDir(), "-write", file})
	is.True(err != nil && strings.Contains(err.Error(), titles["open"]))
	text, err := os.ReadFile(file)
	is.NoErr(err)
	is.Equal(string(text), before)
}

// here is of builds that can be made again.
func here(string) bool { return false }

func TestWriteBetween(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "doc.md")
	is.NoErr(os.WriteFile(file, []byte("before\n"+beginMark+"\nold\n"+endMark+"\nafter\n"), 0o600))
	for range 2 { // again and again the same
		is.NoErr(writeBetween(file, "new\n"))
		text, err := os.ReadFile(file)
		is.NoErr(err)
		is.Equal(string(text), "before\n"+beginMark+"\n\nnew\n"+endMark+"\nafter\n")
	}
	is.NoErr(os.WriteFile(file, []byte("no marks"), 0o600))
	is.True(writeBetween(file, "new") != nil)
}

// The statement of point reads is benchfleet's own, word for word.
func TestLookupIsTheSameStatement(t *testing.T) {
	is := is.New(t)
	sql, parameters := core.DefaultStatement(core.PointLookup)
	is.Equal(len(parameters), 1)
	is.Equal(strings.ReplaceAll(sql, "{table}", `"`+readTable+`"`), lookupSQL("?"))
}
