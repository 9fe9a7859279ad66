package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/benchfleet/benchfleet/core"
)

// instant is a time as it is read back: UTC, zero for NULL.
type instant struct{ time.Time }

// Scan reads NULL, a time, or text in ISO 8601.
func (i *instant) Scan(src any) error {
	i.Time = time.Time{}
	var text string
	switch v := src.(type) {
	case nil:
		return nil
	case time.Time:
		i.Time = v.UTC()
		return nil
	case string:
		text = v
	case []byte:
		text = string(v)
	default:
		return fmt.Errorf("a time is stored as %T", src)
	}
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	i.Time = t.UTC()
	return err
}

// stamp is a time as it is bound: NULL for zero.
func (s *Store) stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return s.d.Time(t.UTC().Truncate(time.Microsecond))
}

// encode is a value as JSON text.
func (s *Store) encode(what string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", s.invalid("%s cannot be stored: %v", what, err)
	}
	return string(text), nil
}

// decode reads JSON text; NULL and empty text leave v as it is.
func (s *Store) decode(what string, text *string, v any) error {
	if text == nil || *text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(*text), v); err != nil {
		return fmt.Errorf("%w: %s: the stored %s cannot be read: %w", core.ErrInternal, s.d.Name, what, err)
	}
	return nil
}

// optional is text as it is bound where empty means NULL.
func optional(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// row is columns and values side by side, in order.
type row struct {
	columns []string
	values  []any
}

func (r *row) set(column string, value any) {
	r.columns = append(r.columns, column)
	r.values = append(r.values, value)
}

// milliseconds is a duration as the latency columns hold it.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// byAccess sums the counts of the kinds that read, and of those that write.
func byAccess(kinds []core.KindMetrics) (reads, writes core.Counts) {
	for i := range kinds {
		if kinds[i].Access == core.AccessRead {
			reads.Add(kinds[i].Counts)
		} else {
			writes.Add(kinds[i].Counts)
		}
	}
	return reads, writes
}
