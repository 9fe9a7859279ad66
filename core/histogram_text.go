package core

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	histogramVersion = 1
	// The longest encoding: version, sum, min, span; a gap and a count per bucket.
	histogramMaxBytes = 1 + 3*binary.MaxVarintLen64 + histogramSlots*(2+binary.MaxVarintLen64)
)

// MarshalText encodes the histogram as standard base64. Equal histograms give
// equal text. It never fails. (The receiver is a value so that a Histogram
// field encodes in JSON however the struct around it is passed.)
//
// The bytes below the base64 are a version byte, 1, and unless empty the
// unsigned varints sum, min, max-min (ns), and for each bucket that is not
// empty, in order: empty buckets skipped before it, count.
func (h Histogram) MarshalText() ([]byte, error) {
	data := []byte{histogramVersion}
	if h.low != 0 {
		data = binary.AppendUvarint(data, h.sum)
		data = binary.AppendUvarint(data, ^h.low)
		data = binary.AppendUvarint(data, h.high-^h.low)
	}
	next := uint64(0)
	for slot, n := range h.slots() {
		data = binary.AppendUvarint(data, slot-next)
		data = binary.AppendUvarint(data, n)
		next = slot + 1
	}
	return base64.StdEncoding.AppendEncode(nil, data), nil
}

// UnmarshalText replaces the histogram by what MarshalText encoded. Text that
// MarshalText cannot have made is refused with an error that wraps ErrInvalid,
// and leaves h unchanged.
func (h *Histogram) UnmarshalText(text []byte) error {
	if most := base64.StdEncoding.EncodedLen(histogramMaxBytes); len(text) > most {
		return fmt.Errorf("%w: histogram: %d bytes of text, at most %d allowed", ErrInvalid, len(text), most)
	}
	if i := bytes.IndexAny(text, "\r\n"); i >= 0 { // the base64 decoder would skip it
		return fmt.Errorf("%w: histogram: line break at byte %d", ErrInvalid, i)
	}
	data, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("%w: histogram: %w", ErrInvalid, err)
	}
	var decoded Histogram
	if err := decoded.decode(data); err != nil {
		return fmt.Errorf("%w: histogram: %w", ErrInvalid, err)
	}
	*h = decoded
	return nil
}

// decode fills an empty histogram from the binary encoding.
func (h *Histogram) decode(data []byte) error {
	switch {
	case len(data) == 0:
		return errors.New("no version byte")
	case data[0] != histogramVersion:
		return fmt.Errorf("version %d, only %d is known", data[0], histogramVersion)
	case len(data) == 1:
		return nil
	}
	r := histogramReader{data: data[1:]}
	sum, least, span := r.uvarint("sum"), r.uvarint("min"), r.uvarint("max")
	if r.err == nil && (least > math.MaxInt64 || span > math.MaxInt64-least) {
		return fmt.Errorf("min %d ns and max %d ns above it do not fit a duration", least, span)
	}
	h.sum, h.low, h.high = sum, ^least, least+span
	return h.decodeBuckets(&r)
}

// decodeBuckets reads the buckets, and checks that sum, min and max can be
// theirs.
func (h *Histogram) decodeBuckets(r *histogramReader) error {
	least, sum := ^h.low, h.sum
	var from, to, last uint64 // the sum lies in [from, to]
	for next := uint64(0); next == 0 || len(r.data) > 0; next = last + 1 {
		skipped, n := r.uvarint("bucket"), r.uvarint("bucket count")
		switch {
		case r.err != nil:
			return r.err
		case skipped >= histogramSlots-next:
			return fmt.Errorf("bucket %d is beyond the last, %d", saturatingAdd(next, skipped), histogramSlots-1)
		case n == 0:
			return fmt.Errorf("bucket %d is stored but empty", next+skipped)
		case h.count+n < n:
			return fmt.Errorf("counts overflow at bucket %d", next+skipped)
		case next == 0 && skipped != histogramSlot(least):
			return fmt.Errorf("min %d ns is not in the first bucket, %d", least, skipped)
		}
		last = next + skipped
		lower, upper := histogramBounds(last)
		if last == histogramSlots-1 {
			upper = h.high
		}
		from = saturatingAdd(from, saturatingMul(max(lower, least), n))
		to = saturatingAdd(to, saturatingMul(min(upper, h.high), n))
		h.count += n
		h.add(last, n)
	}
	if last != histogramSlot(h.high) {
		return fmt.Errorf("max %d ns is not in the last bucket, %d", h.high, last)
	}
	if sum < from || sum > to {
		return fmt.Errorf("sum %d ns is not within %d to %d ns that the buckets allow", sum, from, to)
	}
	return nil
}

// histogramReader reads canonical unsigned varints and keeps the first error.
type histogramReader struct {
	data []byte
	err  error
}

func (r *histogramReader) uvarint(what string) uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.data)
	if n <= 0 || (n > 1 && r.data[n-1] == 0) {
		r.err = fmt.Errorf("%s is cut short, too large or not in its shortest form", what)
		return 0
	}
	r.data = r.data[n:]
	return v
}
