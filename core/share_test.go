package core_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/core"
)

func ExampleConnections() {
	for worker := range 3 {
		first, count := core.Connections(10, 3, worker)
		fmt.Printf("worker-%d keeps %d connections from %d on\n", worker, count, first)
	}
	// Output:
	// worker-0 keeps 4 connections from 0 on
	// worker-1 keeps 3 connections from 4 on
	// worker-2 keeps 3 connections from 7 on
}

func TestShareOut(t *testing.T) {
	is := is.New(t)
	for total := range 60 {
		for parts := 1; parts <= 60; parts++ {
			shares := core.ShareOut(total, parts)
			is.Equal(len(shares), parts)
			sum := 0
			for i, share := range shares {
				sum += share
				is.True(share == total/parts || share == total/parts+1)
				is.True(i == 0 || share <= shares[i-1]) // largest first
			}
			is.Equal(sum, total)
		}
	}
	is.Equal(core.ShareOut(10, 0), nil)
	is.Equal(core.ShareOut(10, -1), nil)
	is.Equal(core.ShareOut(-7, 2), []int{0, 0})
	is.Equal(core.ShareOut(math.MaxInt, 2), []int{math.MaxInt/2 + 1, math.MaxInt / 2})
}

func TestConnections(t *testing.T) {
	is := is.New(t)
	for total := range 60 {
		for workers := 1; workers <= 60; workers++ {
			next := 0
			for worker, share := range core.ShareOut(total, workers) {
				first, count := core.Connections(total, workers, worker)
				if count > 0 || total >= workers {
					is.Equal(first, next) // contiguous, hence disjoint
				}
				is.Equal(count, share) // floors and ceilings
				next += count
			}
			is.Equal(next, total) // covers all
		}
	}
}

func TestConnectionsAtTheEdges(t *testing.T) {
	for _, c := range [][5]int{ // total, workers, worker, first, count
		{0, 3, 0, 0, 0},
		{-1, 3, 0, 0, 0},
		{10, 0, 0, 0, 0},
		{10, -2, 0, 0, 0},
		{10, 3, -1, 0, 0},
		{10, 3, 3, 0, 0},
		{2, 3, 2, 2, 0},
		{math.MaxInt, 1, 0, 0, math.MaxInt},
		{math.MaxInt, 2, 1, math.MaxInt/2 + 1, math.MaxInt / 2},
		{math.MaxInt, math.MaxInt, math.MaxInt - 1, math.MaxInt - 1, 1},
		{math.MaxInt - 1, math.MaxInt, math.MaxInt - 1, math.MaxInt - 1, 0},
		{math.MinInt, math.MinInt, math.MinInt, 0, 0},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			is := is.New(t)
			first, count := core.Connections(c[0], c[1], c[2])
			is.Equal([2]int{first, count}, [2]int{c[3], c[4]})
		})
	}
}

func TestQuota(t *testing.T) {
	is := is.New(t)
	for operations := range int64(60) {
		for connections := int64(1); connections <= 60; connections++ {
			var sum int64
			for connection := range connections {
				quota := core.Quota(operations, connections, connection)
				is.True(quota == operations/connections || quota == operations/connections+1)
				if connection > 0 {
					is.True(quota <= core.Quota(operations, connections, connection-1))
				}
				sum += quota
			}
			is.Equal(sum, operations)
		}
	}
	for _, c := range [][4]int64{ // operations, connections, connection, quota
		{math.MaxInt64, 2, 0, math.MaxInt64/2 + 1},
		{math.MaxInt64, 2, 1, math.MaxInt64 / 2},
		{math.MaxInt64, 1, 0, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64 - 1, 1},
		{10, 3, 3, 0},
		{10, 3, -1, 0},
		{10, 0, 0, 0},
		{10, -3, -4, 0},
		{-10, 3, 0, 0},
		{math.MinInt64, math.MinInt64, math.MinInt64, 0},
	} {
		is.Equal(core.Quota(c[0], c[1], c[2]), c[3])
	}
}

// The same connections, and so the same operations, on any number of workers.
func TestSharesDoNotDependOnTheNumberOfWorkers(t *testing.T) {
	is := is.New(t)
	const total, operations = 15, 1000
	for _, workers := range []int{1, 3, 5, 20} {
		var sum int64
		var indexes []int
		for worker := range workers {
			first, count := core.Connections(total, workers, worker)
			for i := range count {
				indexes = append(indexes, first+i)
				sum += core.Quota(operations, total, int64(first+i))
			}
		}
		is.Equal(sum, int64(operations))
		is.Equal(indexes, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})
	}
}
