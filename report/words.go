package report

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Clean makes stored text safe to print on one line: white space becomes a
// space, and what is not visible, or not UTF-8, becomes U+FFFD.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case r == utf8.RuneError || r != ' ' && !unicode.IsPrint(r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, s)
}

// wide are the characters that take two columns, roughly as terminals do it.
var wide = [...][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f},
	{0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
}

func runeWidth(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	for _, w := range wide {
		if r >= w[0] && r <= w[1] {
			return 2
		}
	}
	return 1
}

// columns is how many columns clean text takes. Colours take none.
func columns(s string) int {
	n, escape := 0, false
	for _, r := range s {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			n += runeWidth(r)
		}
	}
	return n
}

// cut shortens text to a number of columns, with … at its end; 0 is no limit.
// Colours that it cuts off are ended.
func cut(s string, limit int) string {
	if limit <= 0 || columns(s) <= limit {
		return s
	}
	var b strings.Builder
	used, escape, coloured := 0, false, false
	for _, r := range s {
		switch {
		case r == '\x1b':
			escape, coloured = true, true
		case escape:
			escape = r != 'm'
		default:
			if used += runeWidth(r); used > limit-1 {
				b.WriteRune('…')
				if coloured {
					b.WriteString("\x1b[0m")
				}
				return b.String()
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wrap breaks clean prose into lines of at most limit columns, at spaces where
// there are any; 0 is no limit.
func wrap(s string, limit int) []string {
	if limit <= 0 {
		return []string{s}
	}
	var lines []string
	line := ""
	for word := range strings.SplitSeq(s, " ") {
		for columns(word) > limit {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			head := strings.TrimSuffix(cut(word, limit), "…")
			if head == "" {
				break
			}
			lines, word = append(lines, head), word[len(head):]
		}
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= limit:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// Latency writes a duration with three significant digits: 12.3µs, 1.23ms,
// 4.56s.
func Latency(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Latency(-d)
	case d == 0:
		return "0s"
	case d < time.Microsecond:
		return strconv.FormatInt(d.Nanoseconds(), 10) + "ns"
	}
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"µs", time.Microsecond}, {"ms", time.Millisecond}} {
		if v := float64(d) / float64(u.size); v < 999.5 {
			return threeDigits(v) + u.name
		}
	}
	return threeDigits(d.Seconds()) + "s"
}

// threeDigits writes a number of at least 1 with three significant digits.
func threeDigits(v float64) string {
	switch {
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
}

// Count writes a whole number with commas: 1,234,567.
func Count[N ~int | ~int64 | ~uint64](n N) string {
	digits := strconv.FormatUint(uint64(n), 10)
	sign := ""
	if n < 0 {
		digits, sign = strconv.FormatUint(-uint64(n), 10), "-"
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Rate writes a number per second: 12,345, 123, 12.3 or 1.23.
func Rate(perSecond float64) string {
	switch {
	case !(perSecond > 0):
		return "0"
	case perSecond < 99.95:
		return threeDigits(perSecond)
	case perSecond < 1e15:
		return Count(int64(perSecond + 0.5))
	default:
		return strconv.FormatFloat(perSecond, 'e', 2, 64)
	}
}

// percent writes a fraction as a percentage.
func percent(fraction float64) string {
	p := 100 * fraction
	switch {
	case p == 0 || p >= 99.995:
		return strconv.FormatFloat(p, 'f', 0, 64) + "%"
	case p < 0.01:
		return "<0.01%"
	default:
		return strconv.FormatFloat(p, 'f', 2, 64) + "%"
	}
}

// Span writes a longer time: 850ms, 12.3s, 4m10s, 2h05m.
func Span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Span(-d)
	case d == 0:
		return "0s"
	case d < time.Second:
		return Latency(d)
	case d < time.Minute-50*time.Millisecond:
		text := strconv.FormatFloat(d.Seconds(), 'f', 1, 64)
		return strings.TrimSuffix(text, ".0") + "s"
	case d < time.Hour:
		d = d.Round(time.Second)
		return strconv.Itoa(int(d/time.Minute)) + "m" + pad2(int(d%time.Minute/time.Second)) + "s"
	default:
		d = d.Round(time.Minute)
		return strconv.Itoa(int(d/time.Hour)) + "h" + pad2(int(d%time.Hour/time.Minute)) + "m"
	}
}

func pad2(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// moment writes a time in UTC to the second; "-" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// clock writes the time of day in UTC to the millisecond; "-" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("15:04:05.000Z")
}

// plural is "1 worker" or "3 workers".
func plural[N ~int | ~int64 | ~uint64](n N, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return Count(n) + " " + word + "s"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
