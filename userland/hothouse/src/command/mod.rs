//! The command line: what is asked for, and the exit codes.

mod at;
mod bench;
mod check;
mod compare;
mod explore;
mod faults;
mod file;
mod list;
mod machine;
mod output;
mod program;
mod progress;
mod ps;
mod run;
mod screen;
mod sim;
mod sim_result;
mod summary;
mod tables;
mod trace;
mod workload;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs programs on a simulated machine, in virtual time.
#[derive(Parser)]
#[command(name = "hothouse", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a program: a Lua file, or a built-in one
    Run(Box<run::Run>),
    /// Simulate a workload and show its metrics
    Sim(Box<sim::Sim>),
    /// Simulate a workload under several policies and compare them
    Compare(Box<compare::Compare>),
    /// Measure what the kernel itself costs on this host
    Bench(Box<bench::Bench>),
    /// Look at workload files
    Workload(workload::WorkloadCommand),
    /// Try the schedules of a program, and tell the shortest run that fails
    Explore(Box<explore::Explore>),
    /// Repeat a run that `explore` found
    Replay(Box<explore::Replay>),
    /// List the built-in programs
    Programs,
    /// List the scheduling policies
    Policies,
}

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    Ok = 0,
    /// A program failed, or a deadlock.
    Failed = 1,
    /// Usage or bad input.
    Usage = 2,
    /// Two runs differ.
    Differs = 3,
    /// A limit or an internal error.
    Limit = 4,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Bad input: what was wrong, where, and what to do.
#[derive(Debug)]
struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl UsageError {
    fn new(message: impl fmt::Display) -> UsageError {
        UsageError(message.to_string())
    }
}

/// Runs the command.
pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => run.main(),
        Command::Sim(sim) => sim.main(),
        Command::Compare(compare) => compare.main(),
        Command::Bench(bench) => bench.main(),
        Command::Workload(workload) => workload.main(),
        Command::Explore(explore) => explore.main(),
        Command::Replay(replay) => replay.main(),
        Command::Programs => Ok(list::programs()),
        Command::Policies => Ok(list::policies()),
    };
    done.unwrap_or_else(|error| {
        output::tell(&format!("hothouse: {error}\n"));
        Exit::Usage
    })
    .into()
}
