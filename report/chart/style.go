package chart

import _ "embed"

//go:embed chart.css
var css string

// CSS is the style sheet of all charts. It takes its colours from the reader's
// preference for light or dark, unless data-theme on the root says which, and is
// light on paper.
func CSS() string { return css }
