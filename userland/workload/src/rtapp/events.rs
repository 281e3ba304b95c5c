//! The events of a task: keys that are matched by their beginning, in the order of the file.

use std::ops::Range;

use hothouse_abi::Span;

use crate::names::{Names, Role};
use crate::report::Report;
use crate::tree::{Kind, Member, last};
use crate::{Dist, Step};

/// The beginnings of keys that are events, a longer one before what it begins with.
pub(super) const EVENTS: [&str; 20] = [
    "sem_post", "sem_wait", "runtime", "suspend", "barrier", "memrun", "unlock", "signal",
    "resume", "broad", "sleep", "iorun", "timer", "yield", "lock", "wait", "sync", "fork", "run",
    "mem",
];

/// CPU time for a byte of memory that is read or written: as at one gigabyte a second.
const MEMORY_NANOS: u64 = 1;
/// CPU time for a byte of input or output: as at a hundred megabytes a second.
const DEVICE_NANOS: u64 = 10;

/// Which event a key is, if it is one.
pub(super) fn event(key: &str) -> Option<&'static str> {
    EVENTS.into_iter().find(|event| key.starts_with(event))
}

/// The step of one event, in a task of this name.
pub(super) fn step(
    report: &mut Report,
    names: &mut Names,
    task: &str,
    event: &str,
    member: &Member,
) -> Option<Step> {
    let fixed = |span: Span| Dist::Const(span);
    Some(match event {
        "run" => Step::Run(fixed(report.micros(member)?)),
        "runtime" => Step::Busy(fixed(report.micros(member)?)),
        "sleep" => Step::Sleep(fixed(report.micros(member)?)),
        "mem" => Step::Run(fixed(burst(report.integer(member, 0..=i64::MAX)?, MEMORY_NANOS))),
        "iorun" => Step::Run(fixed(burst(report.integer(member, 0..=i64::MAX)?, DEVICE_NANOS))),
        "memrun" => Step::Run(fixed(burst(memrun(report, member)?, MEMORY_NANOS))),
        "timer" => return timer(report, member),
        "wait" | "sync" => return guarded(report, names, event, member),
        "suspend" => {
            let (name, span) = suspended(report, task, member)?;
            names.used(Role::Suspend, &name, &span);
            Step::Suspend(name)
        }
        "yield" => {
            if member.value.is_some() {
                report.text(member, "\"\"")?;
            }
            Step::Yield
        }
        _ => named(report, names, event, member)?,
    })
}

fn burst(bytes: i64, nanos: u64) -> Span {
    Span::from_nanos(bytes.unsigned_abs().saturating_mul(nanos))
}

/// The events whose value is one name.
fn named(report: &mut Report, names: &mut Names, event: &str, member: &Member) -> Option<Step> {
    let (role, step): (Role, fn(String) -> Step) = match event {
        "lock" => (Role::Lock, Step::Lock),
        "unlock" => (Role::Unlock, Step::Unlock),
        "signal" => (Role::Signal, Step::Signal),
        "broad" => (Role::Signal, Step::Broadcast),
        "resume" => (Role::Resume, Step::Resume),
        "fork" => (Role::Fork, Step::Fork),
        "sem_post" => (Role::Post, Step::Post),
        "sem_wait" => (Role::Acquire, Step::Acquire),
        _ => (Role::Barrier, Step::Barrier),
    };
    let name = report.name(member)?;
    names.used(role, &name, member.place());
    Some(step(name))
}

/// What a suspended task is resumed by: the name that is given, or else its own.
fn suspended(report: &mut Report, task: &str, member: &Member) -> Option<(String, Range<usize>)> {
    let given = match &member.value {
        Some(_) => report.text(member, "the name that it is resumed by, or \"\" for its own")?,
        None => "",
    };
    let name = if given.is_empty() { task } else { given };
    Some((name.to_string(), member.place().clone()))
}

/// The keys of an event that is an object; others are errors.
fn keys<'a>(report: &mut Report, member: &'a Member, known: &[&str]) -> Option<&'a [Member]> {
    let members = report.members(member, &format!("an object with {}", known.join(", ")))?;
    report.repeated(members, |_| true);
    for inner in members.iter().filter(|inner| !known.contains(&inner.key.as_str())) {
        let kind = format!("key of \"{}\"", member.key);
        report.unknown(&inner.key_span, &kind, &inner.key, known.iter().copied());
    }
    Some(members)
}

fn required<'a>(
    report: &mut Report,
    member: &Member,
    members: &'a [Member],
    key: &str,
) -> Option<&'a Member> {
    let found = last(members, key);
    if found.is_none() {
        let message = format!("\"{}\" has no \"{key}\"", member.key);
        report.error(&member.key_span, message, format!("add \"{key}\""));
    }
    found
}

fn timer(report: &mut Report, member: &Member) -> Option<Step> {
    let members = keys(report, member, &["ref", "period", "mode"])?;
    let reference = required(report, member, members, "ref").and_then(|it| report.name(it));
    let period = required(report, member, members, "period").and_then(|it| report.micros(it));
    let mode = match last(members, "mode") {
        Some(mode) => report.text(mode, "\"relative\" or \"absolute\"")?,
        None => "relative",
    };
    if !matches!(mode, "relative" | "absolute") {
        let place = last(members, "mode").map_or(&member.key_span, Member::place);
        report.unknown(place, "mode", mode, ["relative", "absolute"]);
        return None;
    }
    let (reference, period) = (reference?, period?);
    let per_task = reference.starts_with("unique");
    Some(Step::Timer { reference, per_task, period, absolute: mode == "absolute" })
}

fn guarded(report: &mut Report, names: &mut Names, event: &str, member: &Member) -> Option<Step> {
    let members = keys(report, member, &["ref", "mutex"])?;
    let condition = required(report, member, members, "ref").and_then(|it| report.name(it));
    let mutex = required(report, member, members, "mutex").and_then(|it| report.name(it));
    let (condition, mutex) = (condition?, mutex?);
    let role = if event == "wait" { Role::Wait } else { Role::Sync };
    names.used(role, &condition, &member.key_span);
    names.used(Role::Guard, &mutex, &member.key_span);
    Some(match role {
        Role::Wait => Step::Wait { condition, mutex },
        _ => Step::Sync { condition, mutex },
    })
}

/// The bytes of a `memrun`: a number, or an object that has it as its `size`.
fn memrun(report: &mut Report, member: &Member) -> Option<i64> {
    if !matches!(member.value.as_ref().map(|value| &value.kind), Some(Kind::Object(_))) {
        return report.integer(member, 0..=i64::MAX);
    }
    let members = keys(report, member, &["size"])?;
    let size = required(report, member, members, "size")?;
    report.integer(size, 0..=i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_hides_a_longer_one() {
        for (index, event) in EVENTS.iter().enumerate() {
            let hidden = EVENTS[index + 1..].iter().find(|later| later.starts_with(event));
            assert_eq!(hidden, None, "{event} stands before a longer one");
        }
        assert_eq!(event("runtime3"), Some("runtime"));
        assert_eq!(event("run_a"), Some("run"));
        assert_eq!(event("memrun1"), Some("memrun"));
        assert_eq!(event("broadcast"), Some("broad"));
        assert_eq!(event("instance"), None);
    }
}
