//! The keys that say how a task is scheduled.
//!
//! A phase keeps of the phase before it what it does not say itself. A priority is kept only within
//! its scale: nice levels for `SCHED_OTHER` and its kin, 1 to 99 for `SCHED_FIFO` and `SCHED_RR`.

use std::ops::Range;

use hothouse_abi::{Class, CpuSet, Scheduling, Span};

use crate::report::Report;
use crate::tree::{Member, last};

/// The policies, by name.
const POLICIES: [(&str, Policy); 6] = [
    ("SCHED_OTHER", Policy::Other),
    ("SCHED_BATCH", Policy::Batch),
    ("SCHED_IDLE", Policy::Idle),
    ("SCHED_RR", Policy::RoundRobin),
    ("SCHED_FIFO", Policy::Fifo),
    ("SCHED_DEADLINE", Policy::Deadline),
];

/// The keys, at tasks and at phases.
pub(super) const KEYS: [&str; 10] = [
    "policy",
    "priority",
    "dl-runtime",
    "dl-period",
    "dl-deadline",
    "util_min",
    "util_max",
    "cpus",
    "nodes_membind",
    "taskgroup",
];

/// The priority of a real-time task that gives none.
const REAL_TIME: i64 = 10;
/// The nice level that stands for `SCHED_IDLE` unless one is given.
const IDLE: i64 = 19;
/// The highest CPU number that is taken.
const LAST_CPU: i64 = 4_095;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Other,
    Batch,
    Idle,
    RoundRobin,
    Fifo,
    Deadline,
}

impl Policy {
    fn is_real_time(self) -> bool {
        matches!(self, Policy::RoundRobin | Policy::Fifo)
    }

    /// The policy that a member names.
    pub(super) fn read(report: &mut Report, member: &Member) -> Option<Policy> {
        let name = report.text(member, "a policy, such as \"SCHED_OTHER\"")?;
        let span = member.place();
        let Some(&(_, policy)) = POLICIES.iter().find(|(known, _)| *known == name) else {
            report.unknown(span, "policy", name, POLICIES.map(|(known, _)| known));
            return None;
        };
        match policy {
            Policy::Batch => {
                report.warning(
                    span,
                    "SCHED_BATCH is simulated as SCHED_OTHER",
                    "no wake-up penalty",
                );
            }
            Policy::Idle => {
                let message = "SCHED_IDLE is simulated as SCHED_OTHER at nice 19";
                report.warning(span, message, "it gets a small share, not only idle time");
            }
            _ => {}
        }
        Some(policy)
    }
}

/// What the keys so far have said.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    policy: Policy,
    priority: Option<(i64, Range<usize>)>,
    runtime: Option<Span>,
    period: Option<Span>,
    deadline: Option<Span>,
    cpus: CpuSet,
}

impl Settings {
    pub(super) fn new(policy: Policy) -> Settings {
        Settings {
            policy,
            priority: None,
            runtime: None,
            period: None,
            deadline: None,
            cpus: CpuSet::all(),
        }
    }

    /// Takes in the keys among these members, and says whether there was one. With `legacy`, the
    /// keys `runtime`, `period` and `deadline` mean what `dl-runtime` and so on mean.
    pub(super) fn read(&mut self, report: &mut Report, members: &[Member], legacy: bool) -> bool {
        let before = self.policy;
        let mut any = false;
        for member in members {
            any |= self.set(report, member, legacy);
        }
        let scale_changed = before.is_real_time() != self.policy.is_real_time();
        if scale_changed && last(members, "priority").is_none() {
            self.priority = None;
        }
        any
    }

