package core_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func TestTableRow(t *testing.T) {
	t.Run("is the same in every version", func(t *testing.T) {
		is := is.New(t)
		is.Equal(core.TableRow(0), core.Row{ID: 0, CustomerID: 393, Balance: 205003, Status: "CLOSED", Payload: "H3ZAgV3AUcoudBPMqav0Onmawob5G3x9PRcUxSkkYQuqNSY1A0evqlyMeg5qkfxSxhCuswpwDg39xYfPPO3kvZLoivKhPoHmSq0r"})
		is.Equal(core.TableRow(99_999), core.Row{ID: 99999, CustomerID: 77335, Balance: 563920, Status: "ACTIVE", Payload: "ZsxXP34pmfqD85xvAkCFvtmDdAr15XbH9lOgCG6EAzGn8pqc1dvu0M1f7AWsN075G0gAaXzMFNNQNPxY6OSa2dk7ADAOvHJU5EdQ"})
	})
	t.Run("holds what the columns may", func(t *testing.T) {
		is := is.New(t)
		statuses, payloads, customers := map[string]int{}, map[string]bool{}, map[int64]bool{}
		const rows = 20_000
		for id := range int64(rows) {
			row := core.TableRow(id)
			is.Equal(row, core.TableRow(id))
			is.Equal(row.ID, id)
			is.True(row.CustomerID >= 0 && row.CustomerID < 100_000)
			is.True(row.Balance >= 0 && row.Balance < 1_000_000)
			is.Equal(len(row.Payload), 100)
			for _, c := range []byte(row.Payload) {
				is.True(c > ' ' && c <= '~')
			}
			statuses[row.Status]++
			payloads[row.Payload] = true
			customers[row.CustomerID] = true
		}
		is.Equal(len(payloads), rows)
		is.True(len(customers) > 17_000) // drawn at random, not the id
		is.Equal(len(statuses), 4)
		for status, count := range statuses {
			is.True(count > rows/4-500 && count < rows/4+500)
			is.True(len(status) <= 16)
		}
	})
}

func BenchmarkTableRow(b *testing.B) {
	b.ReportAllocs()
	for id := int64(0); b.Loop(); id++ {
		_ = core.TableRow(id)
	}
}
