package spcs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// need is a privilege that a launch needs.
type need struct{ privilege, kind, object string }

// grant is the statement that gives it.
func (n need) grant(role string) string {
	return fmt.Sprintf("GRANT %s ON %s %s TO ROLE %s", n.privilege, n.kind, n.object, role)
}

// needs are the privileges of the role that owns the jobs, as documented of EXECUTE
// JOB SERVICE.
func (l *Launcher) needs() []need {
	o := l.options
	all := []need{{"USAGE", "DATABASE", l.at.database}, {"USAGE", "SCHEMA", l.at.String()}, {"CREATE SERVICE", "SCHEMA", l.at.String()}}
	if o.Pool != "" {
		all = append(all, need{"USAGE", "COMPUTE POOL", o.Pool})
	}
	if image, ok := parseImage(o.Image); ok {
		all = append(all, need{"READ", "IMAGE REPOSITORY", image.repository})
	}
	if o.Warehouse != "" {
		all = append(all, need{"USAGE", "WAREHOUSE", o.Warehouse})
	}
	for _, eai := range o.EAIs {
		all = append(all, need{"USAGE", "INTEGRATION", eai})
	}
	for _, variable := range sortedKeys(o.Secrets) {
		object, _ := objectPath(o.Secrets[variable])
		all = append(all, need{"READ", "SECRET", object})
	}
	return all
}

// grants are the statements that give a role all that it needs.
func (l *Launcher) grants(role string) string { return statements(l.needs(), role) }

// grantsFor are those for what an error names; all where it names nothing of it.
func (l *Launcher) grantsFor(said string) string {
	said = strings.ToLower(said)
	named := slices.DeleteFunc(l.needs(), func(n need) bool {
		last := n.object[strings.LastIndexByte(n.object, '.')+1:]
		return !strings.Contains(said, strings.ToLower(n.kind)) || !strings.Contains(said, strings.ToLower(last))
	})
	if len(named) == 0 {
		named = l.needs()
	}
	return statements(named, l.role())
}

func statements(needs []need, role string) string {
	all := make([]string, len(needs))
	for i, n := range needs {
		all[i] = n.grant(role)
	}
	return strings.Join(all, "; ")
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// everybody is the role that every user has, beside those that were granted.
const everybody = "PUBLIC"

// maxRoles bounds how many roles are asked for what they hold.
const maxRoles = 40

// checkPrivileges walks the roles that the session's role has. What it cannot walk
// is a warning: the launch will tell.
func (l *Launcher) checkPrivileges(ctx context.Context, _ int) ([]core.Finding, error) {
	const id = "spcs.privileges"
	role := l.role()
	held, whole, err := l.held(ctx, role)
	if err != nil {
		if core.CodeOf(err) == core.Unavailable {
			return nil, err
		}
		return []core.Finding{warned(id, "see that it has them: "+l.grants(role), "the privileges of role %s cannot be listed: %v", role, err)}, nil
	}
	var lacks, mends []string
	for _, n := range l.needs() {
		if !held.has(n) {
			lacks = append(lacks, n.privilege+" on "+strings.ToLower(n.kind)+" "+n.object)
			mends = append(mends, n.grant(role))
		}
	}
	switch {
	case len(lacks) == 0:
		return []core.Finding{passed(id, "role %s may make job services in %s", role, l.at)}, nil
	case !whole:
		return []core.Finding{warned(id, "if it has not: "+strings.Join(mends, "; "), "it was not seen that role %s has %s", role, strings.Join(lacks, ", "))}, nil
	}
	return []core.Finding{refused(id, "run: "+strings.Join(mends, "; "), "role %s lacks %s", role, strings.Join(lacks, ", "))}, nil
}

// privileges are what roles hold, by kind and object.
type privileges map[string][]string

func privilegeKey(kind, object string) string {
	return strings.ReplaceAll(strings.ToUpper(kind), "_", " ") + " " + strings.ReplaceAll(strings.ToUpper(object), `"`, "")
}

func (p privileges) has(n need) bool {
	list := p[privilegeKey(n.kind, n.object)]
	if slices.Contains(list, "OWNERSHIP") || slices.Contains(list, n.privilege) {
		return true
	}
	return n.privilege == "USAGE" && len(list) > 0 && (n.kind == "DATABASE" || n.kind == "SCHEMA") || // any privilege on an object shows it
		n.privilege == "READ" && slices.Contains(list, "WRITE")
}

// held is what a role and those beneath it hold; whole is false when some of it
// could not be asked for.
func (l *Launcher) held(ctx context.Context, role string) (all privileges, whole bool, _ error) {
	all, whole = privileges{}, true
	roles, done := []string{role, everybody}, map[string]bool{}
	for len(roles) > 0 {
		next := roles[0]
		roles = roles[1:]
		if done[next] {
			continue
		}
		if done[next] = true; len(done) > maxRoles {
			return all, false, nil
		}
		rows, err := l.ask(ctx, "list the privileges of role "+next, "SHOW GRANTS TO ROLE "+quoted(next))
		switch {
		case err != nil && next == role:
			return nil, false, err
		case err != nil && core.CodeOf(err) == core.Unavailable:
			return nil, false, err
		case err != nil:
			whole = false
			continue
		}
		for _, r := range rows {
			kind := strings.ReplaceAll(strings.ToUpper(r["granted_on"]), "_", " ")
			switch {
			case kind == "ROLE" && strings.EqualFold(r["privilege"], "USAGE"):
				roles = append(roles, strings.Trim(r["name"], `"`))
			case kind == "DATABASE ROLE" || kind == "APPLICATION ROLE":
				whole = false
			default:
				key := privilegeKey(kind, r["name"])
				all[key] = append(all[key], strings.ToUpper(r["privilege"]))
			}
		}
	}
	return all, whole, nil
}

// quoted writes a stored name as an identifier.
func quoted(name string) string {
	if plainName.MatchString(name) && strings.ToUpper(name) == name {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
