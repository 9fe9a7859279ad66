// Package quiet keeps the terminal libraries from talking to the terminal before
// main begins. Importing bubbletea makes lipgloss ask the terminal for its
// background colour and wait up to 5 s for the answer, in every command of the
// binary, whether it draws or not. That question is never asked once the answer
// is set.
//
// It works by the order of initialisation, which the language fixes: of the
// packages that are ready the one whose import path sorts first, so this one
// comes after lipgloss and before bubbletea. It must import nothing else.
package quiet

import "github.com/charmbracelet/lipgloss"

func init() { lipgloss.SetHasDarkBackground(true) } // no colour here depends on it
