package core_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestDefaultStatements(t *testing.T) {
	for _, kind := range core.Kinds() {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			sql, parameters := core.DefaultStatement(kind)
			is.NoErr(core.CheckStatement(sql))
			n, err := core.CountPlaceholders(sql)
			is.NoErr(err)
			is.Equal(n, len(parameters))
			is.Equal(strings.Count(sql, "{table}"), 1)
			reads := kind == core.PointLookup || kind == core.RangeScan
			is.Equal(core.IsQuery(sql), reads)
			is.Equal(core.StatementAccess(sql) == core.AccessRead, reads)

			// The caller may change what it gets.
			parameters[0].Name = "changed"
			if len(parameters) > 1 && len(parameters[1].Values) > 0 {
				parameters[1].Values[0] = "changed"
			}
			_, again := core.DefaultStatement(kind)
			is.True(again[0].Name != "changed")
			if len(again) > 1 && len(again[1].Values) > 0 {
				is.True(again[1].Values[0] != "changed")
			}
		})
	}
	t.Run("not built in", func(t *testing.T) {
		is := is.New(t)
		sql, parameters := core.DefaultStatement("point_lookup")
		is.Equal(sql, "")
		is.Equal(len(parameters), 0)
	})
	t.Run("inserts like the loader", func(t *testing.T) {
		is := is.New(t)
		_, parameters := core.DefaultStatement(core.Insert)
		var names []string
		for _, p := range parameters {
			names = append(names, strings.ToUpper(p.Name))
		}
		is.Equal(strings.Join(names, ", "), core.TableColumns)
		for id := range int64(100) {
			row := core.TableRow(id)
			is.True(float64(row.CustomerID) <= parameters[1].Max)
			is.True(float64(row.Balance) <= parameters[2].Max)
			is.Equal(len(row.Payload), parameters[4].Length)
		}
	})
}
