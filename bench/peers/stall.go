//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/adapters/memory"
	"github.com/benchfleet/benchfleet/core"
)

// stall is when the target stalls: nothing that a client sends reaches the server in
// the last second of every ten of the machine's clock.
func stall() memory.Stall { return memory.Stall{Every: 10 * time.Second, For: time.Second} }

// proxy passes connections on to a server, and stalls.
type proxy struct {
	listener net.Listener
	server   string
	handling sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

// startProxy listens on a free port of loopback.
func startProxy(server string) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, server: server, open: map[net.Conn]bool{}}
	p.handling.Go(p.accept)
	return p, nil
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.handling.Go(func() { p.serve(client) })
	}
}

// keep has a connection closed with the proxy. It is false when that is closed.
func (p *proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.open[conn] = true
	}
	return !p.closed
}

func (p *proxy) drop(conns ...net.Conn) {
	for _, conn := range conns {
		conn.Close()
		p.mu.Lock()
		delete(p.open, conn)
		p.mu.Unlock()
	}
}

// serve passes on what both sides of one connection say.
func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil || !p.keep(client) || !p.keep(server) {
		client.Close()
		if server != nil {
			server.Close()
		}
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server)
		client.Close()
	})
	buffer := make([]byte, 8192)
	for {
		n, err := client.Read(buffer)
		if left := stall().Left(time.Now()); n > 0 && left > 0 {
			time.Sleep(left)
		}
		if n > 0 {
			if _, broken := server.Write(buffer[:n]); broken != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	p.drop(server, client)
	answers.Wait()
}

// close ends every connection and waits for what passes on.
func (p *proxy) close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for conn := range p.open {
		if problem := conn.Close(); !errors.Is(problem, net.ErrClosed) {
			err = errors.Join(err, problem)
		}
	}
	p.mu.Unlock()
	p.handling.Wait()
	return err
}

// schedule is when every arrival of the measurement of an open loop is due, since its
// begin: the pacer's own, computed here anew.
func schedule(rate float64, arrivals string, connections int, seed int, duration time.Duration) (due []time.Duration) {
	all := core.NewArrivals(core.ScenarioLoad{
		Mode: core.ModeQPS, Rate: rate, Arrivals: arrivals, Workers: 1, Connections: connections, Seed: int64(seed),
	}, 0, true)
	for next, ok := all.Next(); ok && next.At < duration; next, ok = all.Next() {
		due = append(due, next.At)
	}
	return due
}
