//! `hothouse run`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::{Args, ValueEnum};
use hothouse::lua::{LuaHost, LuaSettings};
use hothouse::sim::parse_duration;
use hothouse::{
    Builder, Console, Costs, End, Interrupt, Kernel, Pid, RunError, Span, Stream, StreamKind, Tick,
    Until, policy,
};
use serde_json::{Value as Json, json};

use super::at::At;
use super::check::Fingerprints;
use super::output::tell;
use super::program::Source;
use super::screen::{Screen, Silence};
use super::summary::Summary;
use super::trace::TraceFile;
use super::{Exit, UsageError};

/// How results are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Lines and tables.
    Human,
    /// A JSON object a line; the last is the report.
    Json,
}

#[derive(Args, Clone)]
pub(super) struct Run {
    /// A Lua file, or the name of a built-in program
    program: String,
    /// The program's arguments; write `--` before those that begin with a dash
    args: Vec<String>,

    /// Who runs when: an id, or id:key=value,..; `hothouse policies` lists them
    #[arg(long, value_name = "POLICY", default_value = "fifo", env = "HOTHOUSE_POLICY")]
    policy: String,
    /// How many simulated CPUs
    #[arg(long, default_value_t = 1, env = "HOTHOUSE_CPUS",
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    cpus: u32,
    /// The seed of all random streams
    #[arg(long, default_value_t = 0, env = "HOTHOUSE_SEED")]
    seed: u64,
    /// Wait for the host's clock instead of jumping to the next deadline
    #[arg(long)]
    realtime: bool,
    /// End the run at this virtual time
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    until: Option<Span>,
    /// Go on after pid 1 has ended, until nobody can run any more
    #[arg(long)]
    linger: bool,
    /// How lines and report are shown
    #[arg(long, value_enum, default_value = "human", env = "HOTHOUSE_FORMAT")]
    format: Format,
    /// How long a program in Rust may go without a call, by the host's clock; 0: as long as it likes
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    watchdog: Span,
    /// Show no report at the end
    #[arg(long, short)]
    quiet: bool,
    /// Write every record of the trace to this file, as JSON lines
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Show a table of all processes at the end
    #[arg(long)]
    ps: bool,
    /// What is to go wrong on purpose: rules such as 'drop:from=client,p=0.1', or a file of them;
    /// docs/faults.md has them all
    #[arg(long, value_name = "RULES|FILE")]
    faults: Option<String>,
    /// Run twice and compare the traces
    #[arg(long, conflicts_with = "realtime")]
    check: bool,
    /// Signal or send from outside at a virtual time, e.g. --at 5s 'kill 2 TERM' or
    /// --at 5s 'send 2 name {"x":1}'; may be repeated
    #[arg(long, num_args = 2, value_names = ["TIME", "ACTION"], action = clap::ArgAction::Append)]
    at: Vec<String>,
    /// The same from a file, a line each: TIME ACTION
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    #[command(flatten)]
    costs: CostArgs,
    #[command(flatten)]
    lua: LuaArgs,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Costs in virtual time")]
struct CostArgs {
    /// CPU time of a trap
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_duration)]
    trap_cost: Span,
    /// Time to switch a CPU to another process
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_duration)]
    switch_cost: Span,
    /// Further time when a process moves to another CPU
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_duration)]
    migration_cost: Span,
    /// Time of one instruction of Lua's virtual machine
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_duration)]
    instruction_cost: Span,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Lua")]
struct LuaArgs {
    /// Give every Lua process a state of its own
    #[arg(long)]
    isolate: bool,
    /// Instructions between two traps after which a Lua process is ended
    #[arg(long, value_name = "N")]
    instruction_budget: Option<u64>,
    /// Bytes that a state shared by Lua processes may use
    #[arg(long, value_name = "BYTES")]
    lua_memory: Option<usize>,
}

/// What one of the runs of a check is to do besides running.
enum Pass {
    Only,
    First(Fingerprints),
    Second(Fingerprints),
}

/// What a run came to.
struct Ran {
    exit: Exit,
    hash: Option<u64>,
}

