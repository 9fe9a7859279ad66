package spcs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
)

// Check implements ports.Launcher: the schema, the pool with its state and its room
// for n workers, the image in its repository, the secret objects, and the
// privileges of the session's role. It changes nothing, and needs no warehouse. The
// build of an image cannot be seen here: workers tell theirs when they register.
func (l *Launcher) Check(ctx context.Context, n int) ([]core.Finding, error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: spcs: check for %d workers; want 1 or more", core.ErrInvalid, n)
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := l.live(ctx, "check"); err != nil {
		return nil, err
	}
	who, err := l.whoami(ctx)
	if err != nil {
		return nil, err
	}
	findings := []core.Finding{passed("spcs.account", "account %s, role %s", who.account, who.role)}
	for _, check := range []func(context.Context, int) ([]core.Finding, error){l.checkSchema, l.checkPool, l.checkImage, l.checkSecrets, l.checkPrivileges} {
		more, err := check(ctx, n)
		if err != nil {
			return nil, err
		}
		findings = append(findings, more...)
	}
	return findings, nil
}

func passed(id, format string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityOK, Message: fmt.Sprintf(format, args...)}
}

func refused(id, mend, format string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityError, Message: fmt.Sprintf(format, args...), Mend: mend}
}

func warned(id, mend, format string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityWarning, Message: fmt.Sprintf(format, args...), Mend: mend}
}

// checkSchema asks as Inspect does.
func (l *Launcher) checkSchema(ctx context.Context, _ int) ([]core.Finding, error) {
	const id = "spcs.schema"
	_, err := l.show(ctx, l.at, jobPrefix)
	switch code := core.CodeOf(err); {
	case code == core.NotFound || code == core.Denied:
		mend := fmt.Sprintf("run: CREATE SCHEMA IF NOT EXISTS %s; GRANT USAGE ON DATABASE %s TO ROLE %s; GRANT USAGE, CREATE SERVICE ON SCHEMA %s TO ROLE %s",
			l.at, l.at.database, l.role(), l.at, l.role())
		return []core.Finding{refused(id, mend, "schema %s, where job services are made, does not exist, or role %s may not use it", l.at, l.role())}, nil
	case err != nil:
		return nil, err
	}
	return []core.Finding{passed(id, "job services are made in %s", l.at)}, nil
}

// checkPool judges the pool by what SHOW says of it, which USAGE allows.
func (l *Launcher) checkPool(ctx context.Context, n int) ([]core.Finding, error) {
	const id = "spcs.pool"
	pool := l.options.Pool
	if pool == "" {
		return []core.Finding{refused(id, "name one: --launcher-option pool=NAME (SHOW COMPUTE POOLS lists them)", "no compute pool is named")}, nil
	}
	rows, err := l.ask(ctx, "look for compute pool "+pool, "SHOW COMPUTE POOLS LIKE "+literal(like(pool)))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(r row) bool { return r["name"] == pool })
	if i < 0 {
		mend := fmt.Sprintf("run: CREATE COMPUTE POOL %s MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_S; or GRANT USAGE, MONITOR ON COMPUTE POOL %s TO ROLE %s", pool, pool, l.role())
		return []core.Finding{refused(id, mend, "compute pool %s does not exist, or role %s may not use it", pool, l.role())}, nil
	}
	r := rows[i]
	state := strings.ToUpper(r["state"])
	findings := []core.Finding{passed(id, "compute pool %s of %s is %s", pool, r["instance_family"], state)}
	resume := "run: ALTER COMPUTE POOL " + pool + " RESUME"
	switch {
	case state == poolSuspended && !yes(r["auto_resume"]):
		findings[0] = refused(id, resume, "compute pool %s is suspended, and does not resume by itself", pool)
	case state == poolSuspended:
		findings[0] = warned(id, resume+", and wait until it is IDLE", "compute pool %s is suspended: the workers wait until it has nodes, for minutes", pool)
	case state == poolStopping:
		findings[0] = warned(id, "wait until it has stopped, then "+resume, "compute pool %s is stopping", pool)
	}
	return append(findings, l.checkRoom(ctx, n, r)...), nil
}

