package core

import (
	"fmt"
	"time"
)

// Warehouse is what computes for a target or a store, where that is something
// with a name and a size of its own.
type Warehouse struct {
	Account     string `json:"account,omitempty"` // where it is
	Name        string `json:"name"`
	State       string `json:"state"` // STARTED, SUSPENDED, RESUMING, RESIZING, …
	Type        string `json:"type"`  // WarehouseStandard or WarehouseInteractive
	Size        string `json:"size,omitempty"`
	AutoResume  bool   `json:"auto_resume"`
	MinClusters int    `json:"min_clusters,omitempty"`
	MaxClusters int    `json:"max_clusters,omitempty"`
}

// The types of warehouses.
const (
	WarehouseStandard    = "STANDARD"
	WarehouseInteractive = "INTERACTIVE"
)

// InteractiveTimeout is when an interactive warehouse ends a statement, whatever
// anybody asks for.
const InteractiveTimeout = 5 * time.Second

// WarehousePoll is how busy a warehouse was at one time of a run.
type WarehousePoll struct {
	RunID           string    `json:"run_id"`
	At              time.Time `json:"timestamp"`
	Elapsed         float64   `json:"elapsed_seconds"` // since the run's origin; 0 before it
	Warehouse       string    `json:"warehouse_name"`
	State           string    `json:"state"`
	StartedClusters int       `json:"started_clusters"`
	Running         int       `json:"running"`
	Queued          int       `json:"queued"`
	MinClusters     int       `json:"min_clusters"`
	MaxClusters     int       `json:"max_clusters"`
	ScalingPolicy   string    `json:"scaling_policy,omitempty"`
}

// WarehouseFindings judges the warehouse of a target for a scenario. store is the
// warehouse of the store, nil where it has none.
func WarehouseFindings(w Warehouse, store *Warehouse, s Scenario) []Finding {
	const id = "target.warehouse"
	refuse := func(mend, format string, args ...any) Finding {
		return Finding{ID: id, Severity: SeverityError, Message: fmt.Sprintf(format, args...), Mend: mend}
	}
	var found []Finding
	switch {
	case w.State == "SUSPENDED" && !w.AutoResume:
		found = append(found, refuse("run: ALTER WAREHOUSE "+w.Name+" RESUME", "warehouse %s is suspended, and does not resume by itself", w.Name))
	case w.State == "SUSPENDED":
		f := refuse("run: ALTER WAREHOUSE "+w.Name+" RESUME", "warehouse %s is suspended: the first operations wait until it has resumed", w.Name)
		f.Severity = SeverityWarning
		found = append(found, f)
	}
	if store != nil && store.Name == w.Name && store.Account == w.Account {
		found = append(found, refuse("name another warehouse in the endpoint, or in the address of the store",
			"warehouse %s serves the store too, so that either would be measured with the other", w.Name))
	}
	found = append(found, interactiveFindings(w, s, refuse)...)
	if len(found) > 0 {
		return found
	}
	return []Finding{{ID: id, Severity: SeverityOK, Message: fmt.Sprintf("%s is %s: %s, %s, %d to %d clusters", w.Name, w.State, w.Type, w.Size, w.MinClusters, w.MaxClusters)}}
}

func interactiveFindings(w Warehouse, s Scenario, refuse func(mend, format string, args ...any) Finding) []Finding {
	if w.Type != WarehouseInteractive {
		return nil
	}
	var found []Finding
	for _, op := range s.Operations {
		if op.Access == AccessWrite {
			found = append(found, refuse("name a standard warehouse in the endpoint, or take the writing operations out of the mix",
				"the mix writes, and warehouse %s is interactive, which only reads", w.Name))
			break
		}
	}
	if limit := s.Limits.StatementTimeout.Std(); limit > InteractiveTimeout {
		f := refuse("set limits.statement_timeout to "+InteractiveTimeout.String()+" or less, so that both say the same",
			"warehouse %s is interactive and ends each statement after %s, although limits.statement_timeout is %s", w.Name, InteractiveTimeout, limit)
		f.Severity = SeverityWarning
		found = append(found, f)
	}
	return found
}

// TableTypeFinding judges the type of the benchmark table that was found, where
// the target tells it. A view stands for a table of any type: it is for reading.
func TableTypeFinding(found string, s Scenario, mend string) (Finding, bool) {
	if found == "" || found == "VIEW" || found == s.Table.Type {
		return Finding{}, false
	}
	return Finding{ID: "target.table_type", Severity: SeverityError, Mend: mend,
		Message: fmt.Sprintf("table %s is %s, the template says %s", s.Table.Name, found, s.Table.Type)}, true
}
