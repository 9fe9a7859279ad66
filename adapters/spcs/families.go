package spcs

// family is what one node of an instance family has, as documented.
type family struct {
	cpu    float64 // vCPU
	memory int64   // GiB
}

// familyOf is what a node of an x86 family has; false for a family whose nodes are
// not known here.
func familyOf(name string) (family, bool) {
	switch name {
	case "GEN_X64_G2_2", "CPU_X64_XS":
		return family{1, 6}, true
	case "GEN_X64_G2_4", "CPU_X64_S":
		return family{3, 13}, true
	case "GEN_X64_G2_8", "CPU_X64_M":
		return family{6, 28}, true
	case "GEN_X64_G2_16", "CPU_X64_SL":
		return family{14, 58}, true
	case "GEN_X64_G2_32", "CPU_X64_L":
		return family{28, 116}, true
	case "MEM_X64_G2_8", "HIGHMEM_X64_S":
		return family{6, 58}, true
	case "MEM_X64_G2_32", "HIGHMEM_X64_M":
		return family{28, 240}, true
	case "MEM_X64_G2_64":
		return family{60, 492}, true
	}
	return family{}, false
}

// What a container requests unless it says so.
const (
	defaultCPU    = 0.5
	defaultMemory = 512 << 20
)

// requests are what a worker requests of a node.
func (o Options) requests() (cpu float64, memory int64) {
	cpu, memory = defaultCPU, defaultMemory
	if o.CPU != "" {
		cpu = cpuOf(o.CPU)
	}
	if o.Memory != "" {
		memory = memoryOf(o.Memory)
	}
	return cpu, memory
}

// perNode is how many workers have room on an empty node.
func (o Options) perNode(f family) int {
	cpu, memory := o.requests()
	return min(int(f.cpu/cpu), int(f.memory<<30/memory))
}
