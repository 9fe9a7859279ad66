package cli

import (
	"encoding/json"
	"fmt"
	"io"
)

func (a *app) json() bool { return a.output == "json" }

// print writes text for people to stdout.
func (a *app) print(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format, args...)
	return err
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
