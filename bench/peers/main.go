//go:build unix

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		err = bareMain(ctx, os.Stdout, os.Args[2:])
	} else {
		err = run(ctx, os.Args[1:])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	duration, warmup time.Duration
	rounds           int
	only             string
	rate             float64
	over             string
	samples          string
	data             string
	binary           string
	keep             string
	report           bool
	write            string
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.DurationVar(&o.duration, "duration", 30*time.Second, "how long each side is measured in each round, in whole seconds")
	flags.DurationVar(&o.warmup, "warmup", 3*time.Second, "how long each side runs before that, in whole seconds")
	flags.IntVar(&o.rounds, "rounds", 12, "how often each side is measured")
	flags.StringVar(&o.only, "only", "", "the cases to run, with commas: reads-1, reads-8, reads-32, tpcb, open, stall, simulated (default all)")
	flags.Float64Var(&o.rate, "rate", 2000, "operations per second of the case open, which every side must bear")
	flags.StringVar(&o.over, "over", "tcp", "how clients reach the server: tcp (loopback) or socket (Unix)")
	flags.StringVar(&o.samples, "samples", ".artefacts/peers/samples", "the folder of the files that samples are appended to, one of each case")
	flags.StringVar(&o.data, "data", ".artefacts/peers/cluster", "the folder of the server's data, which is made anew and removed")
	flags.StringVar(&o.binary, "binary", "", "a benchfleet command that is built already, for trying things out (default: build it as task build does)")
	flags.StringVar(&o.keep, "keep", "", "a folder to which the samples of the measured cases are copied at the end")
	flags.BoolVar(&o.report, "report", false, "measure nothing, and compute the tables from the samples that are there")
	flags.StringVar(&o.write, "write", "", "a file between whose markers the tables are put; without it they are printed")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	whole := func(d time.Duration) bool { return d >= time.Second && d%time.Second == 0 }
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q: there are flags only", flags.Arg(0))
	case !whole(o.duration) || !whole(o.warmup):
		return o, fmt.Errorf("-duration %s, -warmup %s: allowed are whole seconds from 1s on", o.duration, o.warmup)
	case o.rounds < 1 || o.rounds > 1000:
		return o, fmt.Errorf("-rounds %d: allowed are 1 to 1000", o.rounds)
	case o.over != "tcp" && o.over != "socket":
		return o, fmt.Errorf("-over %q: allowed are tcp and socket", o.over)
	case !(o.rate >= 1 && o.rate <= 1e6):
		return o, fmt.Errorf("-rate %g: allowed is 1 to 1000000", o.rate)
	}
	return o, nil
}

// bed is what all cases are measured on.
type bed struct {
	server     *server
	repository string
	binary     string // the benchfleet command
	self       string
	scratch    string // a folder for stores, logs and scripts
	script     string // of pgbench
	endpoint   string // a file that names the server to benchfleet
	processors int

	warmup, duration time.Duration
	rate             float64
	idle             float64 // load average of the machine before anything was done
}

func (b *bed) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if !o.report {
		if err := measure(ctx, o); err != nil {
			return err
		}
	}
	b := &bed{warmup: o.warmup, duration: o.duration, rate: o.rate}
	all, err := readAll(o.samples, b.cases())
	if err != nil {
		return err
	}
	text, missing := tables(all, b, func(revision string) bool { return gone(ctx, revision) })
	switch {
	case o.write == "":
		_, err = os.Stdout.WriteString(text)
		return err
	case len(missing) > 0: // another's tables may stand there
		return fmt.Errorf("-write %s: %s has no whole round of %s, and the file would lose their tables; measure them, or leave out -write to print what there is",
			o.write, o.samples, strings.Join(missing, "; "))
	default:
		return writeBetween(o.write, text)
	}
}

// gone reports whether a build is of no commit of the history of this folder. Where there is
// none nothing is known of it.
func gone(ctx context.Context, revision string) bool {
	git := func(args ...string) error { return exec.CommandContext(ctx, "git", args...).Run() }
	return git("rev-parse", "--verify", "--quiet", "HEAD") == nil &&
		git("merge-base", "--is-ancestor", strings.TrimSuffix(revision, "+"), "HEAD") != nil
}

// chosen are the cases that are asked for.
func chosen(all []comparison, only string) ([]comparison, error) {
	if only == "" {
		return all, nil
	}
	var picked []comparison
	for name := range strings.SplitSeq(only, ",") {
		at := slices.IndexFunc(all, func(c comparison) bool { return c.id == name })
		if at < 0 {
			return nil, fmt.Errorf("-only %q: there is no case %q", only, name)
		}
		picked = append(picked, all[at])
	}
	return picked, nil
}

