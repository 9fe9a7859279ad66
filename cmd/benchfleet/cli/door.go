package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/benchfleet/benchfleet/adapters/gateway"
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

// checkDoor finds whether workers could reach the store.
func (a *app) checkDoor(ctx context.Context, launcher ports.Launcher) []core.Finding {
	if !a.needsGateway(launcher) {
		return nil
	}
	f := core.Finding{ID: "store.gateway", Severity: core.SeverityOK}
	door, err := a.openDoor(ctx, nil, launcher, home{run: "preflight", reserve: true})
	if err == nil {
		f.Message = fmt.Sprintf("workers reach the store through this process, at addresses like %s", door.address)
	} else {
		f.Severity, f.Message = core.SeverityError, err.Error()
		f.Mend = "use --launcher local, or a store that is a server"
	}
	return []core.Finding{f}
}

// openDoor opens the door for the workers of a run: at the address that its
// gateway had under its last owner, or at a free port. Where a run is only to be
// ended it goes without one: an owner that hangs may have the address still, or
// this host has it no more, and the launcher ends workers without their help.
func (a *app) openDoor(ctx context.Context, store ports.Store, launcher ports.Launcher, home home) (*door, error) {
	if !a.needsGateway(launcher) {
		d := &door{store: store, close: nothing}
		if at := []ports.EnvVar{{Name: ports.EnvStore, Value: a.store}}; storeKind(a.store) == sqliteStore {
			d.environment = at
		} else {
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
		return nil, fmt.Errorf("workers of the launcher %s cannot reach the store, a file of this host: %w", launcher.Capabilities().Name, err)
	}
	path, err := sqlitePath(a.store)
	if err != nil {
		return nil, err
	}
	key, err := gateway.LoadKey(filepath.Join(filepath.Dir(path), "gateway.key"))
	if err != nil {
		return nil, err
	}
	at := home.gateway
	if at == "" {
		at = net.JoinHostPort(reach.Listen, "0")
	}
	listener, err := gateway.Listen(ctx, at)
	if err != nil {
		return nil, err
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
