package runner

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

// maxClockOffset between this host and the store before preflight warns.
const maxClockOffset = time.Second

// Preflight makes the checks of group 2, in parallel: everything that a run of
// the scenario needs and that may be missing. It changes nothing. The findings
// are in a fixed order.
func (r *Runner) Preflight(ctx context.Context, scenario core.Scenario) []core.Finding {
	findings, _, _ := r.preflight(ctx, scenario)
	return findings
}

// preflight returns the value pools, too, that were sampled for the scenario, and how
// many workers the target leaves to it; 0: all.
func (r *Runner) preflight(ctx context.Context, scenario core.Scenario) (_ []core.Finding, pools []core.ValuePool, most int) {
	checks := []func(context.Context, core.Scenario) []core.Finding{
		func(ctx context.Context, s core.Scenario) (findings []core.Finding) {
			findings, most = r.checkTarget(ctx, s)
			return findings
		},
		r.checkStatements, r.checkLauncher, r.checkBuild, r.checkStore, checkBounds,
		func(ctx context.Context, s core.Scenario) (findings []core.Finding) {
			findings, pools = r.checkPools(ctx, s)
			return findings
		},
	}
	found := make([][]core.Finding, len(checks))
	var group sync.WaitGroup
	for i, check := range checks {
		group.Go(func() { found[i] = check(ctx, scenario) })
	}
	group.Wait()
	if slices.ContainsFunc(found[0], func(f core.Finding) bool {
		return f.Message == noTable(scenario) || f.ID == "target.reachable" && f.Severity == core.SeverityError
	}) {
		found[1], found[len(found)-1] = nil, nil // neither can be done, which would only hide why
	}
	return r.hide.findings(slices.Concat(found...)), pools, most
}

func ok(id, message string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityOK, Message: fmt.Sprintf(message, args...)}
}

func refuse(id, mend, message string, args ...any) core.Finding {
	return core.Finding{ID: id, Severity: core.SeverityError, Message: fmt.Sprintf(message, args...), Mend: mend}
}

// prepare is how a table is mended.
func (r *Runner) prepare(ctx context.Context, s core.Scenario) string {
	return fmt.Sprintf("run: benchfleet prepare %s --rows %d%s", s.Name, s.Table.Rows, r.otherwise(ctx, s))
}

// prepareAgain is how a table of the wrong type is mended.
func (r *Runner) prepareAgain(ctx context.Context, s core.Scenario) string {
	other := r.otherwise(ctx, s)
	return fmt.Sprintf("run: benchfleet prepare %s --drop%s, and then: benchfleet prepare %s --rows %d%s", s.Name, other, s.Name, s.Table.Rows, other)
}

// otherwise are the flags for what the scenario has otherwise than its template,
// or another table would be prepared, or dropped.
func (r *Runner) otherwise(ctx context.Context, s core.Scenario) (flags string) {
	var t core.Template
	if s.TemplateID != "" {
		if record, err := r.ports.Templates.Get(ctx, s.TemplateID); err == nil { // else all of it is said
			t = record.Template
		}
	}
	if t.Table.Name != s.Table.Name {
		flags += " --set table.name=" + s.Table.Name
	}
	if t.Table.Layout != s.Table.Layout {
		flags += " --set table.layout=" + s.Table.Layout
	}
	if kind := cmp.Or(t.Table.Type, "STANDARD"); s.Table.Type != "" && kind != s.Table.Type {
		flags += " --set table.type=" + s.Table.Type
	}
	if t.Target.Endpoint != s.Target.Endpoint {
		flags += " --set target.endpoint=" + s.Target.Endpoint
	}
	return flags
}

// grant is how missing rights are mended; the user may be unknown.
func grant(user string, s core.Scenario) string {
	if user = "user " + user; user == "user " {
		user = fmt.Sprintf("the user of the endpoint %q", s.Target.Endpoint)
	}
	return fmt.Sprintf("grant %s the rights on table %s that the mix needs, or take the operation out of the mix", user, s.Table.Name)
}

func noTable(s core.Scenario) string { return fmt.Sprintf("table %s does not exist", s.Table.Name) }

// writes reports whether an operation of the mix writes.
func writes(s core.Scenario) bool {
	return slices.ContainsFunc(s.Operations, func(op core.Operation) bool { return op.Access == core.AccessWrite })
}

