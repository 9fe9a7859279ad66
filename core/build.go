package core

// Build is the identity of a binary. Every worker of a run must have the same.
type Build struct {
	ID        string `json:"id"`                 // VCS revision, plus a hash of the difference when modified
	Stamped   bool   `json:"stamped"`            // ID comes from the VCS, not from the executable's own hash
	GoVersion string `json:"go_version"`         // of the compiler
	Platform  string `json:"platform"`           // linux/amd64
	Image     string `json:"image,omitempty"`    // container image, if any
	Scenario  string `json:"scenario,omitempty"` // hash of the scenario that the worker has read
}

// Same reports whether two builds may work in one run.
func (b Build) Same(o Build) bool { return b.ID == o.ID && b.GoVersion == o.GoVersion }
