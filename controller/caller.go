package controller

import (
	"context"
	"net/http"
)

// Role is what a caller may do.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // writes too
)

// May reports whether the role may use a method.
func (r Role) May(method string) bool { return r == Operator || r == Viewer && safe(method) }

// safe reports whether a method only reads.
func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// Caller is who asks.
type Caller struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
}

type callerKey struct{}

// CallerOf is who asks in this request; the zero Caller, who may do nothing,
// outside one.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

func withCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}
