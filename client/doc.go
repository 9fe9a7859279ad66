// Package client is the Go client of the controller's API, and the words of that
// API: the types that requests and answers are made of, which the controller uses
// itself.
//
//	c, err := client.New("http://127.0.0.1:8080", client.Options{})
//	run, err := c.CreateRun(ctx, client.NewRun{Template: "oltp", Start: true})
//	for frame, err := range c.Watch(ctx, run.ID, "") { … }
//
// Errors carry the code of core that the controller answered with, so that
// core.CodeOf tells what to do, and are a *Problem for errors.As. Every call is
// bounded by its context. It is not a place of logic: what a run may do is the
// controller's to say.
package client
