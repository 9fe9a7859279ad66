package core

// Overhead is what the load generator itself costs and delays, as the null lane
// of each worker measures it beside the load, in the measurement: a null
// operation takes the whole path of an operation, against a session that does
// nothing. Null operations are in no count, ledger or hash of a run.
type Overhead struct {
	// Service is the load generator's own time for one operation: to choose it,
	// to make its parameters, to time and to record it.
	Service Histogram `json:"service"`
	// Response counts from the time at which a null operation was to start: what
	// it holds beyond the service time is how much later than asked this process
	// got to work.
	Response Histogram `json:"response"`
}

// Merge adds other, which may be nil, to o.
func (o *Overhead) Merge(other *Overhead) {
	if other != nil {
		o.Service.Merge(&other.Service)
		o.Response.Merge(&other.Response)
	}
}

// Clone is a copy that shares nothing with o; nil of nil.
func (o *Overhead) Clone() *Overhead {
	if o == nil {
		return nil
	}
	c := &Overhead{}
	c.Merge(o)
	return c
}

// Strain is what the runtime of a worker's process has taken from its load, in
// the measurement. Zero CPU means that nothing is known of the garbage
// collection's.
type Strain struct {
	Seconds float64 `json:"seconds"` // observed
	// CPU is the processor time that the process could use, GCCPU that of the
	// garbage collection, each as of the newest collection that has ended.
	CPU   float64 `json:"cpu_seconds"`
	GCCPU float64 `json:"gc_cpu_seconds"`
	// Pauses are those in which the garbage collection let nothing run.
	Pauses Histogram `json:"pauses"`
	// Waits are how long what could run waited for a processor.
	Waits Histogram `json:"waits"`
}

// Merge adds other, which may be nil, to s: observed seconds add up, so shares
// are means over the processes.
func (s *Strain) Merge(other *Strain) {
	if other != nil {
		s.Seconds += other.Seconds
		s.CPU += other.CPU
		s.GCCPU += other.GCCPU
		s.Pauses.Merge(&other.Pauses)
		s.Waits.Merge(&other.Waits)
	}
}

// Clone is a copy that shares nothing with s; nil of nil.
func (s *Strain) Clone() *Strain {
	if s == nil {
		return nil
	}
	c := &Strain{}
	c.Merge(s)
	return c
}

// GCShare is the share of the processor time that the garbage collection took;
// 0 when it is not known.
func (s *Strain) GCShare() float64 {
	if !(s.CPU > 0) {
		return 0
	}
	return s.GCCPU / s.CPU
}

// PausedShare is the share of the time in which nothing ran; 0 when nothing was
// observed.
func (s *Strain) PausedShare() float64 {
	if !(s.Seconds > 0) {
		return 0
	}
	return s.Pauses.Sum().Seconds() / s.Seconds
}

// takeGenerator adds what is known of a load generator to a result, sharing
// nothing with it.
func (r *Rollup) takeGenerator(o *Overhead, s *Strain) {
	if o != nil {
		if r.Overhead == nil {
			r.Overhead = &Overhead{}
		}
		r.Overhead.Merge(o)
	}
	if s != nil {
		if r.Strain == nil {
			r.Strain = &Strain{}
		}
		r.Strain.Merge(s)
	}
}
