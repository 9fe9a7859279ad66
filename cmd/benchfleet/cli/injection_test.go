package cli

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/benchfleet/benchfleet/client"
	"github.com/benchfleet/benchfleet/controller"
	"github.com/benchfleet/benchfleet/core"
	"github.com/matryer/is"
)

// servedSite is a controller over a real store of SQL, in this process.
type servedSite struct {
	t      *testing.T
	url    string
	client *client.Client
	db     *sql.DB // looks into the store beside it
	dir    string
}

func serveSite(t *testing.T) *servedSite {
	t.Helper()
	is := is.New(t)
	dir := site(t)
	a := &app{environ: os.Environ(), out: io.Discard, err: io.Discard, dir: dir, store: "sqlite:" + filepath.Join(dir, "store.db"), output: "text"}
	store, err := a.openStore(t.Context())
	is.NoErr(err)
	service, err := a.newController(t.Context(), store, controllerFlags{launchers: []string{"local"}})
	is.NoErr(err)
	handler, err := controller.Handler(service, controller.ServerOptions{})
	is.NoErr(err)
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		service.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(server.URL, client.Options{})
	is.NoErr(err)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "store.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	is.NoErr(err)
	t.Cleanup(func() { db.Close() })
	return &servedSite{t, server.URL, c, db, dir}
}

// rows are how many rows each table of the store has.
func (s *servedSite) rows() map[string]int {
	s.t.Helper()
	is := is.New(s.t)
	names, err := s.db.Query("SELECT name FROM sqlite_master WHERE type = 'table'")
	is.NoErr(err)
	defer names.Close()
	counts := map[string]int{}
	for names.Next() {
		var name string
		is.NoErr(names.Scan(&name))
		counts[name] = 0
	}
	is.NoErr(names.Err())
	for name := range counts {
		var n int
		is.NoErr(s.db.QueryRow(`SELECT COUNT(*) FROM "` + name + `"`).Scan(&n))
		counts[name] = n
	}
	return counts
}

// injections try to leave the place of a value in a statement.
var injections = []string{
	`'`, `''`, `"`, `' OR '1'='1`, `' OR 1=1 --`, `'; DROP TABLE RUN_STATUS; --`, `'); DELETE FROM TEST_TEMPLATES; --`, `" OR "1"="1`,
	`\' OR 1=1 --`, `%`, `_`, `x' UNION SELECT CONFIG FROM TEST_TEMPLATES --`, `1; ATTACH DATABASE 'x' AS y`, `?`, `:a`, `$1`, "{table}", `0x27`, `';--`,
}

// TestInjection: through no parameter of any operation does anything reach the
// store's SQL but as a value.
func TestInjection(t *testing.T) {
	is := is.New(t)
	s := serveSite(t)
	ctx := t.Context()
	run, err := s.client.CreateRun(ctx, client.NewRun{Template: "oltp"}, "")
	is.NoErr(err)
	before := s.rows()
	var document struct {
		Paths map[string]map[string]struct {
			Parameters  []struct{ Name, In string }
			RequestBody *struct{}
		}
	}
	s.get(ctx, "/api/openapi.json", &document)
	asked := 0
	for path, methods := range document.Paths {
		if strings.HasSuffix(path, "/stream") {
			continue // it ends with its run
		}
		for method, o := range methods {
			for _, text := range injections {
				filled, usual := path, path
				for _, p := range o.Parameters {
					if p.In == "path" {
						filled = strings.ReplaceAll(filled, "{"+p.Name+"}", url.PathEscape(text))
						usual = strings.ReplaceAll(usual, "{"+p.Name+"}", map[string]string{"run": run.ID, "template": "oltp"}[p.Name])
					}
				}
				if filled != path {
					asked += s.inject(ctx, method, filled, "", "", text)
				}
				for _, p := range o.Parameters {
					switch {
					case p.In == "query":
						asked += s.inject(ctx, method, usual+"?"+url.Values{p.Name: {text}}.Encode(), "", "", text)
					case p.In == "header" && method == "get":
						asked += s.inject(ctx, method, usual, p.Name, text, text)
					}
				}
			}
		}
	}
	is.True(asked > 500)
	is.Equal(s.rows(), before) // nothing is gone, nothing has come

	for _, text := range injections { // what is not refused is stored as it was written
		found, err := s.client.Runs(ctx, client.RunFilter{Search: text})
		is.NoErr(err)
		want := 0
		if strings.Contains(run.ID+" oltp", text) {
			want = 1
		}
		is.Equal(len(found.Items), want)
		_, err = s.client.CreateRun(ctx, client.NewRun{Template: text}, "")
		is.Equal(core.CodeOf(err), core.NotFound)
		made, err := s.client.CreateRun(ctx, client.NewRun{Template: "oltp"}, "key "+text)
		is.NoErr(err)
		_, err = s.client.StopRun(ctx, made.ID, client.StopRun{Reason: text})
		is.NoErr(err)
		stopped, err := s.client.Run(ctx, made.ID)
		is.NoErr(err)
		is.Equal(stopped.Detail, text)
		is.NoErr(s.client.DeleteRun(ctx, made.ID))
	}
	before["INSERT_RANGES"] += len(injections) // which are never given out again
	is.Equal(s.rows(), before)
}