// checkTarget says, too, how many workers the target leaves to a run that takes what is
// there; 0: all.
func (r *Runner) checkTarget(ctx context.Context, s core.Scenario) (findings []core.Finding, most int) {
	info, err := r.ports.Target.Describe(ctx, s.Table)
	if err != nil {
		mend := fmt.Sprintf("check the endpoint %q of the template", s.Target.Endpoint)
		if core.CodeOf(err) == core.Denied && info.User != "" { // who was let in, and may not see the table
			mend = grant(info.User, s)
		}
		return []core.Finding{refuse("target.reachable", mend, "%v", err)}, 0
	}
	findings = []core.Finding{ok("target.reachable", "%s %s", info.Kind, info.Version)}
	switch {
	case !info.Table.Exists:
		findings = append(findings, refuse("target.table", r.prepare(ctx, s), "%s", noTable(s)))
	case info.Table.Rows < s.Table.Rows:
		findings = append(findings, refuse("target.table", r.prepare(ctx, s), "table %s has %d of the %d rows that the template names", s.Table.Name, info.Table.Rows, s.Table.Rows))
	default:
		findings = append(findings, r.otherTables(ctx, s, info)...)
	}
	if caps := r.ports.Launcher.Capabilities(); info.LocalFile && !caps.LocalFiles {
		findings = append(findings, localFile(info.Host, s.Target.Endpoint, caps.Name))
	}
	if info.Table.Exists {
		if finding, wrong := core.TableTypeFinding(info.Table.Type, s, r.prepareAgain(ctx, s)); wrong {
			findings = append(findings, finding)
		}
	}
	if s.Target.ResultCache && !info.ResultCache {
		findings = append(findings, refuse("target.result_cache", "take target.result_cache out of the template", "the template lets the target answer from cached results, and %s has no such cache", info.Kind))
	}
	if info.Warehouse != nil {
		findings = append(findings, r.checkWarehouse(ctx, *info.Warehouse, s)...)
	}
	findings = append(findings, r.checkLoopback(ctx, info.Host)...)
	if info.ReadOnly != "" && writes(s) {
		findings = append(findings, refuse("target.read_only",
			fmt.Sprintf("let the endpoint %q lead to a server and a user that may write, or take the writing operations out of the mix", s.Target.Endpoint),
			"the mix writes, and the target accepts no writes: %s", info.ReadOnly))
	}
	finding, most, told := core.ConnectionsFinding(s, info.MaxConnections)
	if told {
		findings = append(findings, finding)
	}
	return findings, most
}

