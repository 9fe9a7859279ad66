package web

import (
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/report/chart"
)

//go:embed pages
var pageFiles embed.FS

// parse reads the templates: each page with the layout and what several share.
func (s *site) parse() (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(s.functions()).ParseFS(pageFiles, "pages/layout.tmpl", "pages/parts.tmpl")
	if err != nil {
		return nil, err
	}
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		return nil, err
	}
	all := map[string]*template.Template{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), path.Ext(f.Name()))
		own, err := shared.Clone()
		if err == nil {
			own, err = own.ParseFS(pageFiles, "pages/"+f.Name())
		}
		if err != nil {
			return nil, err
		}
		all[name] = own
	}
	return all, nil
}

func (s *site) functions() template.FuncMap {
	return template.FuncMap{
		"asset":   func(name string) string { return s.prefix + "/assets/" + name + "?v=" + s.assets[name].version },
		"path":    s.path,
		"api":     func(parts ...string) string { return s.path(append([]string{"api", "v1"}, parts...)...) },
		"chart":   half,
		"clean":   func(text any) string { return report.Clean(fmt.Sprint(text)) },
		"count":   func(n any) string { return count(n) },
		"rate":    report.Rate,
		"millis":  func(ms float64) string { return report.Latency(time.Duration(ms * float64(time.Millisecond))) },
		"span":    span,
		"latency": report.Latency,
		"moment":  moment,
		"clock":   clock,
		"tone":    func(status any) string { return strings.ToLower(fmt.Sprint(status)) },
		"fixed":   func(x float64, decimals int) string { return fmt.Sprintf("%.*f", decimals, x) },
		"named":   func(field, message string) bool { return strings.HasPrefix(message, field+" ") },
		"list":    func(all ...any) []any { return all },
	}
}

// half is a chart that takes half of a wide page, in the sizes in which chart.js
// draws it anew.
func half(c chart.Chart) template.HTML {
	wide, narrow := c, c
	wide.ID, narrow.ID = c.ID+"-w", c.ID+"-n"
	return template.HTML(`<figure class="chart" id="` + c.ID + `"><figcaption>` + template.HTMLEscapeString(c.Title) + `</figcaption><div class="chart-wide">` +
		chart.SVG(wide, 640, 290) + `</div><div class="chart-narrow">` + chart.SVG(narrow, 380, 290) + `</div></figure>`)
}

// path is the address of what lies below the prefix, each part escaped.
func (s *site) path(parts ...string) string {
	var b strings.Builder
	b.WriteString(s.prefix)
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

func count(n any) string {
	switch n := n.(type) {
	case int:
		return report.Count(n)
	case int64:
		return report.Count(n)
	case uint64:
		return report.Count(n)
	default:
		return fmt.Sprint(n)
	}
}

// span is a length of time: a core.Duration or a time.Duration.
func span(d any) string {
	switch d := d.(type) {
	case core.Duration:
		return report.Span(d.Std())
	case time.Duration:
		return report.Span(d)
	default:
		return fmt.Sprint(d)
	}
}

// instant is a time, from a value or a pointer; not ok for none.
func instant(t any) (time.Time, bool) {
	switch t := t.(type) {
	case time.Time:
		return t.UTC(), !t.IsZero()
	case *time.Time:
		if t != nil {
			return t.UTC(), !t.IsZero()
		}
	}
	return time.Time{}, false
}

// moment is a time to the second, as an element that programs can read.
func moment(t any) template.HTML { return timeElement(t, "2006-01-02 15:04:05") }

// clock is a time of day to the millisecond.
func clock(t any) template.HTML { return timeElement(t, "15:04:05.000") }

func timeElement(t any, layout string) template.HTML {
	at, ok := instant(t)
	if !ok {
		return "–"
	}
	return template.HTML(`<time datetime="` + at.Format(time.RFC3339Nano) + `" title="` + at.Format("2006-01-02 15:04:05.000") + ` UTC">` + at.Format(layout) + `</time>`)
}