    fn set(&mut self, report: &mut Report, member: &Member, legacy: bool) -> bool {
        let key = match member.key.as_str() {
            "runtime" if legacy => "dl-runtime",
            "period" if legacy => "dl-period",
            "deadline" if legacy => "dl-deadline",
            other => other,
        };
        match key {
            "policy" => self.policy = Policy::read(report, member).unwrap_or(self.policy),
            "priority" => {
                let priority = report.integer(member, -20..=99);
                self.priority = priority.map(|it| (it, member.key_span.clone()));
            }
            "dl-runtime" => self.runtime = report.micros(member),
            "dl-period" => self.period = report.micros(member),
            "dl-deadline" => self.deadline = report.micros(member),
            "cpus" => self.read_cpus(report, member),
            "util_min" | "util_max" => {
                if report.integer(member, 0..=1_024).is_some() {
                    unused(report, member, "the frequency of CPUs is not simulated");
                }
            }
            "nodes_membind" => {
                if report.integers(member, &(0..=LAST_CPU)).is_some() {
                    unused(report, member, "memory nodes are not simulated");
                }
            }
            "taskgroup" => match report.text(member, "a path, such as \"/a\"") {
                Some(path) if !path.starts_with('/') => {
                    let message = format!("the task group \"{path}\" is no absolute path");
                    report.error(&member.key_span, message, "expected a path, such as \"/a\"");
                }
                Some(_) => unused(report, member, "task groups are not simulated"),
                None => {}
            },
            _ => return false,
        }
        true
    }

    fn read_cpus(&mut self, report: &mut Report, member: &Member) {
        let Some(cpus) = report.integers(member, &(0..=LAST_CPU)) else { return };
        if cpus.is_empty() {
            report.error(
                &member.key_span,
                "\"cpus\" has no CPU",
                "expected at least one, as in [0]",
            );
            return;
        }
        self.cpus = cpus.iter().map(|&cpu| cpu as u32).collect();
    }

    /// All of it together; what does not fit together is an error at `place`.
    pub(super) fn scheduling(&self, report: &mut Report, place: &Range<usize>) -> Scheduling {
        let mut wanted = Scheduling { cpus: self.cpus.clone(), ..Scheduling::default() };
        let given = self.priority.as_ref().map(|(number, _)| *number);
        let span = self.priority.as_ref().map_or(place, |(_, span)| span);
        if self.policy.is_real_time() {
            let priority = given.unwrap_or(REAL_TIME);
            if !(1..=99).contains(&priority) {
                let message = format!("{priority} is no real-time priority");
                report.error(span, message, "expected 1 to 99 for SCHED_FIFO and SCHED_RR");
                return wanted;
            }
            let real_time =
                if self.policy == Policy::Fifo { Class::Fifo } else { Class::RoundRobin };
            wanted.class = real_time(priority as u8);
        } else {
            let usual = if self.policy == Policy::Idle { IDLE } else { 0 };
            let nice = given.unwrap_or(usual);
            if !(-20..=19).contains(&nice) {
                report.error(span, format!("{nice} is no nice level"), "expected -20 to 19");
                return wanted;
            }
            wanted.nice = nice as i8;
        }
        let positive = |span: Option<Span>| span.filter(|span| !span.is_zero());
        if self.policy == Policy::Deadline {
            wanted.class = Class::Deadline;
            wanted.runtime = positive(self.runtime);
            wanted.period = positive(self.period).or(wanted.runtime);
            wanted.deadline = positive(self.deadline).or(wanted.period);
            check(report, place, &wanted);
        } else {
            wanted.slice = positive(self.runtime);
            wanted.period = positive(self.period);
            wanted.deadline = positive(self.deadline);
        }
        wanted
    }
}

/// A budget has to fit into the time until its deadline, and that into its period.
fn check(report: &mut Report, place: &Range<usize>, wanted: &Scheduling) {
    let (Some(runtime), Some(deadline), Some(period)) =
        (wanted.runtime, wanted.deadline, wanted.period)
    else {
        let help = "give dl-runtime, and dl-period unless they are the same";
        return report.error(place, "SCHED_DEADLINE without a budget", help);
    };
    if runtime > deadline || deadline > period {
        let message = format!(
            "impossible deadline: {runtime} s of CPU time within {deadline} s, each {period} s"
        );
        report.error(place, message, "expected dl-runtime <= dl-deadline <= dl-period");
    }
}

fn unused(report: &mut Report, member: &Member, why: &str) {
    report.warning(&member.key_span, format!("\"{}\" has no effect", member.key), why);
}
