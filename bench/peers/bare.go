//go:build unix

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// bareResult is what the bare loop prints.
type bareResult struct {
	Seconds    float64 `json:"seconds"`    // measured
	Operations int64   `json:"operations"` // that ended within them
	All        int64   `json:"all"`        // warm-up included
}

// The stages of the bare loop.
const (
	bareWarmup = iota
	bareMeasured
	bareOver
)

// bareCounts are the operations of one connection, on cache lines of their own.
type bareCounts struct {
	ended [bareOver + 1]int64 // by the stage in which they ended
	_     [128]byte
}

// bareMain is the command `peers bare`: what somebody would write who wants the
// throughput of look-ups and nothing else. One goroutine and one pgx.Conn for each
// connection, no pool, a statement prepared once, a uniform key, QueryRow and Scan of
// all columns. It reads no clock, keeps no latency, and its context cannot be
// cancelled, which spares pgx the watching.
func bareMain(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("bare", flag.ContinueOnError)
	dsn := flags.String("dsn", "", "address of the database")
	connections := flags.Int("connections", 1, "how many")
	warmup := flags.Duration("warmup", 0, "not measured")
	duration := flags.Duration("duration", time.Second, "measured")
	seed := flags.Uint64("seed", 1, "of the keys")
	if err := flags.Parse(args); err != nil {
		return err
	}
	conns := make([]*pgx.Conn, *connections)
	for i := range conns {
		conn, err := pgx.Connect(ctx, *dsn)
		if err != nil {
			return err
		}
		conns[i] = conn
		defer conn.Close(context.Background())
		if _, err := conn.Prepare(ctx, "lookup", lookupSQL("$1")); err != nil {
			return err
		}
	}
	var stage atomic.Int64
	counts, failures := make([]bareCounts, len(conns)), make([]error, len(conns))
	var loops sync.WaitGroup
	for i, conn := range conns {
		loops.Go(func() {
			failures[i] = bareLoop(conn, &stage, &counts[i], rand.New(rand.NewPCG(*seed, uint64(i))))
		})
	}
	time.Sleep(*warmup)
	stage.Store(bareMeasured)
	begun := time.Now()
	time.Sleep(*duration)
	stage.Store(bareOver)
	result := bareResult{Seconds: time.Since(begun).Seconds()}
	loops.Wait()
	for i, err := range failures {
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		result.Operations += counts[i].ended[bareMeasured]
		for _, n := range counts[i].ended {
			result.All += n
		}
	}
	return json.NewEncoder(out).Encode(result)
}

func bareLoop(conn *pgx.Conn, stage *atomic.Int64, counts *bareCounts, random *rand.Rand) error {
	var id, customer, balance int64
	var status, payload string
	for {
		row := conn.QueryRow(context.Background(), "lookup", random.Int64N(readRows))
		if err := row.Scan(&id, &customer, &balance, &status, &payload); err != nil {
			return err
		}
		at := stage.Load()
		counts.ended[at]++
		if at == bareOver {
			return nil
		}
	}
}