impl Run {
    pub(super) fn main(mut self) -> Result<Exit, UsageError> {
        let actions = self.actions()?;
        let source = Source::find(&self.program)?;
        if !self.check {
            return Ok(self.once(&source, &actions, Pass::Only)?.exit);
        }
        let fingerprints = Fingerprints::default();
        let first = self.once(&source, &actions, Pass::First(fingerprints.clone()))?;
        if matches!(first.exit, Exit::Interrupted) {
            return Ok(first.exit);
        }
        self.trace = None;
        let second = self.once(&source, &actions, Pass::Second(fingerprints.clone()))?;
        let Some(difference) = fingerprints.difference() else {
            let hash = second.hash.unwrap_or_default();
            tell(&format!("hothouse: check: two runs gave the same trace {hash:016x}\n"));
            return Ok(first.exit);
        };
        let what = difference.record.map_or("is missing".to_owned(), |text| format!("is: {text}"));
        tell(&format!(
            "hothouse: check: the runs differ: record {} of the second run {what}\n",
            difference.number
        ));
        Ok(Exit::Differs)
    }

    /// What comes from outside, in order of time.
    fn actions(&self) -> Result<Vec<At>, UsageError> {
        let mut actions = match &self.script {
            Some(path) => At::read_script(path)?,
            None => Vec::new(),
        };
        for pair in self.at.chunks_exact(2) {
            actions.push(At::parse(&pair[0], &pair[1])?);
        }
        actions.sort_by_key(At::time);
        Ok(actions)
    }

    #[expect(clippy::disallowed_methods, reason = "the report tells the host's time")]
    fn once(&self, source: &Source, actions: &[At], pass: Pass) -> Result<Ran, UsageError> {
        let lua = LuaHost::new(self.lua_settings());
        let program = source.load(&lua, &self.args)?;
        let interrupt = Interrupt::default();
        let mut kernel = self.kernel(&pass, interrupt.clone())?;
        for at in actions {
            kernel.at(at.time(), at.action());
        }
        catch_interrupts(&interrupt)?;
        let first = kernel.spawn(source.process_name(), program);
        first.map_err(|errno| UsageError(format!("the program can't be started: {errno}")))?;
        let start = Instant::now();
        let end = kernel.run_until(self.until());
        let host_time = start.elapsed();
        let report = kernel.report();
        let hash = report.hash;
        let killed = kernel.kill_all();
        let summary = Summary {
            end: &end,
            report: &report,
            killed: &killed,
            host_time,
            repeat: &self.repeat(),
            settings: self.settings(),
            ps: self.ps,
        };
        let exit = if is_closed_pipe(&end) { Exit::Ok } else { summary.exit() };
        drop(kernel);
        if !matches!(pass, Pass::Second(_)) && !is_closed_pipe(&end) {
            self.show(&summary);
        }
        Ok(Ran { exit, hash })
    }

    fn show(&self, summary: &Summary<'_>) {
        match self.format {
            Format::Json => {
                super::output::print_quietly(&format!("{}\n", json!({ "report": summary.json() })));
            }
            Format::Human if !self.quiet => tell(&summary.text()),
            Format::Human => {}
        }
    }

    fn kernel(&self, pass: &Pass, interrupt: Interrupt) -> Result<Kernel, UsageError> {
        let stream = Stream::derive(self.seed, StreamKind::Policy, 0);
        let policy = policy::policy(&self.policy, stream).map_err(UsageError::new)?;
        let mut builder: Builder = Kernel::builder()
            .policy(policy)
            .cpus(self.cpus)
            .seed(self.seed)
            .costs(Costs {
                trap: self.costs.trap_cost,
                switch: self.costs.switch_cost,
                migration: self.costs.migration_cost,
            })
            .hash(true)
            .real_time(self.realtime)
            .watchdog((!self.watchdog.is_zero()).then(|| self.watchdog.duration()))
            .interrupt(interrupt);
        if let Some(faults) = &self.faults {
            builder = builder.faults(super::faults::read(faults)?);
        }
        if let Some(path) = &self.trace {
            builder = builder.listener(TraceFile::create(path)?);
        }
        builder = match pass {
            Pass::Only => builder.console(self.screen()),
            Pass::First(prints) => {
                builder.console(self.screen()).listener(prints.keep()).repeatable(true)
            }
            Pass::Second(prints) => {
                builder.console(Silence).listener(prints.compare()).repeatable(true)
            }
        };
        builder.build().map_err(UsageError::new)
    }