// measure makes the samples that are still missing.
func measure(ctx context.Context, o options) (err error) {
	b := &bed{warmup: o.warmup, duration: o.duration, rate: o.rate, processors: runtime.NumCPU(), idle: loadAverage()}
	cases, err := chosen(b.cases(), o.only)
	if err != nil {
		return err
	}
	if b.repository, err = os.Getwd(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.repository, "go.mod")); err != nil {
		return fmt.Errorf("this is to be run in the folder of the repository: %w", err)
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.scratch, err = os.MkdirTemp("", "peers-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.scratch)) }()
	if b.binary = o.binary; b.binary == "" {
		b.say("building the command")
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	data, err := filepath.Abs(o.data)
	if err != nil {
		return err
	}
	b.say("starting a PostgreSQL server and loading its tables")
	if b.server, err = startServer(ctx, data, o.over); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.remove()) }()
	now, err := b.setting(ctx, data)
	if err != nil {
		return err
	}
	journals := make([]*journal, len(cases))
	for i, c := range cases {
		if journals[i], err = openJournal(journalOf(o.samples, c.id), now); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, journals[i].file.Close()) }()
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.measureAll(ctx, cases, o.rounds, journals); err != nil || o.keep == "" {
		return err
	}
	return keep(cases, o.samples, o.keep)
}

// keep copies the samples of cases from one folder to another.
func keep(cases []comparison, from, to string) error {
	for _, c := range cases {
		text, err := os.ReadFile(journalOf(from, c.id))
		if err != nil {
			return err
		}
		if err := os.WriteFile(journalOf(to, c.id), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// build builds the command as task build does.
func (b *bed) build(ctx context.Context) error {
	b.binary = filepath.Join(b.scratch, "benchfleet")
	_, err := execute(ctx, b.repository, []string{"CGO_ENABLED=0"}, nil,
		"go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s", "-o", b.binary, "./cmd/benchfleet")
	return err
}

// prepare makes the tables of every side.
func (b *bed) prepare(ctx context.Context) error {
	b.script = filepath.Join(b.scratch, "lookup.sql")
	text := fmt.Sprintf("\\set id random(0, %d)\n%s;\n", readRows-1, lookupSQL(":id"))
	if err := os.WriteFile(b.script, []byte(text), 0o644); err != nil {
		return err
	}
	if err := b.prepareOurs(ctx); err != nil {
		return err
	}
	if _, err := execute(ctx, b.scratch, nil, nil, filepath.Join(b.server.cluster.Binaries, "pgbench"),
		"--initialize", "--quiet", fmt.Sprintf("--scale=%d", tpcbScale), b.server.dsn()); err != nil {
		return err
	}
	return b.server.age(ctx)
}

// measureAll makes round after round of case after case, each with its journal.
func (b *bed) measureAll(ctx context.Context, cases []comparison, rounds int, journals []*journal) error {
	left := time.Duration(0)
	for i := range cases {
		if cases[i].rounds == 0 {
			cases[i].rounds = rounds
		}
		open := cases[i].rounds - firstOpen(journals[i].samples, cases[i].id, cases[i].names(), cases[i].rounds)
		left += time.Duration(open*len(cases[i].sides)) * cases[i].cost()
	}
	for i, c := range cases {
		for round := firstOpen(journals[i].samples, c.id, c.names(), c.rounds); round < c.rounds; round++ {
			for turn, at := range order(len(c.sides), round) {
				s, err := b.insist(ctx, c, c.sides[at], round)
				if err != nil {
					return fmt.Errorf("%s, round %d, %s: %w", c.id, round+1, c.sides[at].name, err)
				}
				s.Turn = turn
				if err := journals[i].append(s); err != nil {
					return err
				}
				left -= c.cost()
				b.say("%-8s round %d of %d  %-20s %s  (load %.1f; about %s left)",
					c.id, round+1, c.rounds, s.Side, s.brief(), s.Load, max(left, 0).Round(time.Minute))
			}
		}
	}
	return nil
}

// cost is how long a side takes, with what comes before and after it.
func (c comparison) cost() time.Duration { return c.each + 2*time.Second }

// attempts is how often a side may fail in a turn before the measurement ends: nobody
// watches it.
const attempts = 3

// insist measures one side, again when that fails. What failed makes no sample, and is
// counted in the one that follows.
func (b *bed) insist(ctx context.Context, c comparison, of side, round int) (s sample, err error) {
	for failed := range attempts {
		s, err = b.turn(ctx, c, of, round)
		if s.Failed = failed; err == nil || ctx.Err() != nil {
			return s, err
		}
		b.say("%s round %d  %s FAILED: %v", c.id, round+1, of.name, err)
	}
	return s, err
}

// turn measures one side once.
func (b *bed) turn(ctx context.Context, c comparison, of side, round int) (sample, error) {
	if err := b.server.settle(ctx); err != nil {
		return sample{}, err
	}
	at, load := time.Now().UTC(), loadAverage()
	s, err := of.run(ctx, b, round)
	s.Case, s.Round, s.Side, s.At, s.Load, s.Idle = c.id, round, of.name, at, load, &b.idle
	return s, err
}

// brief is a sample in a few words.
func (s sample) brief() string {
	text := fmt.Sprintf("%8.0f op/s", s.Rate)
	if s.Operations > 0 {
		text += fmt.Sprintf("  CPU/op %5.1f µs, server %5.1f", 1e6*s.CPU/s.Operations, 1e6*s.Served/s.Operations)
	}
	if p50, told := s.Values["p50_ms"]; told {
		text += fmt.Sprintf("  p50 %.3f ms", p50)
	}
	return text
}
