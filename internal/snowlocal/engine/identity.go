package engine

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"
)

// AccountName is what CURRENT_ACCOUNT returns.
func (e *Engine) AccountName() string { return e.options.Account.Name }

// UserByToken returns the user whom a token belongs to: a login by token need not
// say who it is.
func (e *Engine) UserByToken(ctx context.Context, token string) (User, bool, error) {
	var def []byte
	err := e.admin.QueryRow(ctx, "SELECT def FROM sf.users WHERE def -> 'Tokens' ? $1 ORDER BY name LIMIT 1", token).Scan(&def)
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, false, nil
	}
	if err != nil {
		return User{}, false, err
	}
	var u User
	return u, true, json.Unmarshal(def, &u)
}

// HasRole reports whether the account has a role.
func (e *Engine) HasRole(ctx context.Context, role string) (bool, error) {
	return e.exists(ctx, "ROLE", role)
}

// UserHolds reports whether a user has one of some roles, by itself or by what was
// granted to its roles.
func (e *Engine) UserHolds(ctx context.Context, user string, roles ...string) (bool, error) {
	held, err := e.userRoles(ctx, user)
	if err != nil {
		return false, err
	}
	for _, role := range roles {
		if held[role] {
			return true, nil
		}
	}
	return false, nil
}
