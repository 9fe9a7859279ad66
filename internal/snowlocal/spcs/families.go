package spcs

// family is what one node of an instance family has.
type family struct {
	cpu    float64 // vCPU
	memory int64   // bytes
	nodes  int     // the most nodes of a pool
}

const gib = 1 << 30

// families are the x86 instance families that AWS and Azure have alike.
var families = map[string]family{
	"GEN_X64_G2_2":  {1, 6 * gib, 150},
	"GEN_X64_G2_4":  {3, 13 * gib, 150},
	"GEN_X64_G2_8":  {6, 28 * gib, 150},
	"GEN_X64_G2_16": {14, 58 * gib, 150},
	"GEN_X64_G2_32": {28, 116 * gib, 150},
	"CPU_X64_XS":    {1, 6 * gib, 500},
	"CPU_X64_S":     {3, 13 * gib, 500},
	"CPU_X64_M":     {6, 28 * gib, 500},
	"CPU_X64_SL":    {14, 58 * gib, 500},
	"CPU_X64_L":     {28, 116 * gib, 500},
	"MEM_X64_G2_8":  {6, 58 * gib, 150},
	"MEM_X64_G2_32": {28, 240 * gib, 150},
	"MEM_X64_G2_64": {60, 492 * gib, 150},
	"HIGHMEM_X64_S": {6, 58 * gib, 150},
	"HIGHMEM_X64_M": {28, 240 * gib, 150},
}
