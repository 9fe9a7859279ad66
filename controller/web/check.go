package web

import (
	"net/http"
	"net/url"
)

// checkRun asks for the checks of a prepared run that need its target and its launcher.
// What they find is shown where the run is.
func (s *site) checkRun(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("run")
	if _, err := s.service.CheckRun(r.Context(), id, by(r.Context())); err != nil {
		return err
	}
	return s.to(w, r, "/runs/"+url.PathEscape(id))
}
