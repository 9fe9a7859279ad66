package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/pgtext"
	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
)

// Bounds of RESULT_LIMIT.
const (
	historyRows    = 100
	maxHistoryRows = 10000
)

// historyColumns are the columns of QUERY_HISTORY with PostgreSQL's types.
var historyColumns = [][2]string{
	{"QUERY_ID", "text"}, {"QUERY_TEXT", "text"}, {"DATABASE_NAME", "text"}, {"SCHEMA_NAME", "text"}, {"QUERY_TYPE", "text"}, {"SESSION_ID", "numeric(38,0)"},
	{"USER_NAME", "text"}, {"ROLE_NAME", "text"}, {"WAREHOUSE_NAME", "text"}, {"WAREHOUSE_SIZE", "text"}, {"WAREHOUSE_TYPE", "text"}, {"CLUSTER_NUMBER", "numeric(38,0)"},
	{"QUERY_TAG", "text"}, {"EXECUTION_STATUS", "text"}, {"ERROR_CODE", "numeric(38,0)"}, {"ERROR_MESSAGE", "text"}, {"START_TIME", "timestamptz"}, {"END_TIME", "timestamptz"},
	{"TOTAL_ELAPSED_TIME", "numeric(38,0)"}, {"BYTES_SCANNED", "numeric(38,0)"}, {"ROWS_PRODUCED", "numeric(38,0)"}, {"COMPILATION_TIME", "numeric(38,0)"},
	{"EXECUTION_TIME", "numeric(38,0)"}, {"QUEUED_PROVISIONING_TIME", "numeric(38,0)"}, {"QUEUED_REPAIR_TIME", "numeric(38,0)"}, {"QUEUED_OVERLOAD_TIME", "numeric(38,0)"},
	{"TRANSACTION_BLOCKED_TIME", "numeric(38,0)"},
}

// scope are the arguments of a QUERY_HISTORY function.
type scope struct {
	limit    int
	from, to time.Time
	by, is   string // SESSION_ID, USER_NAME or WAREHOUSE_NAME, and its value
}

// queryHistory gives the rows of TABLE(INFORMATION_SCHEMA.QUERY_HISTORY…(…)).
func (s *Session) queryHistory(ctx context.Context, call *sqltext.Call, q Query) (*pgtext.Source, error) {
	by, ok := map[string]string{
		"QUERY_HISTORY": "", "QUERY_HISTORY_BY_SESSION": "SESSION_ID", "QUERY_HISTORY_BY_USER": "USER_NAME", "QUERY_HISTORY_BY_WAREHOUSE": "WAREHOUSE_NAME",
	}[call.Name.Last()]
	parts := call.Name.Parts
	if !ok || len(parts) < 2 || parts[len(parts)-2].Text != "INFORMATION_SCHEMA" {
		return nil, failure(2141, "42601", "SQL compilation error:\nUnknown table function %s", call.Name.Last())
	}
	if len(parts) == 2 && s.Info().Database == "" {
		return nil, failure(90105, "22000", "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a qualified name.")
	}
	sc, err := s.historyScope(ctx, call, by, q)
	if err != nil {
		return nil, err
	}
	own, err := s.readableWarehouses(ctx)
	if err != nil {
		return nil, err
	}
	user := s.Info().User
	list := s.engine.history.list(sc.limit, func(i *QueryInfo) bool {
		return sc.keeps(i) && (i.User == user || own[i.Warehouse]) && !i.unseen()
	})
	return historySource(list)
}

// readableWarehouses are those whose queries of others the role sees.
func (s *Session) readableWarehouses(ctx context.Context) (map[string]bool, error) {
	seen := map[string]bool{}
	for _, w := range s.engine.snapshot() {
		for _, privilege := range []string{"MONITOR", "OPERATE"} {
			ok, err := s.engine.allowed(ctx, s.info.Role, "WAREHOUSE", w.Name, privilege)
			if err != nil {
				return nil, err
			}
			seen[w.Name] = seen[w.Name] || ok
		}
	}
	return seen, nil
}

func (sc *scope) keeps(i *QueryInfo) bool {
	if end := i.End; !sc.from.IsZero() && !end.IsZero() && end.Before(sc.from) {
		return false
	}
	if !sc.to.IsZero() && i.Start.After(sc.to) {
		return false
	}
	switch sc.by {
	case "SESSION_ID":
		return strconv.FormatInt(i.SessionID, 10) == sc.is
	case "USER_NAME":
		return strings.EqualFold(i.User, sc.is)
	case "WAREHOUSE_NAME":
		return strings.EqualFold(i.Warehouse, sc.is)
	}
	return true
}

