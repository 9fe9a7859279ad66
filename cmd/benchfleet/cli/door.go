package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/gateway"
	"github.com/benchfleet/benchfleet/adapters/snowflake"
	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// door is how the workers of one run reach the store: by its own address, or
// through a gateway that this process serves, when the store is a file that they
// do not see.
type door struct {
	store       ports.Store    // as this process has to use it
	environment []ports.EnvVar // of the workers
	secrets     []ports.EnvVar
	address     string // of the gateway; empty: none
	close       func() error
}

// needsGateway reports whether workers of a launcher cannot open the store.
func (a *app) needsGateway(launcher ports.Launcher) bool {
	return storeKind(a.store) == sqliteStore && !launcher.Capabilities().LocalFiles
}

// shutDoor is why a gateway cannot be served, and what to do about it.
type shutDoor struct {
	err      error
	mend     string
	launcher bool // which could not say how workers reach this host
}

// Error is why.
func (s *shutDoor) Error() string { return s.err.Error() }

// Unwrap returns what failed.
func (s *shutDoor) Unwrap() error { return s.err }

// finding is the refusal.
func (s *shutDoor) finding() core.Finding {
	return core.Finding{ID: "store.gateway", Severity: core.SeverityError, Message: s.Error(), Mend: s.mend}
}

// checkDoor finds whether n workers could reach the store. Where the launcher
// cannot even say how, and its own check says why, there is no finding of it.
func (a *app) checkDoor(ctx context.Context, launcher ports.Launcher, n int) []core.Finding {
	if !a.needsGateway(launcher) {
		return nil
	}
	door, err := a.openDoor(ctx, nil, launcher, home{run: "preflight", reserve: true})
	var shut *shutDoor
	switch {
	case err == nil:
		return []core.Finding{{ID: "store.gateway", Severity: core.SeverityOK,
			Message: fmt.Sprintf("workers reach the store through this process, at addresses like %s", door.address)}}
	case !errors.As(err, &shut):
		shut = &shutDoor{err: err, mend: "make it so that this process can serve the store"}
	case shut.launcher:
		if own, err := launcher.Check(ctx, n); err != nil || core.Refusal(own) != "" {
			return nil
		}
	}
	return []core.Finding{shut.finding()}
}

// openDoor opens the door for the workers of a run: at the address that its
// gateway had under its last owner, or at a free port. Where a run is only to be
// ended it goes without one: an owner that hangs may have the address still, or
// this host has it no more, and the launcher ends workers without their help.
func (a *app) openDoor(ctx context.Context, store ports.Store, launcher ports.Launcher, home home) (*door, error) {
	if !a.needsGateway(launcher) {
		d := &door{store: store, close: nothing}
		at := []ports.EnvVar{{Name: ports.EnvStore, Value: a.store}}
		switch {
		case launcher.Capabilities().Name == servicesLauncher: // the platform logs its workers in
			inside, err := snowflake.ServiceAddress(a.store, a.environ)
			if err != nil {
				return nil, err
			}
			at[0].Value = snowflakeStore + ":" + inside
			d.environment = at
		case storeKind(a.store) == sqliteStore:
			d.environment = at
		default:
			d.secrets = at // it may hold a password
		}
		return d, nil
	}
	d, err := a.openGateway(ctx, store, launcher, home)
	if err != nil && home.ending {
		fmt.Fprintf(a.err, "workers of run %s are not reached, and are ended without that: %v\n", home.run, err)
		return &door{store: store, close: nothing}, nil
	}
	return d, err
}

func nothing() error { return nil }

// openGateway serves the store to the workers of a run.
func (a *app) openGateway(ctx context.Context, store ports.Store, launcher ports.Launcher, home home) (*door, error) {
	reach, err := launcher.Reach(ctx)
	if err != nil {
		mend := "use --launcher local, or a store that is a server"
		if core.CodeOf(err) != core.Unsupported { // it may work another time
			mend = "see that the platform of the launcher is up and lets you in, and try again"
		}
		err = fmt.Errorf("workers of the launcher %s cannot reach the store, a file of this host: %w", launcher.Capabilities().Name, err)
		return nil, &shutDoor{err, mend, true}
	}
	path, err := sqlitePath(a.store)
	if err != nil {
		return nil, err
	}
	keyPath := filepath.Join(filepath.Dir(path), "gateway.key")
	key, err := gateway.LoadKey(keyPath)
	if err != nil {
		mend := "remove " + keyPath + ", once no run goes on whose workers need it; the next run makes another"
		if core.CodeOf(err) == core.Unavailable {
			mend = "let this user write to the folder " + filepath.Dir(path)
		}
		return nil, &shutDoor{err, mend, false}
	}
	at := home.gateway
	if at == "" {
		at = net.JoinHostPort(reach.Listen, "0")
	} else if port, only := strings.CutPrefix(at, ":"); only { // chosen by a controller
		at = net.JoinHostPort(reach.Listen, port)
	}
	listener, err := gateway.Listen(ctx, at)
	if err != nil {
		return nil, &shutDoor{err, "let this process listen at " + at + ", where workers reach this host, or use a store that is a server", false}
	}
	if home.reserve {
		return &door{store: store, address: listener.Addr().String(), close: nothing}, listener.Close()
	}
	server := gateway.New(store, gateway.Options{Key: key, Logger: a.logger(a.err)})
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		err := server.Serve(ctx, listener)
		if err != nil { // while the run goes on, its workers end by their leases
			fmt.Fprintln(a.err, "benchfleet: the gateway does not serve any more:", err)
		}
		served <- err
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return &door{
		store: server.Store(), address: listener.Addr().String(),
		environment: []ports.EnvVar{{Name: ports.EnvStore, Value: "http://" + net.JoinHostPort(reach.Dial, port)}},
		secrets:     []ports.EnvVar{{Name: ports.EnvStoreToken, Value: gateway.Token(key, home.run)}},
		close: func() error {
			stop()
			return errors.Join(<-served, server.Close())
		},
	}, nil
}

// openWorkerStore opens the store as a worker does: by its address, which may be
// that of a gateway.
func openWorkerStore(ctx context.Context, address, token string, environ []string) (ports.Store, error) {
	if strings.HasPrefix(address, "http://") {
		return gateway.Open(ctx, address, gateway.ClientOptions{Token: token})
	}
	if token != "" {
		return nil, fmt.Errorf("%w: %s is set, and the store %s takes none", core.ErrInvalid, ports.EnvStoreToken, shownStore(address, environ))
	}
	return openStore(ctx, address, environ)
}