// otherTables judges the other tables of a layout, where the first is complete.
func (r *Runner) otherTables(ctx context.Context, s core.Scenario, info ports.TargetInfo) []core.Finding {
	var wrong []core.Finding
	for i, want := range s.Table.Tables()[1:] {
		have := ports.TableInfo{}
		if i < len(info.Others) {
			have = info.Others[i]
		}
		switch {
		case !have.Exists:
			wrong = append(wrong, refuse("target.table", r.prepareAgain(ctx, s), "table %s of the layout %s does not exist", want.Name, s.Table.Layout))
		case have.Rows < want.Rows:
			wrong = append(wrong, refuse("target.table", r.prepare(ctx, s), "table %s has %d of the %d rows that the layout %s gives it", want.Name, have.Rows, want.Rows, s.Table.Layout))
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return []core.Finding{ok("target.table", "%s with %d rows", s.Table.Name, info.Table.Rows)}
}

// localFile refuses a target that is a file of this host: a database, or the
// socket at which a server listens.
func localFile(socket, endpoint, launcher string) core.Finding {
	const id = "target.local_file"
	if socket == "" {
		return refuse(id, "use --launcher local, or a target that is a server",
			"the target is a file of this host, which workers of the launcher %s cannot see", launcher)
	}
	return refuse(id, fmt.Sprintf("use --launcher local, or let the endpoint %q name a host and port at which workers reach the server", endpoint),
		"the target is at %s, a socket in the files of this host, which workers of the launcher %s cannot see", socket, launcher)
}

// checkWarehouse judges the target's warehouse, beside that of the store.
func (r *Runner) checkWarehouse(ctx context.Context, of core.Warehouse, s core.Scenario) []core.Finding {
	user, uses := r.ports.Schema.(ports.WarehouseUser)
	if !uses {
		return core.WarehouseFindings(of, nil, s)
	}
	own, err := user.Warehouse(ctx)
	switch {
	case err == nil:
		return core.WarehouseFindings(of, &own, s)
	case core.CodeOf(err) == core.Unsupported:
		return core.WarehouseFindings(of, nil, s)
	default:
		return append(core.WarehouseFindings(of, nil, s), refuse("store.warehouse", "check the warehouse in the address of the store", "%v", err))
	}
}

// checkLoopback refuses a target on this host's loopback for workers that have
// one of their own: it answers here, and not there.
func (r *Runner) checkLoopback(ctx context.Context, target string) []core.Finding {
	caps := r.ports.Launcher.Capabilities()
	if caps.LocalFiles || r.options.TargetElsewhere || !loopback(target) {
		return nil
	}
	reach, err := r.ports.Launcher.Reach(ctx)
	switch {
	case err == nil && loopback(reach.Dial):
		return nil
	case err == nil:
		return []core.Finding{refuse("target.loopback",
			fmt.Sprintf("let the target listen where workers reach this host, at %s (to them %s), and name that in its endpoint", reach.Listen, reach.Dial),
			"the target is at %s, which workers of the launcher %s would look for in themselves", target, caps.Name)}
	case core.CodeOf(err) == core.Unsupported: // something at their own loopback may lead there
		f := refuse("target.loopback", "name an address of the target that workers reach", "the target is at %s, and workers of the launcher %s are not on this host", target, caps.Name)
		f.Severity = core.SeverityWarning
		return []core.Finding{f}
	default:
		return nil // checkLauncher says it
	}
}

// loopback reports whether an address, with or without a port, leads to whoever
// uses it. One that stands for every address of a host does so where it is dialled.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	if name := strings.ToLower(strings.TrimSuffix(host, ".")); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	ip = ip.Unmap().WithZone("")
	return err == nil && (ip.IsLoopback() || ip.IsUnspecified())
}

func (r *Runner) checkStatements(ctx context.Context, s core.Scenario) []core.Finding {
	var findings []core.Finding
	count := 0
	for _, op := range s.Operations {
		for i, statement := range op.Statements {
			count++
			if err := r.ports.Target.Explain(ctx, s.Table, statement); err != nil {
				findings = append(findings, refuse("target.statement", r.correct(ctx, s, err), "%s, statement %d: %v", op.Kind, i+1, err))
			}
		}
	}
	switch {
	case len(findings) > 0:
	case count == 1:
		findings = append(findings, ok("target.statement", "1 statement can be prepared"))
	default:
		findings = append(findings, ok("target.statement", "%d statements can be prepared", count))
	}
	return findings
}

// correct is how a statement that the target refuses is mended.
func (r *Runner) correct(ctx context.Context, s core.Scenario, err error) string {
	switch core.CodeOf(err) {
	case core.Denied:
		info, _ := r.ports.Target.Describe(ctx, s.Table) // for the user's name; what is wrong with it checkTarget says
		return grant(info.User, s)
	case core.Unavailable:
		return fmt.Sprintf("check the endpoint %q of the template, and that the target is up", s.Target.Endpoint)
	default:
		return "correct the statement in the template"
	}
}

func (r *Runner) checkLauncher(ctx context.Context, s core.Scenario) []core.Finding {
	caps := r.ports.Launcher.Capabilities()
	if caps.MaxWorkers > 0 && s.Load.Workers > caps.MaxWorkers {
		key := "load.workers"
		if s.Load.Scaling == core.ScalingBounded {
			key = "load.max_workers"
		}
		return []core.Finding{refuse("launcher.capacity", fmt.Sprintf("lower %s to %d", key, caps.MaxWorkers), "the launcher %s starts at most %d workers, not %d", caps.Name, caps.MaxWorkers, s.Load.Workers)}
	}
	findings, err := r.ports.Launcher.Check(ctx, s.Load.Workers)
	if err != nil {
		return []core.Finding{refuse("launcher.ready", "check that the platform of the launcher is up and lets you in", "the launcher %s could not be checked: %v", caps.Name, err)}
	}
	return findings
}

func (r *Runner) checkBuild(_ context.Context, _ core.Scenario) []core.Finding {
	caps, build := r.ports.Launcher.Capabilities(), r.options.Build
	if !build.Stamped && !caps.Unstamped {
		return []core.Finding{refuse("build.identity", "build it with: task build",
			"this binary carries no revision, and the launcher %s starts other binaries than this", caps.Name)}
	}
	return []core.Finding{ok("build.identity", "build %s", build.ID)}
}

// checkStore writes a row and compares clocks.
func (r *Runner) checkStore(ctx context.Context, _ core.Scenario) []core.Finding {
	before := time.Now()
	now, err := r.ports.Schema.Probe(ctx)
	if err != nil {
		return []core.Finding{refuse("store.write", "make the store writable", "%v", err)}
	}
	round := time.Since(before)
	offset := now.Sub(before.Add(round / 2))
	finding := ok("store.write", "written in %s; its clock is off by %s", round.Round(time.Microsecond), offset.Round(time.Millisecond))
	if offset.Abs() > maxClockOffset+round/2 {
		finding.Severity = core.SeverityWarning
		finding.Mend = "synchronise the clocks"
	}
	return []core.Finding{finding}
}

// Admit makes the checks of group 1, one after another: the store is reachable,
// its schema complete, and the scenario can be resolved. It changes nothing; a
// refusal is in the findings.
func Admit(ctx context.Context, schema ports.Schema, resolve func(context.Context) (core.Scenario, error)) (core.Scenario, []core.Finding) {
	findings, err := schema.Check(ctx)
	if err != nil {
		return core.Scenario{}, []core.Finding{refuse("store.reachable", "check the address of the store, and that it is up", "%v", err)}
	}
	if core.Refusal(findings) != "" {
		return core.Scenario{}, findings
	}
	scenario, err := resolve(ctx)
	if err != nil {
		mend := "correct the template, or what overrides it"
		if core.CodeOf(err) == core.NotFound {
			mend = "see: benchfleet template list"
		}
		return core.Scenario{}, append(findings, refuse("template", mend, "%v", err))
	}
	return scenario, append(findings, ok("template", "%s resolves to %d workers with %d connections in all", scenario.Name, scenario.Load.Workers, scenario.Load.Connections))
}
