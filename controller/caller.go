package controller

import "context"

// Role is what a caller may do.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // writes too
)

// Caller is who asks.
type Caller struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
}

type callerKey struct{}

// CallerOf is who asks in this request; the zero Caller outside one.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

func withCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}
