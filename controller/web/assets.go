package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strconv"

	"github.com/benchfleet/benchfleet/report"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file that browsers may keep: its address says what is in it.
type asset struct {
	kind, version string
	text          []byte
}

func newAsset(name string, text []byte) asset {
	sum := sha256.Sum256(text)
	return asset{kind: mime.TypeByExtension(path.Ext(name)), version: hex.EncodeToString(sum[:6]), text: text}
}

// loadAssets are all files of pages, and the style sheet that they share with
// reports.
func loadAssets() map[string]asset {
	all := map[string]asset{"report.css": newAsset("report.css", []byte(report.CSS()))}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // the binary was built without them
	}
	for _, e := range entries {
		text, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		all[e.Name()] = newAsset(e.Name(), text)
	}
	return all
}

// asset serves one. One that is asked for by its version never changes.
func (s *site) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(a.text)))
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(a.text) // one who has gone away
}
