package fault

// Methods returns the name of every method that faults can hit, port by port.
func Methods() []string {
	return []string{
		"RunStore.Create", "RunStore.Load", "RunStore.List", "RunStore.Commit", "RunStore.Events", "RunStore.Delete",
		"WorkerStore.Beat", "WorkerStore.Control", "WorkerStore.Beats",
		"ResultStore.AppendSnapshots", "ResultStore.AppendExecutions", "ResultStore.AppendSteps", "ResultStore.Steps", "ResultStore.PutRollup", "ResultStore.Rollup",
		"ResultStore.Aggregates", "ResultStore.Totals", "ResultStore.WorkerIntervals", "ResultStore.Executions",
		"TemplateStore.Put", "TemplateStore.PutIf", "TemplateStore.Get", "TemplateStore.List", "TemplateStore.Delete", "TemplateStore.Used",
		"PoolStore.Put", "PoolStore.Get",
		"LogStore.Append", "LogStore.Read",
		"Schema.Check", "Schema.Probe",
		"Launcher.Check", "Launcher.Launch", "Launcher.Inspect", "Launcher.Stop", "Launcher.Release", "Launcher.List", "Launcher.Logs",
		"Target.Describe", "Target.Explain", "Target.Sample", "Target.Open", "Target.CancelSessions", "Target.Running",
		"Session.Exec", "Session.Begin", "Session.Commit", "Session.Rollback",
	}
}
