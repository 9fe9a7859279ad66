package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine/sqltext"
	"github.com/jackc/pgx/v5"
)

func (s *Session) alterObject(ctx context.Context, n *sqltext.AlterObject, q Query) (*Result, error) {
	switch n.Kind {
	case "SESSION":
		return s.alterSession(ctx, n, q)
	case "WAREHOUSE":
		return s.alterWarehouse(ctx, n, q)
	case "USER":
		return s.alterUser(ctx, n, q)
	}
	return nil, unsupported("ALTER %s", n.Kind)
}

func (s *Session) alterSession(ctx context.Context, n *sqltext.AlterObject, q Query) (*Result, error) {
	set := map[string]string{}
	for _, o := range n.Options {
		value := o.Value
		if o.Param != nil {
			return nil, failure(1008, "22023", "SQL compilation error:\ninvalid value [?] for parameter '%s'", o.Key)
		}
		checked, bad := checkParameter(o.Key, value)
		if bad != nil {
			return nil, bad
		}
		set[o.Key] = checked
	}
	for _, name := range n.Unset {
		p, ok := parameters[name]
		if !ok {
			return nil, failure(1420, "22023", "SQL compilation error:\ninvalid property '%s' for 'SESSION'", name)
		}
		set[name] = p.value
	}
	s.mu.Lock()
	for name, value := range set {
		s.parameters[name] = value
		s.changed[name] = value
	}
	s.mu.Unlock()
	s.plans.stale()
	r := executed()
	r.TypeID = TypeAlterSession
	return r, s.apply(ctx, q.Parameters)
}

func (s *Session) alterWarehouse(ctx context.Context, n *sqltext.AlterObject, q Query) (*Result, error) {
	name := s.Info().Warehouse
	if len(n.Name.Parts) > 0 || n.Name.Of != nil {
		var err error
		if name, err = s.object(ctx, n.Name, q); err != nil {
			return nil, err
		}
	}
	s.engine.mu.Lock()
	found, ok := s.engine.warehouses[name]
	var w warehouse
	if ok {
		w = *found
	}
	s.engine.mu.Unlock()
	if !ok {
		if n.IfExists {
			return executed(), nil
		}
		return nil, missing("Warehouse", name)
	}
	privilege := "MODIFY"
	if n.Action != "SET" && n.Action != "UNSET" && n.Action != "RENAME TO" {
		privilege = "OPERATE"
	}
	if err := s.may(ctx, "WAREHOUSE", name, privilege); err != nil {
		return nil, err
	}
	switch n.Action {
	case "SUSPEND":
		if w.State == Suspended {
			return nil, failure(90064, "22000", "Invalid state. Warehouse '%s' cannot be suspended.", name)
		}
		w.State = Suspended
	case "RESUME":
		w.State = Started
	case "SET":
		if err := w.set(n.Options); err != nil {
			return nil, err
		}
	case "ABORT ALL QUERIES":
		for _, info := range s.engine.history.list(maxHistoryRows, func(i *QueryInfo) bool {
			return i.Status == StatusRunning && i.Warehouse == name && i.SessionID != s.id
		}) {
			s.engine.Cancel(info.ID)
		}
		return executed(), nil
	default:
		return nil, unsupported("ALTER WAREHOUSE … %s", n.Action)
	}
	if err := s.engine.saveWarehouse(ctx, w.Warehouse, w.owner); err != nil {
		return nil, err
	}
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if w.State == Started && found.State != Started {
		found.resumed = time.Now()
	}
	found.Warehouse = w.Warehouse
	return executed(), nil
}

func (s *Session) alterUser(ctx context.Context, n *sqltext.AlterObject, q Query) (*Result, error) {
	name := s.Info().User
	if len(n.Name.Parts) > 0 || n.Name.Of != nil {
		var err error
		if name, err = s.object(ctx, n.Name, q); err != nil {
			return nil, err
		}
	}
	u, ok, err := s.engine.User(ctx, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		if n.IfExists {
			return executed(), nil
		}
		return nil, missing("User", name)
	}
	if name != s.Info().User {
		if err := s.may(ctx, "ACCOUNT", "", "CREATE USER"); err != nil {
			return nil, err
		}
	}
	if n.Action != "SET" {
		return nil, unsupported("ALTER USER … %s", n.Action)
	}
	if err := u.set(n.Options); err != nil {
		return nil, err
	}
	def, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	err = s.admin(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE sf.users SET def = $2 WHERE name = $1", u.Name, def)
		return err
	})
	return executed(), errors.Join(err)
}
