package web

import (
	"html/template"
	"net/http"
	"net/url"

	"github.com/benchfleet/benchfleet/report"
)

type comparePage struct {
	IDs   []string
	Query template.URL // of the addresses of its documents
	Lead  []string
	report.Inside
}

func (s *site) compare(w http.ResponseWriter, r *http.Request) error {
	p := comparePage{IDs: distinct(r.URL.Query()["run"])}
	c, err := s.service.Compare(r.Context(), p.IDs)
	if err != nil {
		return err
	}
	if p.Inside, err = report.InsideComparison(c); err != nil {
		return err
	}
	p.Query = template.URL(url.Values{"run": p.IDs}.Encode())
	return s.show(w, r, http.StatusOK, "compare", frame{Title: "Compare runs", Section: "runs", Body: p})
}
