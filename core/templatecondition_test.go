package core

import (
	"testing"

	"github.com/matryer/is"
)

func TestTemplateCondition(t *testing.T) {
	for _, tt := range []struct {
		name      string
		condition TemplateCondition
		found     bool
		version   int
		used      int64
		equal     bool
		want      Code
	}{
		{"nothing is asked for, and none is there", TemplateCondition{}, false, 0, 0, false, ""},
		{"nothing is asked for of a used one", TemplateCondition{}, true, 3, 7, false, ""},
		{"a new one", TemplateCondition{New: true}, false, 0, 0, false, ""},
		{"a new one where there is one", TemplateCondition{New: true}, true, 1, 0, false, Conflict},
		{"a new one where an equal one is", TemplateCondition{New: true}, true, 1, 0, true, Conflict},
		{"the version that is there", TemplateCondition{Version: 2}, true, 2, 0, false, ""},
		{"a version before", TemplateCondition{Version: 1}, true, 2, 0, false, Conflict},
		{"a version that is to come", TemplateCondition{Version: 3}, true, 2, 0, true, Conflict},
		{"a version of none", TemplateCondition{Version: 1}, false, 0, 0, false, NotFound},
		{"one that was not used", TemplateCondition{Unused: true}, true, 1, 0, false, ""},
		{"one that was used", TemplateCondition{Unused: true}, true, 1, 1, false, Refused},
		{"one that was used, and is equal", TemplateCondition{Unused: true}, true, 1, 1, true, ""},
		{"none, which was not used", TemplateCondition{Unused: true}, false, 0, 0, false, ""},
		{"a used one of another version", TemplateCondition{Version: 1, Unused: true}, true, 2, 5, false, Conflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(CodeOf(tt.condition.Check("oltp", tt.found, tt.version, tt.used, tt.equal)), tt.want)
		})
	}
}
