// Package plugin runs a launcher in a process of its own: a third party's, built
// apart from benchfleet. Open starts such a process and is a ports.Launcher;
// Serve is the whole main of the other side. It is no sandbox: a plugin has the
// rights of the user who starts it.
//
// Its laws:
//
//   - The two sides speak gRPC (launcher.proto) over a local socket, with
//     certificates that are made for one process and die with it.
//   - Nothing that a plugin does takes the orchestrator with it. A plugin that
//     dies, hangs, answers nonsense or is no plugin is an error of the call.
//   - A plugin's death is not the end of its workers, nor of the Launcher: the
//     next call starts the plugin again, one at a time, after a pause that grows
//     with each death in a row. Handles are all that it needs to know.
//   - No call is made twice. One that was cut short is Unavailable.
//   - A plugin never outlives its orchestrator: its stdin is a pipe of which the
//     orchestrator holds the other end, and Serve ends at its end. It has a
//     session of its own, so that Ctrl-C on a terminal reaches the orchestrator
//     alone, which may still need it.
//   - A plugin's environment holds PATH, HOME and TMPDIR, and what Options.Env
//     adds. Secrets reach it in the launches that need them, in no other way.
//   - What a plugin writes to stderr is logged, with its level where it has one.
//
// # Names
//
// A plugin whose launcher is called "nomad" is the launcher "plugin:nomad" in
// capabilities, and so in stored runs. The path of the executable is not stored:
// it means nothing on another host, and whoever could write to a store could
// else choose what another user executes. Whoever takes over a run names the
// executable again, and the names are compared.
package plugin

//go:generate protoc -I ../.. --go_out=../.. --go_opt=module=github.com/benchfleet/benchfleet --go-grpc_out=../.. --go-grpc_opt=module=github.com/benchfleet/benchfleet adapters/plugin/launcher.proto
