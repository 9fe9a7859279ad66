package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) json() bool { return a.output == "json" }

// moreOutputs is the annotation of a command that has outputs of its own: what
// --output allows there beside text and json, separated by spaces.
const moreOutputs = "outputs"

// outputsOf is what --output allows for a command.
func outputsOf(cmd *cobra.Command) []string {
	return append([]string{"text", "json"}, strings.Fields(cmd.Annotations[moreOutputs])...)
}

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