// checkRoom compares the requests of n workers with the pool. What others have
// placed there is not shown: only that no node is free.
func (l *Launcher) checkRoom(ctx context.Context, n int, r row) []core.Finding {
	const id = "spcs.capacity"
	pool, most := r["name"], count(r["max_nodes"])
	cpu, memory := l.options.requests()
	f, known := familyOf(strings.ToUpper(r["instance_family"]))
	if !known {
		return []core.Finding{passed(id, "%d workers; what a node of %s has is not known here", n, r["instance_family"])}
	}
	per := l.options.perNode(f)
	needs := 0
	if per > 0 {
		needs = (n + per - 1) / per
	}
	more := fmt.Sprintf("run: ALTER COMPUTE POOL %s SET MAX_NODES = %d; or start fewer workers", pool, needs)
	trouble, blind := "", false
	switch rows, err := l.ask(ctx, "describe compute pool "+pool, "DESCRIBE COMPUTE POOL "+pool); {
	case err != nil:
		blind = true
	case len(rows) == 1 && rows[0]["error_code"] != "" && rows[0]["error_code"] != "0":
		trouble = poolTrouble(pool, rows[0])
	}
	free := most - count(r["active_nodes"])
	switch {
	case per == 0:
		return []core.Finding{refused(id, "ask for less (--launcher-option cpu=…, memory=…), or use a pool of larger nodes",
			"a worker requests %g CPUs and %s, a node of %s has %g and %d GiB", cpu, size(memory), pool, f.cpu, f.memory)}
	case needs > most:
		return []core.Finding{refused(id, more, "%d workers of %g CPUs and %s need %d nodes, compute pool %s has at most %d", n, cpu, size(memory), needs, pool, most)}
	case trouble != "":
		return []core.Finding{warned(id, "see what it says, or use another pool", "%s", trouble)}
	case free < needs && count(r["num_jobs"])+count(r["num_services"]) > 0:
		return []core.Finding{warned(id, fmt.Sprintf("run: ALTER COMPUTE POOL %s SET MAX_NODES = %d; or end what else runs there (SHOW SERVICES IN COMPUTE POOL %s)", pool, most-free+needs, pool),
			"%d workers need up to %d nodes, and of the %d of compute pool %s %d are in use: workers may wait", n, needs, most, pool, most-free)}
	case blind:
		return []core.Finding{warned(id, fmt.Sprintf("run: GRANT MONITOR ON COMPUTE POOL %s TO ROLE %s", pool, l.role()),
			"role %s may not describe compute pool %s: why workers wait for its nodes will not be known", l.role(), pool)}
	}
	return []core.Finding{passed(id, "%d workers of %g CPUs and %s need %d nodes, compute pool %s may have %d", n, cpu, size(memory), needs, pool, most)}
}

// count reads a number of SHOW; 0 where there is none.
func count(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// size tells bytes in MiB.
func size(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

func (l *Launcher) checkImage(ctx context.Context, _ int) ([]core.Finding, error) {
	const id = "spcs.image"
	image, ok := parseImage(l.options.Image)
	if !ok {
		return []core.Finding{refused(id, "name one: --launcher-option image=/database/schema/repository/name:tag", "no image is named")}, nil
	}
	rows, err := l.ask(ctx, "list the images in "+image.repository, "SHOW IMAGES IN IMAGE REPOSITORY "+image.repository)
	switch code := core.CodeOf(err); {
	case code == core.NotFound || code == core.Denied:
		mend := fmt.Sprintf("run: CREATE IMAGE REPOSITORY IF NOT EXISTS %s; GRANT READ ON IMAGE REPOSITORY %s TO ROLE %s", image.repository, image.repository, l.role())
		return []core.Finding{refused(id, mend, "image repository %s does not exist, or role %s may not read it", image.repository, l.role())}, nil
	case err != nil:
		return nil, err
	}
	for _, r := range rows {
		if image.in(r) {
			findings := []core.Finding{passed(id, "image %s is %.19s", l.options.Image, r["digest"])}
			if build := l.options.Build.ID; build != "" {
				findings = append(findings, passed("spcs.build", "this program is build %s; workers of another are refused when they register, since SHOW IMAGES tells of none", build))
			}
			return findings, nil
		}
	}
	return []core.Finding{refused(id, l.push(ctx, image), "image repository %s has no image %s:%s", image.repository, image.name, image.tag)}, nil
}

// in reports whether a row of SHOW IMAGES is the image.
func (p imagePath) in(r row) bool {
	if r["image_name"] != p.name {
		return false
	}
	if p.digest {
		return r["digest"] == p.tag
	}
	return slices.Contains(strings.FieldsFunc(r["tags"], func(c rune) bool { return c == ',' || c == ' ' || c == '[' || c == ']' || c == '"' }), p.tag)
}

// push says how an image gets into a repository, where its address can be asked.
func (l *Launcher) push(ctx context.Context, image imagePath) string {
	url := "<repository_url of SHOW IMAGE REPOSITORIES>"
	parts := strings.Split(image.repository, ".")
	rows, err := l.ask(ctx, "ask for the address of "+image.repository, "SHOW IMAGE REPOSITORIES LIKE "+literal(like(parts[2]))+" IN SCHEMA "+parts[0]+"."+parts[1])
	if err == nil && len(rows) == 1 && rows[0]["repository_url"] != "" {
		url = rows[0]["repository_url"]
	}
	to := url + "/" + image.name + ":" + image.tag
	return fmt.Sprintf("build it (task image), then: docker tag benchfleet:dev %s && docker push %s", to, to)
}

func (l *Launcher) checkSecrets(ctx context.Context, _ int) ([]core.Finding, error) {
	var findings []core.Finding
	for _, variable := range sortedKeys(l.options.Secrets) {
		object, _ := objectPath(l.options.Secrets[variable])
		id := "spcs.secret." + strings.ToLower(variable)
		_, err := l.ask(ctx, "describe secret "+object, "DESCRIBE SECRET "+object)
		switch code := core.CodeOf(err); {
		case code == core.NotFound || code == core.Denied:
			mend := fmt.Sprintf("run: CREATE SECRET %s TYPE = GENERIC_STRING SECRET_STRING = '…'; GRANT READ ON SECRET %s TO ROLE %s", object, object, l.role())
			findings = append(findings, refused(id, mend, "secret object %s for %s does not exist, or role %s may not see it", object, variable, l.role()))
		case err != nil:
			return nil, err
		default:
			findings = append(findings, passed(id, "%s comes from secret object %s", variable, object))
		}
	}
	return findings, nil
}
