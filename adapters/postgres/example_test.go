package postgres_test

import (
	"fmt"

	"github.com/benchfleet/benchfleet/adapters/postgres"
)

// A target is made of its address, and connects to nothing until it is used.
// Here TLS with a verified certificate is asked of the server, since it is on
// another host and the address says nothing else.
func ExampleNew() {
	target, err := postgres.New("postgres://bench:secret@db.example:5432/shop", postgres.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(target.Close())
	// Output: <nil>
}