func (s *Session) historyScope(ctx context.Context, call *sqltext.Call, by string, q Query) (*scope, error) {
	info := s.Info()
	sc := &scope{limit: historyRows, by: by}
	sc.is = map[string]string{"SESSION_ID": strconv.FormatInt(s.id, 10), "USER_NAME": info.User, "WAREHOUSE_NAME": info.Warehouse}[by]
	for _, a := range call.Args {
		known := slices.Contains([]string{"RESULT_LIMIT", "END_TIME_RANGE_START", "END_TIME_RANGE_END", "INCLUDE_CLIENT_GENERATED_STATEMENT"}, a.Name) || a.Name == by && by != ""
		if !known || a.Value == nil {
			return nil, failure(1003, "42000", "SQL compilation error:\nsyntax error: unknown argument '%s' of %s.", a.Name, call.Name.Last())
		}
		x := a.Value
		if strings.HasPrefix(a.Name, "END_TIME") {
			x = &sqltext.Cast{X: x, To: sqltext.Type{Name: "TIMESTAMP_LTZ", Precision: 9}}
		}
		values, _, err := s.evaluate(ctx, []sqltext.Expr{x}, q)
		if err != nil {
			return nil, err
		}
		if values[0] == nil {
			continue
		}
		if err := sc.set(a.Name, *values[0]); err != nil {
			return nil, err
		}
	}
	return sc, nil
}

func (sc *scope) set(name, value string) error {
	switch name {
	case "RESULT_LIMIT":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxHistoryRows {
			return failure(1008, "22023", "SQL compilation error:\ninvalid value [%s] for parameter 'RESULT_LIMIT': it is from 1 to %d", value, maxHistoryRows)
		}
		sc.limit = n
	case "END_TIME_RANGE_START", "END_TIME_RANGE_END":
		s, nanos, _ := strings.Cut(value, ".")
		at, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return failure(100035, "22007", "Timestamp '%s' is not recognized", value)
		}
		n, _ := strconv.ParseInt(nanos, 10, 64) // it has nine digits
		if t := time.Unix(at, n); name == "END_TIME_RANGE_START" {
			sc.from = t
		} else {
			sc.to = t
		}
	case sc.by:
		sc.is = value
	}
	return nil
}

func historySource(list []QueryInfo) (*pgtext.Source, error) {
	source := &pgtext.Source{}
	for _, c := range historyColumns {
		source.Columns, source.Types = append(source.Columns, c[0]), append(source.Types, c[1])
		source.Wire = append(source.Wire, sqltext.Type{})
	}
	rows := make([]map[string]any, len(list))
	for i, info := range list {
		values := historyRow(info)
		rows[i] = map[string]any{}
		for k, c := range historyColumns {
			rows[i]["c"+strconv.Itoa(k)] = values[c[0]]
		}
	}
	text, err := json.Marshal(rows)
	source.JSON = string(text)
	return source, err
}

func historyRow(i QueryInfo) map[string]any {
	end := i.End
	row := map[string]any{
		"QUERY_ID": i.ID, "QUERY_TEXT": i.SQL, "DATABASE_NAME": orNull(i.Database), "SCHEMA_NAME": orNull(i.Schema), "QUERY_TYPE": i.Type, "SESSION_ID": i.SessionID,
		"USER_NAME": i.User, "ROLE_NAME": i.Role, "WAREHOUSE_NAME": orNull(i.Warehouse), "WAREHOUSE_SIZE": orNull(i.WarehouseSize), "WAREHOUSE_TYPE": orNull(i.WarehouseClass),
		"QUERY_TAG": i.Tag, "EXECUTION_STATUS": i.Status, "START_TIME": i.Start.UTC().Format(time.RFC3339Nano), "ROWS_PRODUCED": i.RowsProduced,
		"BYTES_SCANNED": 0, "COMPILATION_TIME": 0, "QUEUED_PROVISIONING_TIME": 0, "QUEUED_REPAIR_TIME": 0, "QUEUED_OVERLOAD_TIME": 0, "TRANSACTION_BLOCKED_TIME": 0,
	}
	if i.Warehouse != "" {
		row["CLUSTER_NUMBER"] = 1
	}
	if end.IsZero() {
		end = time.Now()
	} else {
		row["END_TIME"] = end.UTC().Format(time.RFC3339Nano)
	}
	row["TOTAL_ELAPSED_TIME"], row["EXECUTION_TIME"] = end.Sub(i.Start).Milliseconds(), end.Sub(i.Start).Milliseconds()
	if i.Error != nil {
		row["ERROR_CODE"], row["ERROR_MESSAGE"] = fmt.Sprintf("%06d", i.Error.Number), i.Error.Message
	}
	return row
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// sortNewest puts what runs first, and then what ended last.
func sortNewest(list []QueryInfo) {
	slices.SortStableFunc(list, func(a, b QueryInfo) int {
		switch {
		case a.End.IsZero() && b.End.IsZero():
			return b.Start.Compare(a.Start)
		case a.End.IsZero():
			return -1
		case b.End.IsZero():
			return 1
		}
		return b.End.Compare(a.End)
	})
}
