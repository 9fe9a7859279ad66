package health

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the scrapes at the same time; others get 503.
const maxScrapes = 4

// newHandler routes the pages. Their patterns refuse every method but GET and
// HEAD.
func newHandler(o Options, now func() time.Time) (http.Handler, error) {
	registry, err := newRegistry(o, now)
	if err != nil {
		return nil, err
	}
	since := now().UTC().Truncate(time.Second)
	page := func(good func(Status) bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			s := o.Check().tidy()
			s.Role, s.Since, s.Version = o.Role, since, o.Build.ID
			writeStatus(w, s, good(s))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", page(func(s Status) bool { return s.Ready }))
	mux.HandleFunc("GET /health/live", page(func(s Status) bool { return s.Live }))
	mux.HandleFunc("GET /health/ready", page(func(s Status) bool { return s.Ready }))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		DisableCompression:  true, // the processor belongs to the load
		MaxRequestsInFlight: maxScrapes,
	}))
	return plain(mux), nil
}

// plain refuses bodies, and has answers neither stored nor guessed at.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			http.Error(w, "a body is not read", http.StatusRequestEntityTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeStatus(w http.ResponseWriter, s Status, good bool) {
	w.Header().Set("Content-Type", "application/json")
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(s) // it can fail only because the client is gone
}
