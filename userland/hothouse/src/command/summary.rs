//! How a run ended, in words and as JSON.

use std::fmt::Write;
use std::time::Duration;

use hothouse::{End, ExitStatus, Pid, ProcessInfo, Report};
use serde_json::{Value as Json, json};

use super::Exit;
use super::ps;

/// All that is told at the end of a run.
pub(super) struct Summary<'a> {
    pub(super) end: &'a End,
    /// Taken before the remaining processes were killed.
    pub(super) report: &'a Report,
    /// The processes that were still there, and were killed.
    pub(super) killed: &'a [ProcessInfo],
    pub(super) host_time: Duration,
    /// The command that repeats the run.
    pub(super) repeat: &'a str,
    pub(super) settings: Json,
    /// Whether all processes are shown as a table.
    pub(super) ps: bool,
}

/// How many of those that were killed are named.
const NAMED: usize = 12;

impl Summary<'_> {
    fn first(&self) -> Option<&ExitStatus> {
        self.report.exit(Pid::new(1)).map(|exit| &exit.status)
    }

    /// The exit code that the run stands for.
    pub(super) fn exit(&self) -> Exit {
        match self.end {
            End::Deadlock(_) => Exit::Failed,
            End::Failed(_) => Exit::Limit,
            End::Interrupted => Exit::Interrupted,
            End::Done | End::Idle | End::Stopped => match self.first() {
                Some(status) if !status.is_success() => Exit::Failed,
                _ => Exit::Ok,
            },
        }
    }

    fn headline(&self) -> String {
        match (self.end, self.first()) {
            (End::Deadlock(deadlock), _) => deadlock.to_string(),
            (End::Failed(error), _) => format!("failed: {error}"),
            (End::Done | End::Idle, Some(status)) => {
                format!("{}: pid 1 {status}", self.end.word())
            }
            (end, _) => end.word().to_owned(),
        }
    }

    /// The report for a person.
    pub(super) fn text(&self) -> String {
        let Report { counters, .. } = self.report;
        let mut text = format!("hothouse: {}\n", self.headline());
        let mut line = |what: &str, value: String| {
            let _ = writeln!(text, "  {what:<9} {value}");
        };
        line(
            "time",
            format!("{} s virtual, {:.3} s host", self.report.now, self.host_time.as_secs_f64()),
        );
        line(
            "counted",
            format!(
                "{} traps, {} events, {} signals, {} switches, {} processes",
                counters.traps,
                counters.events,
                counters.signals,
                counters.switches,
                counters.spawned
            ),
        );
        if counters.injected > 0 {
            line("injected", format!("{} faults on purpose", counters.injected));
        }
        if counters.dead_letters + counters.failed_actions + counters.abandoned > 0 {
            line(
                "lost",
                format!(
                    "{} events to nobody, {} failed actions from outside, {} stacks given up",
                    counters.dead_letters, counters.failed_actions, counters.abandoned
                ),
            );
        }
        if let Some(hash) = self.report.hash {
            line("trace", format!("{hash:016x}"));
        }
        line("repeat", self.repeat.to_owned());
        if let Some(why) = &self.report.unrepeatable {
            line("but", format!("the run may not repeat: {why}"));
        }
        if self.ps && self.killed.is_empty() {
            text.push_str("processes at the end: none\n");
        } else if self.ps {
            let _ = writeln!(text, "processes at the end:\n{}", ps::table(self.killed));
        } else if !self.killed.is_empty() && !matches!(self.end, End::Deadlock(_)) {
            self.list_killed(&mut text);
        }
        text
    }

    fn list_killed(&self, text: &mut String) {
        let _ = writeln!(text, "  killed at the end:");
        for process in self.killed.iter().take(NAMED) {
            let state = ps::state(&process.state);
            let _ = writeln!(text, "    {} {} ({state})", process.pid, process.name);
        }
        if self.killed.len() > NAMED {
            let _ = writeln!(text, "    and {} more; --ps shows all", self.killed.len() - NAMED);
        }
    }

    /// The report for a machine.
    pub(super) fn json(&self) -> Json {
        let Report { counters, .. } = self.report;
        let mut json = json!({
            "end": self.end.word(),
            "detail": self.headline(),
            "exit_code": self.exit() as u8,
            "first_program": self.first().map(ToString::to_string),
            "virtual_time": self.report.now.to_string(),
            "host_time": self.host_time.as_secs_f64(),
            "seed": self.report.seed,
            "policy": self.report.policy,
            "traps": counters.traps,
            "events": counters.events,
            "dead_letters": counters.dead_letters,
            "signals": counters.signals,
            "spawned": counters.spawned,
            "dispatches": counters.dispatches,
            "switches": counters.switches,
            "preemptions": counters.preemptions,
            "migrations": counters.migrations,
            "abandoned_stacks": counters.abandoned,
            "failed_actions": counters.failed_actions,
            "utilisation": self.report.utilisation(),
            "trace_hash": self.report.hash.map(|hash| format!("{hash:016x}")),
            "repeatable": self.report.unrepeatable.is_none(),
            "repeat": self.repeat,
            "settings": self.settings,
            "killed": ps::to_json(self.killed),
        });
        if let End::Deadlock(deadlock) = self.end {
            json["deadlock"] = deadlock_json(deadlock);
        }
        json
    }
}

fn deadlock_json(deadlock: &hothouse::Deadlock) -> Json {
    let waiter = |waiter: &hothouse::Waiter| {
        json!({
            "pid": waiter.pid.number(),
            "name": waiter.name.to_string(),
            "waits_for": waiter.what,
            "from": waiter.from.map(Pid::number),
            "since": waiter.since.to_string(),
        })
    };
    let cycle = |cycle: &Vec<Pid>| cycle.iter().map(|pid| pid.number()).collect::<Vec<_>>();
    json!({
        "waiters": deadlock.waiters.iter().map(waiter).collect::<Vec<_>>(),
        "cycles": deadlock.cycles.iter().map(cycle).collect::<Vec<_>>(),
    })
}
