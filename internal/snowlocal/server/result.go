package server

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

// maxResult bounds one answer: there are no chunks, it is all in one.
const maxResult = 256 << 20

// rowType describes a column.
type rowType struct {
	Name       string `json:"name"`
	Database   string `json:"database"`
	Schema     string `json:"schema"`
	Table      string `json:"table"`
	Nullable   bool   `json:"nullable"`
	Length     *int64 `json:"length"`
	ByteLength *int64 `json:"byteLength"`
	Precision  *int64 `json:"precision"`
	Scale      *int64 `json:"scale"`
	Type       string `json:"type"`
	Collation  *int   `json:"collation"`
}

// resultData is the data of a result's answer, but for its rows.
type resultData struct {
	Parameters  json.RawMessage `json:"parameters"`
	RowType     []rowType       `json:"rowtype"`
	Total       int             `json:"total"`
	Returned    int             `json:"returned"`
	QueryID     string          `json:"queryId"`
	Provider    *string         `json:"databaseProvider"`
	Database    any             `json:"finalDatabaseName"`
	Schema      any             `json:"finalSchemaName"`
	Warehouse   any             `json:"finalWarehouseName"`
	Role        any             `json:"finalRoleName"`
	Binds       int             `json:"numberOfBinds"`
	ArrayBinds  bool            `json:"arrayBindSupported"`
	TypeID      int64           `json:"statementTypeId"`
	Version     int             `json:"version"`
	SentAt      int64           `json:"sendResultTime"`
	Format      string          `json:"queryResultFormat"`
	Context     contexts        `json:"queryContext"`
	ResultIDs   string          `json:"resultIds,omitempty"`
	ResultTypes string          `json:"resultTypes,omitempty"`
}

// contexts are what a client sends back with its next statement, so that it sees
// its own writes.
type contexts struct {
	Entries []contextEntry `json:"entries"`
}

type contextEntry struct {
	ID        int    `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Priority  int    `json:"priority"`
	Context   string `json:"context"`
}

// encodeResult writes the answer to a query down, and those to its children.
func (x *session) encodeResult(id string, binds int, r *engine.Result) ([]byte, map[string][]byte) {
	if r.Children == nil {
		return x.encodeOne(id, binds, r, "", ""), nil
	}
	ids, types := make([]string, len(r.Children)), make([]string, len(r.Children))
	children := make(map[string][]byte, len(r.Children))
	for i, child := range r.Children {
		ids[i], types[i] = child.QueryID, strconv.FormatInt(child.TypeID, 10)
		children[child.QueryID] = x.encodeOne(child.QueryID, 0, child, "", "")
	}
	return x.encodeOne(id, binds, r, strings.Join(ids, ","), strings.Join(types, ",")), children
}

// encodeOne writes one result down.
func (x *session) encodeOne(id string, binds int, r *engine.Result, ids, types string) []byte {
	size := 0
	for _, row := range r.Rows {
		size += 8 * len(row)
		for _, value := range row {
			if value != nil {
				size += len(*value)
			}
		}
	}
	if size > maxResult {
		return (&refusal{code: codeUnsupported, state: "0A000", message: fmt.Sprintf("Unsupported feature 'result of more than %d bytes'.", maxResult), query: id}).encode()
	}
	if r.TypeID == engine.TypeSelect && len(r.Columns) == 0 { // drivers break at it
		return refusalOf(fmt.Errorf("a query without columns: %s", r.SQL), id).encode()
	}
	data := resultData{
		Parameters: x.encodedParameters(), RowType: rowTypes(r.Columns), Total: len(r.Rows), Returned: len(r.Rows), QueryID: id,
		Database: orNull(r.Database), Schema: orNull(r.Schema), Warehouse: orNull(r.Warehouse), Role: orNull(r.Role),
		Binds: binds, TypeID: r.TypeID, Version: 1, SentAt: r.End.UnixMilli(), Format: "json", Context: x.queryContext(r),
		ResultIDs: ids, ResultTypes: types,
	}
	head := encode(data)
	text := make([]byte, 0, size+size/8+len(head)+128)
	text = append(text, `{"data":`...)
	text = append(text, head[:len(head)-1]...)
	text = append(text, `,"rowset":`...)
	text = appendRows(text, r.Rows)
	return append(text, `},"code":null,"message":null,"success":true}`...)
}

func rowTypes(columns []engine.Column) []rowType {
	list := make([]rowType, len(columns))
	for i, c := range columns {
		list[i] = rowType{Name: c.Name, Database: c.Database, Schema: c.Schema, Table: c.Source, Nullable: c.Nullable, Type: c.Type}
		switch c.Type {
		case "fixed":
			list[i].Precision, list[i].Scale = &columns[i].Precision, &columns[i].Scale
		case "text", "binary", "variant", "object", "array":
			list[i].Length, list[i].ByteLength = &columns[i].Length, &columns[i].ByteLength
		default:
			list[i].Precision, list[i].Scale = &columns[i].Precision, &columns[i].Scale
		}
	}
	return list
}

// queryContext has an entry for the account, and one for each database whose
// hybrid tables the session has used, as drivers keep them. Their content says
// nothing: here every session sees all that is committed.
func (x *session) queryContext(r *engine.Result) contexts {
	at := r.End
	if at.IsZero() { // a result that no session has made
		at = x.since
	}
	const content = "c3RhbmQtaW4="
	list := []contextEntry{{Timestamp: at.UnixMicro(), Context: content}}
	for i := range r.HybridDatabases {
		list = append(list, contextEntry{ID: i + 1, Timestamp: at.UnixMicro(), Priority: i + 1, Context: content})
	}
	return contexts{list}
}

// appendRows writes rows as JSON; of what was compiled only there are none.
func appendRows(text []byte, rows [][]*string) []byte {
	if rows == nil {
		return append(text, "null"...)
	}
	text = append(text, '[')
	for i, row := range rows {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '[')
		for k, value := range row {
			if k > 0 {
				text = append(text, ',')
			}
			if value == nil {
				text = append(text, "null"...)
			} else {
				text = appendText(text, *value)
			}
		}
		text = append(text, ']')
	}
	return append(text, ']')
}

// appendText writes a text as JSON.
func appendText(text []byte, s string) []byte {
	text = append(text, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			if b >= ' ' && b != '"' && b != '\\' {
				i++
				continue
			}
			text = append(text, s[start:i]...)
			text = fmt.Appendf(text, `\u%04x`, b)
			i++
			start = i
			continue
		}
		r, width := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && width == 1 {
			text = append(text, s[start:i]...)
			text = append(text, `\ufffd`...)
			start = i + 1
		}
		i += width
	}
	text = append(text, s[start:]...)
	return append(text, '"')
}
