package engine

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

const (
	pgStamp = "2006-01-02 15:04:05.999999999"
	pgDate  = "2006-01-02"
)

// bindText is a bound value as PostgreSQL reads it.
func bindText(typ string, value *string) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	v := *value
	bad := func() error { return failure(1008, "22023", "Invalid bind value %q of type %s", v, typ) }
	switch typ {
	case "BINARY":
		if _, err := hex.DecodeString(v); err != nil {
			return nil, bad()
		}
		return []byte(`\x` + v), nil
	case "DATE":
		ms, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, bad()
		}
		return []byte(time.UnixMilli(ms).UTC().Format(pgDate)), nil
	case "TIME":
		ns, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, bad()
		}
		return []byte(time.Unix(0, ns).UTC().Truncate(time.Microsecond).Format("15:04:05.999999")), nil
	case "TIMESTAMP_NTZ", "TIMESTAMP_LTZ":
		at, err := epochNanos(v)
		if err != nil {
			return nil, bad()
		}
		return []byte(at.Format(pgStamp) + map[string]string{"TIMESTAMP_LTZ": "+00"}[typ]), nil
	case "TIMESTAMP_TZ":
		nanos, zone, ok := strings.Cut(v, " ")
		at, err := epochNanos(nanos)
		minutes, zoneErr := strconv.Atoi(zone)
		if !ok || err != nil || zoneErr != nil {
			return nil, bad()
		}
		return fmt.Appendf(nil, `("%s+00",%d)`, at.Format(pgStamp), minutes-1440), nil
	}
	return []byte(strings.ReplaceAll(v, "\x00", "")), nil
}

// epochNanos reads nanoseconds since 1970, of any year.
func epochNanos(v string) (time.Time, error) {
	n, ok := new(big.Int).SetString(v, 10)
	if !ok {
		return time.Time{}, fmt.Errorf("no whole number: %q", v)
	}
	nanos := new(big.Int)
	n.DivMod(n, big.NewInt(1e9), nanos)
	return time.Unix(n.Int64(), nanos.Int64()).UTC().Truncate(time.Microsecond), nil // PostgreSQL has no more, and would round
}

// wireText is a value of PostgreSQL's as it is on the wire, by the type of its
// column.
func wireText(typ string, value []byte) (string, error) {
	switch typ {
	case "boolean":
		if string(value) == "t" {
			return "1", nil
		}
		return "0", nil
	case "date":
		at, err := time.Parse(pgDate, string(value))
		if err != nil {
			return "", err
		}
		return strconv.FormatInt(floorDiv(at.Unix(), 86400), 10), nil
	case "time":
		at, err := time.Parse("15:04:05.999999999", string(value))
		if err != nil {
			return "", err
		}
		return seconds(int64(at.Hour()*3600+at.Minute()*60+at.Second()), at.Nanosecond()), nil
	case "timestamp_ntz":
		at, err := time.Parse(pgStamp, string(value))
		if err != nil {
			return "", err
		}
		return seconds(at.Unix(), at.Nanosecond()), nil
	case "timestamp_ltz":
		at, err := parseZoned(string(value))
		if err != nil {
			return "", err
		}
		return seconds(at.Unix(), at.Nanosecond()), nil
	case "timestamp_tz":
		return zonedText(string(value))
	case "binary":
		return strings.ToUpper(strings.TrimPrefix(string(value), `\x`)), nil
	case "variant", "object", "array":
		return pretty(value)
	}
	return string(value), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// seconds writes seconds with nine digits behind the point.
func seconds(s int64, nanos int) string {
	if s < 0 && nanos > 0 { // -0.5 is not -1 and 0.5
		s, nanos = s+1, 1e9-nanos
		if s == 0 {
			return fmt.Sprintf("-0.%09d", nanos)
		}
	}
	return fmt.Sprintf("%d.%09d", s, nanos)
}

func parseZoned(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00:00"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("a time that cannot be read: %q", s)
}

// zonedText reads the text of a sf.timestamp_tz: ("2024-01-01 00:00:00+00",60).
func zonedText(s string) (string, error) {
	stamp, minutes, ok := strings.Cut(strings.Trim(s, "()"), ",")
	at, err := parseZoned(strings.Trim(stamp, `"`))
	offset, offsetErr := strconv.Atoi(minutes)
	if !ok || err != nil || offsetErr != nil {
		return "", fmt.Errorf("a time with a zone that cannot be read: %q", s)
	}
	return fmt.Sprintf("%s %d", seconds(at.Unix(), at.Nanosecond()), offset+1440), nil
}

// pretty writes JSON as Snowflake shows a VARIANT: indented, with sorted keys.
func pretty(value []byte) (string, error) {
	if len(value) > 0 && value[0] != '{' && value[0] != '[' {
		return string(value), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return "", err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(tree); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