func (s *servedSite) get(ctx context.Context, path string, into any) {
	s.t.Helper()
	is := is.New(s.t)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	is.NoErr(err)
	response, err := http.DefaultClient.Do(r)
	is.NoErr(err)
	defer response.Body.Close()
	is.NoErr(json.NewDecoder(response.Body).Decode(into))
}

// inject makes a request that must not succeed in anything but reading, and whose
// answer must not be that of a broken statement.
func (s *servedSite) inject(ctx context.Context, method, path, name, value, text string) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), s.url+"/api/v1"+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	if name != "" {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode >= 500 || method != "get" && response.StatusCode < 300 && !strings.HasSuffix(path, "validate-template") && !strings.HasSuffix(path, "preflight") {
		s.t.Errorf("%s %s with %s: %d %s", method, path, text, response.StatusCode, body)
	}
	for _, told := range []string{"syntax error", "SQL logic error", "no such column", "unrecognized token", "Traceback"} {
		if strings.Contains(string(body), told) {
			s.t.Errorf("%s %s with %s: the store's SQL broke: %s", method, path, text, body)
		}
	}
	return 1
}

// TestListOfTenThousand: a list of 10,000 runs comes in pages, newest first, each run
// once, whatever it is searched by. How long a page takes is measured in bench.
func TestListOfTenThousand(t *testing.T) {
	is := is.New(t)
	s := serveSite(t)
	ctx := t.Context()
	run, err := s.client.CreateRun(ctx, client.NewRun{Template: "oltp"}, "")
	is.NoErr(err)
	is.NoErr(s.multiply(run.ID, 10_000))
	for _, tt := range []struct {
		filter client.RunFilter
		want   int
	}{
		{client.RunFilter{Limit: 1000}, 10_001},
		{client.RunFilter{Limit: 1000, Search: "copy-77"}, 1 + 10 + 100},
		{client.RunFilter{Limit: 1000, Status: []core.Status{core.Prepared}, Launcher: "local"}, 10_001},
		{client.RunFilter{Limit: 1000, Before: "copy-5000"}, 5000},
		{client.RunFilter{Limit: 1000, Search: "nowhere"}, 0},
	} {
		seen, last := map[string]bool{}, 10_001
		for more := true; more; {
			list, err := s.client.Runs(ctx, tt.filter)
			is.NoErr(err)
			for _, r := range list.Items {
				n := 0 // the one that was copied is the oldest
				_, err := fmt.Sscanf(r.ID, "copy-%d", &n)
				is.True(err == nil || r.ID == run.ID)
				is.True(n < last)
				seen[r.ID], last, tt.filter.Before = true, n, r.ID
			}
			more = len(list.Items) == tt.filter.Limit
		}
		is.Equal(len(seen), tt.want)
	}
}

// multiply copies a run's row.
func (s *servedSite) multiply(id string, n int) error {
	var path string
	if err := s.db.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	columns, err := db.Query("SELECT name FROM pragma_table_info('RUN_STATUS')")
	if err != nil {
		return err
	}
	var names, values []string
	for columns.Next() {
		var name string
		if err := columns.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
		switch name {
		case "RUN_ID":
			values = append(values, "'copy-' || n")
		case "INSERT_BASE":
			values = append(values, "INSERT_BASE + n")
		default:
			values = append(values, name)
		}
	}
	_, err = db.Exec(fmt.Sprintf("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) INSERT INTO RUN_STATUS (%s) SELECT %s FROM RUN_STATUS, c WHERE RUN_ID = ?",
		n, strings.Join(names, ", "), strings.Join(values, ", ")), id)
	return err
}
