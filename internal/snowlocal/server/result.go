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

// encodeResult writes the answer to a query down, and those to its children.
func (x *session) encodeResult(id string, binds int, r *engine.Result) ([]byte, map[string][]byte) {
	if r.Children == nil {
		return x.encodeOne(id, binds, r, nil), nil
	}
	ids, types := make([]string, len(r.Children)), make([]string, len(r.Children))
	children := make(map[string][]byte, len(r.Children))
	for i, child := range r.Children {
		ids[i], types[i] = child.QueryID, strconv.FormatInt(child.TypeID, 10)
		children[child.QueryID] = x.encodeOne(child.QueryID, 0, child, nil)
	}
	return x.encodeOne(id, binds, r, map[string]any{"resultIds": strings.Join(ids, ","), "resultTypes": strings.Join(types, ",")}), children
}

// encodeOne writes one result down.
func (x *session) encodeOne(id string, binds int, r *engine.Result, more map[string]any) []byte {
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
	data := map[string]any{
		"parameters": json.RawMessage(x.encodedParameters()), "rowtype": rowTypes(r.Columns), "total": len(r.Rows), "returned": len(r.Rows), "queryId": id,
		"databaseProvider": nil, "finalDatabaseName": orNull(r.Database), "finalSchemaName": orNull(r.Schema), "finalWarehouseName": orNull(r.Warehouse),
		"finalRoleName": orNull(r.Role), "numberOfBinds": binds, "arrayBindSupported": false, "statementTypeId": r.TypeID, "version": 1, "sendResultTime": r.End.UnixMilli(),
		"queryResultFormat": "json", "queryContext": x.queryContext(r),
	}
	for name, value := range more {
		data[name] = value
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

// queryContext is what a client sends back with its next statement, so that it
// sees its own writes. Here every session sees them.
func (x *session) queryContext(r *engine.Result) map[string]any {
	at := r.End
	if at.IsZero() {
		at = x.since
	}
	return map[string]any{"entries": []any{map[string]any{"id": 0, "timestamp": at.UnixMicro(), "priority": 0, "context": "c3RhbmQtaW4="}}}
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
