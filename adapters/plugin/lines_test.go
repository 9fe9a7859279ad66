package plugin

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/matryer/is"
)

// record is a slog.Handler that keeps what it gets.
type record struct {
	mu    *sync.Mutex
	lines *[]string
	least slog.Level
}

func newRecord(least slog.Level) record {
	return record{mu: &sync.Mutex{}, lines: &[]string{}, least: least}
}

func (r record) Enabled(_ context.Context, level slog.Level) bool { return level >= r.least }
func (r record) WithAttrs([]slog.Attr) slog.Handler               { return r }
func (r record) WithGroup(string) slog.Handler                    { return r }

func (r record) Handle(_ context.Context, e slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := e.Level.String() + " " + e.Message
	e.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	*r.lines = append(*r.lines, text)
	return nil
}

func (r record) has(line string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains("\n"+strings.Join(*r.lines, "\n")+"\n", "\n"+line+"\n")
}

func TestLines(t *testing.T) {
	for _, c := range []struct{ written, want string }{
		{"plain", "INFO plain"},
		{"  \t", ""},
		{`{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"m","b":2,"a":"x"}`, "WARN m a=x b=2"},
		{`{"level":"DEBUG-2","msg":"m"}`, "DEBUG-2 m"},
		{`{"@level":"trace","@message":"m","@timestamp":"never","@module":"x"}`, "DEBUG-4 m @module=x"},
		{`{"@message":5,"@level":["x"]}`, `INFO {"@message":5,"@level":["x"]}`},
		{`{"broken`, `INFO {"broken`},
		{`[ERROR] it broke`, "ERROR it broke"},
		{`time=2026-01-02T03:04:05Z level=ERROR msg="it broke"`, `ERROR time=2026-01-02T03:04:05Z level=ERROR msg="it broke"`},
		{"level=whatever", "INFO level=whatever"},
		{"windows\r", "INFO windows"},
		{"no \xff UTF-8", "INFO no \uFFFD UTF-8"},
	} {
		t.Run(c.written, func(t *testing.T) {
			is := is.New(t)
			got := newRecord(levelTrace)
			l := newLines(slog.New(got))
			for _, b := range []byte(c.written + "\n") { // in the smallest pieces
				_, err := l.Write([]byte{b})
				is.NoErr(err)
			}
			is.Equal(strings.Join(*got.lines, "\n"), c.want)
		})
	}
}

func TestLinesAreBounded(t *testing.T) {
	is := is.New(t)
	got := newRecord(levelTrace)
	l := newLines(slog.New(got))
	_, err := io.Copy(l, strings.NewReader(strings.Repeat("x", 3<<20)+"\nnext\nunfinished"))
	is.NoErr(err)
	is.True(cap(l.buffer) <= 2*maxLine)
	l.end()
	is.Equal(len(*got.lines), 3)
	is.Equal(len((*got.lines)[0]), len("INFO ")+maxLine+len("…"))
	is.Equal((*got.lines)[1:], []string{"INFO next", "INFO unfinished"})
}

func TestPanicIsOneError(t *testing.T) {
	is := is.New(t)
	got := newRecord(levelTrace)
	l := newLines(slog.New(got))
	_, err := io.WriteString(l, "before\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n")
	is.NoErr(err)
	is.Equal(*got.lines, []string{"INFO before", "ERROR panic: boom", "ERROR goroutine 1 [running]:", "ERROR main.main()"})
	is.Equal(l.lastWords(), "; it wrote: panic: boom")
}

// What a plugin writes anywhere is logged, with its level.
func TestOutputIsLogged(t *testing.T) {
	is := is.New(t)
	got := newRecord(levelTrace)
	l := open(t, "talks", func(o *Options) { o.Logger = slog.New(got) })
	_, err := l.Launch(t.Context(), key("say"))
	is.NoErr(err)
	waitFor(t, "both lines", func() bool { return got.has("INFO said on stdout") && got.has("WARN said on stderr") })
	_, err = l.Launch(t.Context(), key("panic"))
	is.True(err != nil)
	waitFor(t, "the panic", func() bool { return got.has("ERROR panic: odd: a defect") })
	waitFor(t, "the death", func() bool { return got.has("WARN plugin died how=it exited with code 2") })
}

func TestBridge(t *testing.T) {
	is := is.New(t)
	got := newRecord(levelTrace)
	var log hclog.Logger = bridge(slog.New(got))
	log.Trace("t")
	log.Debug("d", "n", 1)
	log.Info("i", "f", hclog.Fmt("%d of %d", 1, 2))
	log.Warn("w")
	log.Error("e")
	log.Log(hclog.Off, "never")
	_, err := log.StandardWriter(nil).Write([]byte("[WARN] standard\n"))
	is.NoErr(err)
	log.StandardLogger(nil).Print("printed")
	is.Equal(*got.lines, []string{"DEBUG-4 t", "DEBUG d n=1", "INFO i f=1 of 2", "WARN w", "ERROR e", "WARN standard", "INFO printed"})
	is.Equal(log.Named("a").Named("b").Name(), "a.b")
	is.Equal(log.With("k", "v").ImpliedArgs(), []any{"k", "v"})

	for least, want := range map[slog.Level]hclog.Level{
		levelTrace: hclog.Trace, slog.LevelDebug: hclog.Debug, slog.LevelWarn: hclog.Warn, slog.LevelError + 1: hclog.Off,
	} {
		is.Equal(bridge(slog.New(newRecord(least))).GetLevel(), want)
	}
	var text bytes.Buffer
	bridge(slog.New(slog.NewTextHandler(&text, nil))).With("k", "v").Info("m")
	is.True(strings.Contains(text.String(), "level=INFO msg=m k=v"))
}
