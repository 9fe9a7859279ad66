package core

// YCSB's ScrambledZipfianGenerator: its constants and its formulas, so that its
// workloads are skewed here as they are there. The formula is of Gray and others,
// "Quickly generating billion-record synthetic databases", SIGMOD 1994.
const (
	ycsbItems = 10_000_000_001    // from 0 to ITEM_COUNT, both included
	ycsbZeta  = 26.46902820178302 // ZETAN: the sum of k^-0.99 over them
	ycsbTheta = 0.99
	ycsbAlpha = 1 / (1 - ycsbTheta)
	ycsbHalf  = 0.5034777750283594044163 // 2^-theta
	ycsbEta   = 0.2122000338096739459481 // (1 - (2/items)^(1-theta)) / (1 - (1+2^-theta)/zeta)
)

// ycsbRank is the item for a number u in [0, 1): 0 is the most frequent.
func ycsbRank(u float64) int64 {
	uz := float64(u * ycsbZeta)
	switch {
	case uz < 1:
		return 0
	case uz < 1+ycsbHalf:
		return 1
	}
	power := exactExp(float64(ycsbAlpha * exactLog(mulAdd(ycsbEta, u-1, 1))))
	return min(int64(float64(ycsbItems*power)), ycsbItems-1)
}

// scrambledKey is the key of the item: its 64-bit FNV-1a hash, without sign,
// modulo the number of rows.
func scrambledKey(u float64, rows int64) int64 {
	const offset, prime = 0xcbf29ce484222325, 1099511628211
	item, h := uint64(ycsbRank(u)), uint64(offset)
	for range 8 {
		h = (h ^ item&0xff) * prime
		item >>= 8
	}
	signed := int64(h)
	if signed < 0 {
		signed = -signed
	}
	return int64(uint64(signed) % uint64(rows)) // the one number that has no positive stays one
}
