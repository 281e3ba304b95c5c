//! Every suite is a module of this one test binary; the line of each says what belongs there.

// Handlers that run over a wait.
mod interrupts;
// Who may signal whom, and what each signal does by default.
mod kill;
// Stopping and continuing.
mod stops;
// Actions, masks, handlers.
mod sigaction;
// Bad pointers, for programs that are to fault.
mod fault;
// Programs that do their worst.
mod hostile;
// Native processes that make no more calls.
mod watchdog;
// Destructors that do their worst.
mod hostile_destructors;
// The product of victim state, signal, action and mask.
mod signal_product;
// The command with faults on purpose.
mod command_faults;
// Faults on purpose.
mod faults;
// The oracle of that product.
mod signal_oracle;
// The arrows between crates, and where unsafe code may be.
mod boundaries;
// Sending events.
mod events;
// How processes ask to be scheduled, and their jobs.
mod scheduling;
// Classes above the policy, and the admission test.
mod classes;
// Results of the scheduling literature.
mod literature;
// Workloads, simulated and measured.
mod simulations;
// Service names.
mod names;
// Receiving events.
mod receives;
// One seed, one run.
mod determinism;
// The built-in Rust programs, their output and their point.
mod programs;
// Spawning, waiting, what is known of processes.
mod processes;
// Queueing theory: M/M/1, processor sharing, Little's law.
mod queues;
// The command that simulates workloads.
mod command_sim;
// Memory that goes back to the host.
mod memory_back;
// The command that measures the kernel.
mod command_bench;
// The command that looks at workload files.
mod command_workload;
// Files of rt-app's own project.
mod rtapp_files;
// The example workloads and their point.
mod examples;
// What the documents show.
mod docs;
// The command that compares policies.
mod command_compare;
// The clock, sleeping, timers and alarms.
mod timers;
// Users, and what only root may do.
mod users;
// Requests and replies.
mod calls;
// Random runs, and the fuzz targets.
mod fuzzing;
// Mutexes, semaphores, conditions, barriers.
mod locks;
// How a process ends.
mod exit;
// Every limit, reached.
mod limits;
// CPUs, costs, policies.
mod cpus;
// Steps of rt-app files, in time.
mod rtapp;
// The host's side: driving, injecting, inspecting, reports, ends of runs.
mod runs;
// Kernels as values: refused, side by side, dropped.
mod kernels;
// The machine against a reference model.
mod model;
// The calls of the reference.
mod model_calls;
// What puppets are told to do.
mod model_commands;
// The reference itself.
mod model_reference;
// Waits of stopped processes and of those in a handler.
mod suspended;
// Lua source as programs.
mod lua;
// From Lua: kill.
mod lua_kill;
// From Lua: sigaction.
mod lua_sigaction;
// From Lua: events and names.
mod lua_events;
// A machine under an oracle: what is a choice.
mod oracle;
// Classic faulty protocols, and their mended twins.
mod bugs;
// The command that searches through schedules.
mod command_explore;
// The search through schedules.
mod explore;
// Ties: what happens first at one instant.
mod order;
// Every pair of calls at one instant.
mod pairs;
// Conditions and signals.
mod conditions;
// From Lua: processes and how they end.
mod lua_process;
// From Lua: time, timers, queue, calls, the raw ABI.
mod lua_util;
// The language as Lua programs find it.
mod lua_language;
// Lua programs that do their worst.
mod lua_hostile;
// Bugs that were found, each named by what broke.
mod regressions;
// The example programs in Lua, their output and their point.
mod lua_programs;
// The `hothouse` command as a process of the host.
mod command;
// What bad input gets.
mod command_errors;
// The command from end to end.
mod command_run;
