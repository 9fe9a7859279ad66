package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// warehouse is a warehouse with what runs on it. Engine.mu guards it.
type warehouse struct {
	Warehouse
	owner   string
	created time.Time
	resumed time.Time
	running int64
}

func (w Warehouse) withDefaults() Warehouse {
	w.Name = strings.ToUpper(w.Name)
	if w.Type == "" {
		w.Type = Standard
	}
	if w.State == "" {
		w.State = Started
	}
	if w.Size == "" {
		w.Size = "X-Small"
	}
	w.MinClusters, w.MaxClusters = max(w.MinClusters, 1), max(w.MaxClusters, w.MinClusters, 1)
	return w
}

// interactiveCap is the longest statement of an interactive warehouse.
const interactiveCap = 5

func (e *Engine) loadWarehouses(ctx context.Context) error {
	rows, err := e.admin.Query(ctx, "SELECT def, owner, created FROM sf.warehouses")
	if err != nil {
		return err
	}
	defer rows.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.warehouses = map[string]*warehouse{}
	for rows.Next() {
		var def []byte
		w := &warehouse{}
		if err := rows.Scan(&def, &w.owner, &w.created); err != nil {
			return err
		}
		if err := json.Unmarshal(def, &w.Warehouse); err != nil {
			return err
		}
		w.resumed = w.created
		e.warehouses[w.Name] = w
	}
	return rows.Err()
}

func (e *Engine) saveWarehouse(ctx context.Context, w Warehouse, owner string) error {
	def, err := json.Marshal(w)
	if err != nil {
		return err
	}
	_, err = e.admin.Exec(ctx, "INSERT INTO sf.warehouses (name, def, owner) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET def = excluded.def", w.Name, def, owner)
	return err
}

// enter notes a statement that runs on the session's warehouse, which resumes if
// it may. The function that is returned notes its end.
func (s *Session) enter(what string, dml bool) (leave func(), err error) {
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	w, ok := e.warehouses[s.info.Warehouse]
	switch {
	case s.info.Warehouse == "" || !ok:
		return nil, failure(606, "57P03", "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command.")
	case w.State != Started && w.NoAutoResume:
		return nil, suspended(w.Name)
	case w.State != Started:
		w.State, w.resumed = Started, time.Now()
	}
	if dml && w.Type == Interactive {
		return nil, notInteractive(what)
	}
	w.running++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		w.running--
	}, nil
}

// sizes are the names of sizes by what statements call them.
var sizes = map[string]string{
	"XSMALL": "X-Small", "X-SMALL": "X-Small", "SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "X-Large", "X-LARGE": "X-Large",
	"XXLARGE": "2X-Large", "X2LARGE": "2X-Large", "2X-LARGE": "2X-Large", "XXXLARGE": "3X-Large", "X3LARGE": "3X-Large", "3X-LARGE": "3X-Large",
	"X4LARGE": "4X-Large", "4X-LARGE": "4X-Large", "X5LARGE": "5X-Large", "5X-LARGE": "5X-Large", "X6LARGE": "6X-Large", "6X-LARGE": "6X-Large",
}

// set changes properties of a warehouse.
func (w *Warehouse) set(options []sqltext.Option) error {
	for _, o := range options {
		var err error
		switch o.Key {
		case "WAREHOUSE_SIZE":
			size, ok := sizes[strings.ToUpper(o.Value)]
			if !ok {
				return failure(1008, "22023", "SQL compilation error:\ninvalid value ['%s'] for parameter 'WAREHOUSE_SIZE'", o.Value)
			}
			w.Size = size
		case "MIN_CLUSTER_COUNT":
			w.MinClusters, err = optionInteger(o)
		case "MAX_CLUSTER_COUNT":
			w.MaxClusters, err = optionInteger(o)
		case "AUTO_SUSPEND":
			if w.AutoSuspend = 0; strings.ToUpper(o.Value) != "NULL" {
				w.AutoSuspend, err = optionInteger(o)
			}
		case "AUTO_RESUME":
			var resume bool
			resume, err = optionBoolean(o)
			w.NoAutoResume = !resume
		case "INITIALLY_SUSPENDED":
			var initially bool
			if initially, err = optionBoolean(o); initially {
				w.State = Suspended
			}
		case "STATEMENT_TIMEOUT_IN_SECONDS":
			w.StatementTimeout, err = optionInteger(o)
		case "COMMENT":
			w.Comment = o.Value
		case "WAREHOUSE_TYPE":
			if w.Type = strings.ToUpper(o.Value); w.Type != Standard {
				return unsupported("WAREHOUSE_TYPE = %s", o.Value)
			}
		case "SCALING_POLICY", "MAX_CONCURRENCY_LEVEL", "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "ENABLE_QUERY_ACCELERATION", "QUERY_ACCELERATION_MAX_SCALE_FACTOR", "RESOURCE_CONSTRAINT", "GENERATION":
		default:
			return failure(1420, "22023", "SQL compilation error:\ninvalid property '%s' for 'WAREHOUSE'", o.Key)
		}
		if err != nil {
			return err
		}
	}
	w.MaxClusters = max(w.MaxClusters, w.MinClusters)
	if w.Type == Interactive && w.StatementTimeout > interactiveCap {
		return failure(1008, "22023", "SQL compilation error:\ninvalid value [%d] for parameter 'STATEMENT_TIMEOUT_IN_SECONDS': an interactive warehouse has 5 at most", w.StatementTimeout)
	}
	return nil
}

// snapshot returns the warehouses in order of their names.
func (e *Engine) snapshot() []warehouse {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]warehouse, 0, len(e.warehouses))
	for _, w := range e.warehouses {
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b warehouse) int { return strings.Compare(a.Name, b.Name) })
	return list
}
