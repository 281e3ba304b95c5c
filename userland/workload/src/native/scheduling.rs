//! The keys that say how a task is scheduled, at tasks and at phases.
//!
//! A phase keeps what it does not say itself; `"none"` takes back what can be left open.

use std::ops::{Range, RangeInclusive};

use hothouse_abi::{Class, CpuSet, Scheduling, Span};

use super::grammar::span;
use crate::report::Report;
use crate::tree::{Kind, Member, last};

/// The keys, in the order in which they are written.
pub(super) const KEYS: [&str; 9] =
    ["class", "priority", "nice", "tickets", "slice", "runtime", "deadline", "period", "cpus"];

pub(super) const CLASSES: [&str; 4] = ["SCHED_OTHER", "SCHED_RR", "SCHED_FIFO", "SCHED_DEADLINE"];
/// What takes an optional key back.
pub(super) const NONE: &str = "none";
/// What takes an affinity back.
pub(super) const ALL: &str = "all";

const PRIORITIES: RangeInclusive<i64> = 1..=99;
const LAST_CPU: i64 = 65_535;

/// Takes in the keys among these members, and says whether there was one. What does not fit together
/// is an error at `place`.
pub(super) fn read(
    report: &mut Report,
    current: &mut Scheduling,
    members: &[Member],
    place: &Range<usize>,
) -> bool {
    let mut sound = true;
    let mut any = false;
    for member in members.iter().filter(|it| KEYS.contains(&it.key.as_str())) {
        any = true;
        sound &= set(report, current, member).is_some();
    }
    sound &= set_class(report, current, members).is_some();
    if sound && let Some(problem) = current.problem(u32::MAX) {
        report.error(
            place,
            format!("it can't be scheduled so: {problem}"),
            "see docs/workloads.md",
        );
    }
    any
}

/// `None` if the value is wrong.
fn set(report: &mut Report, current: &mut Scheduling, member: &Member) -> Option<()> {
    match member.key.as_str() {
        "nice" => current.nice = report.integer(member, -20..=19)? as i8,
        "tickets" => {
            current.tickets = optional(member, |it| {
                report.integer(it, 1..=i64::from(u32::MAX)).map(|tickets| tickets as u32)
            })?;
        }
        "slice" => current.slice = optional_span(report, member)?,
        "runtime" => current.runtime = optional_span(report, member)?,
        "deadline" => current.deadline = optional_span(report, member)?,
        "period" => current.period = optional_span(report, member)?,
        "cpus" => current.cpus = cpus(report, member)?,
        _ => {}
    }
    Some(())
}

/// `Some(None)` if it is taken back.
fn optional<T>(member: &Member, read: impl FnOnce(&Member) -> Option<T>) -> Option<Option<T>> {
    match member.kind() {
        Some(Kind::Text(text)) if text == NONE => Some(None),
        _ => read(member).map(Some),
    }
}

fn optional_span(report: &mut Report, member: &Member) -> Option<Option<Span>> {
    optional(member, |it| span(report, it))
}

fn cpus(report: &mut Report, member: &Member) -> Option<CpuSet> {
    if member.kind() == Some(&Kind::Text(ALL.to_owned())) {
        return Some(CpuSet::all());
    }
    let cpus = report.integers(member, &(0..=LAST_CPU))?;
    if cpus.is_empty() {
        let help = "expected at least one, as in [0], or \"all\"";
        report.error(member.place(), "\"cpus\" has no CPU", help);
        return None;
    }
    Some(cpus.iter().map(|&cpu| cpu as u32).collect())
}

/// The class and the priority, which belong together.
fn set_class(report: &mut Report, current: &mut Scheduling, members: &[Member]) -> Option<()> {
    let named = match last(members, "class") {
        Some(member) => Some((member, report.text(member, "a class, such as \"SCHED_FIFO\"")?)),
        None => None,
    };
    let name = named.map_or(current.class.name(), |(_, name)| name);
    if let Some((member, name)) = named
        && !CLASSES.contains(&name)
    {
        report.unknown(member.place(), "class", name, CLASSES);
        return None;
    }
    let given = last(members, "priority");
    let real_time = matches!(name, "SCHED_RR" | "SCHED_FIFO");
    if let Some(given) = given
        && !real_time
    {
        let help = "it is for class = \"SCHED_RR\" and \"SCHED_FIFO\"; others have a nice level";
        report.error(&given.key_span, format!("\"priority\" in the class {name}"), help);
        return None;
    }
    let priority = match (given, current.class) {
        (Some(given), _) => report.integer(given, PRIORITIES)? as u8,
        (None, Class::RoundRobin(priority) | Class::Fifo(priority)) => priority,
        (None, _) if real_time => {
            let place = named.map_or(0..0, |(member, _)| member.place().clone());
            report.error(&place, format!("{name} without a priority"), "add priority = 1 to 99");
            return None;
        }
        (None, _) => 0,
    };
    current.class = match name {
        "SCHED_RR" => Class::RoundRobin(priority),
        "SCHED_FIFO" => Class::Fifo(priority),
        "SCHED_DEADLINE" => Class::Deadline,
        _ => Class::Normal,
    };
    Some(())
}