    fn screen(&self) -> impl Console + 'static {
        Screen::new(self.format, self.realtime)
    }

    fn until(&self) -> Until {
        const INIT: Pid = Pid::new(1);
        match (self.until.map(|span| Tick::ZERO + span), self.linger) {
            (None, false) => Until::Ended(INIT),
            (None, true) => Until::Idle,
            (Some(time), true) => Until::TimeOrIdle(time),
            (Some(time), false) => Until::TimeOrEnded(time, INIT),
        }
    }

    fn lua_settings(&self) -> LuaSettings {
        let defaults = LuaSettings::default();
        LuaSettings {
            isolate: self.lua.isolate,
            time_per_instruction: self.costs.instruction_cost,
            instruction_budget: self.lua.instruction_budget.or(defaults.instruction_budget),
            memory_per_state: self.lua.lua_memory.unwrap_or(defaults.memory_per_state),
            ..defaults
        }
    }

    fn settings(&self) -> Json {
        json!({
            "program": self.program,
            "args": self.args,
            "policy": self.policy,
            "cpus": self.cpus,
            "seed": self.seed,
            "realtime": self.realtime,
            "until": self.until.map(|span| span.to_string()),
            "linger": self.linger,
            "trap_cost": self.costs.trap_cost.to_string(),
            "switch_cost": self.costs.switch_cost.to_string(),
            "migration_cost": self.costs.migration_cost.to_string(),
            "instruction_cost": self.costs.instruction_cost.to_string(),
            "isolate": self.lua.isolate,
            "instruction_budget": self.lua.instruction_budget,
            "lua_memory": self.lua.lua_memory,
            "faults": self.faults,
            "at": self.at,
            "script": self.script.as_ref().map(|path| path.display().to_string()),
        })
    }

    /// The command that gives the same run again, whatever the environment says.
    fn repeat(&self) -> String {
        let mut words = vec!["hothouse".to_owned(), "run".to_owned()];
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        option("policy", self.policy.clone());
        option("cpus", self.cpus.to_string());
        option("seed", self.seed.to_string());
        if let Some(until) = self.until {
            option("until", format!("{}ns", until.nanos()));
        }
        let costs = &self.costs;
        for (name, cost) in [
            ("trap-cost", costs.trap_cost),
            ("switch-cost", costs.switch_cost),
            ("migration-cost", costs.migration_cost),
            ("instruction-cost", costs.instruction_cost),
        ] {
            if !cost.is_zero() {
                option(name, format!("{}ns", cost.nanos()));
            }
        }
        if let Some(budget) = self.lua.instruction_budget {
            option("instruction-budget", budget.to_string());
        }
        if let Some(memory) = self.lua.lua_memory {
            option("lua-memory", memory.to_string());
        }
        if let Some(faults) = &self.faults {
            option("faults", faults.clone());
        }
        if let Some(script) = &self.script {
            option("script", script.display().to_string());
        }
        for pair in self.at.chunks_exact(2) {
            words.extend(["--at".to_owned(), pair[0].clone(), pair[1].clone()]);
        }
        for (name, on) in [("isolate", self.lua.isolate), ("linger", self.linger)] {
            words.extend(on.then(|| format!("--{name}")));
        }
        words.push(self.program.clone());
        if self.args.iter().any(|arg| arg.starts_with('-')) {
            words.push("--".to_owned());
        }
        words.extend(self.args.iter().cloned());
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Ctrl-C breaks into the run; a second one while the first is not yet seen ends the process.
pub(super) fn catch_interrupts(interrupt: &Interrupt) -> Result<(), UsageError> {
    let (flag, early) = (interrupt.flag(), Arc::new(AtomicBool::new(false)));
    let sigint = signal_hook::consts::SIGINT;
    signal_hook::flag::register(sigint, early.clone())
        .and_then(|_| signal_hook::flag::register_conditional_shutdown(sigint, 130, flag.clone()))
        .and_then(|_| signal_hook::flag::register(sigint, flag))
        .map_err(|error| UsageError(format!("Ctrl-C can't be caught: {error}")))?;
    // One that came between the first registration and the last would else be lost.
    if early.load(Ordering::Relaxed) {
        interrupt.raise();
    }
    Ok(())
}

/// Whoever read the output went away.
fn is_closed_pipe(end: &End) -> bool {
    matches!(end, End::Failed(RunError::Console(error)) if error.kind() == io::ErrorKind::BrokenPipe)
}
