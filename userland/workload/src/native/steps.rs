//! Scripts: arrays of steps.

use std::ops::Range;

use super::grammar::{boolean, dist, span};
use crate::Step;
use crate::names::{Names, Role};
use crate::report::Report;
use crate::tree::{Kind, Member, Value, last};

/// The words for steps.
pub(super) const WORDS: [&str; 21] = [
    "run",
    "busy",
    "sleep",
    "period",
    "lock",
    "unlock",
    "wait",
    "signal",
    "broadcast",
    "sync",
    "barrier",
    "suspend",
    "resume",
    "yield",
    "fork",
    "sem_post",
    "sem_wait",
    "send",
    "receive",
    "call",
    "reply",
];

/// The timer that a period belongs to, if it names none.
pub(super) const TIMER: &str = "period";

/// The steps of the script of a task of this name.
pub(super) fn script(
    report: &mut Report,
    names: &mut Names,
    task: &str,
    member: &Member,
) -> Vec<Step> {
    let Some(Kind::Array(values)) = member.kind() else {
        report.mismatch(member, "an array of steps, such as [{ run = \"10ms\" }, \"yield\"]");
        return Vec::new();
    };
    values.iter().filter_map(|value| step(report, names, task, value)).collect()
}

fn step(report: &mut Report, names: &mut Names, task: &str, value: &Value) -> Option<Step> {
    match &value.kind {
        Kind::Text(word) => alone(report, names, task, word, &value.span),
        Kind::Table(members) => table(report, names, members, &value.span),
        other => {
            let message = format!("{} in place of a step", other.name());
            report.error(
                &value.span,
                message,
                "expected { word = value }, such as { run = \"1ms\" }",
            );
            None
        }
    }
}

/// A word without a value.
fn alone(
    report: &mut Report,
    names: &mut Names,
    task: &str,
    word: &str,
    span: &Range<usize>,
) -> Option<Step> {
    match word {
        "yield" => Some(Step::Yield),
        "reply" => Some(Step::Reply),
        "suspend" => {
            names.used(Role::Suspend, task, span);
            Some(Step::Suspend(task.to_owned()))
        }
        "receive" => {
            names.used(Role::Receive, task, span);
            Some(Step::Receive(None))
        }
        _ if WORDS.contains(&word) => {
            let help = format!("write {{ {word} = .. }}");
            report.error(span, format!("\"{word}\" needs a value"), help);
            None
        }
        _ => {
            report.unknown(span, "step", word, WORDS);
            None
        }
    }
}

fn table(
    report: &mut Report,
    names: &mut Names,
    members: &[Member],
    span: &Range<usize>,
) -> Option<Step> {
    let mut words = members.iter().filter(|it| WORDS.contains(&it.key.as_str()));
    let (first, second) = (words.next(), words.next());
    let Some(member) = first else {
        match members.first() {
            Some(other) => report.unknown(&other.key_span, "step", &other.key, WORDS),
            None => report.error(span, "a step without a word", "expected { word = value }"),
        }
        return None;
    };
    if let Some(second) = second {
        let message = format!("two steps in one: \"{}\" and \"{}\"", member.key, second.key);
        let help = format!("write {{ {} = .. }}, {{ {} = .. }}", member.key, second.key);
        report.error(&second.key_span, message, help);
        return None;
    }
    let options: &[&str] = match member.key.as_str() {
        "period" => &["timer", "shared", "mode"],
        "wait" | "sync" => &["mutex"],
        _ => &[],
    };
    for other in members.iter().filter(|it| it.key != member.key) {
        if !options.contains(&other.key.as_str()) {
            let kind = format!("key beside \"{}\"", member.key);
            report.unknown(&other.key_span, &kind, &other.key, options.iter().copied());
        }
    }
    match member.key.as_str() {
        "run" => Some(Step::Run(dist(report, member)?)),
        "busy" => Some(Step::Busy(dist(report, member)?)),
        "sleep" => Some(Step::Sleep(dist(report, member)?)),
        "receive" => Some(Step::Receive(Some(dist(report, member)?))),
        "period" => period(report, member, members),
        "wait" | "sync" => guarded(report, names, member, members),
        word @ ("yield" | "reply") => {
            let message = format!("\"{word}\" takes no value");
            report.error(&member.key_span, message, format!("write \"{word}\" alone"));
            None
        }
        _ => named(report, names, member),
    }
}

/// The next point of a grid of time.
fn period(report: &mut Report, member: &Member, members: &[Member]) -> Option<Step> {
    let period = span(report, member)?;
    let reference = match last(members, "timer") {
        Some(timer) => report.name(timer)?,
        None => TIMER.to_owned(),
    };
    let shared = match last(members, "shared") {
        Some(shared) => boolean(report, shared)?,
        None => false,
    };
    let absolute = match last(members, "mode") {
        Some(mode) => match report.text(mode, "\"absolute\" or \"relative\"")? {
            "absolute" => true,
            "relative" => false,
            other => {
                report.unknown(mode.place(), "mode", other, ["absolute", "relative"]);
                return None;
            }
        },
        None => true,
    };
    Some(Step::Timer { reference, per_task: !shared, period, absolute })
}

/// A wait for a condition, with its mutex.
fn guarded(
    report: &mut Report,
    names: &mut Names,
    member: &Member,
    members: &[Member],
) -> Option<Step> {
    let condition = report.name(member)?;
    let Some(mutex) = last(members, "mutex") else {
        let message = format!("\"{}\" has no \"mutex\"", member.key);
        report.error(
            &member.key_span,
            message,
            "add mutex = \"..\", which is given back meanwhile",
        );
        return None;
    };
    let mutex = report.name(mutex)?;
    let role = if member.key == "wait" { Role::Wait } else { Role::Sync };
    names.used(role, &condition, member.place());
    names.used(Role::Guard, &mutex, member.place());
    Some(match role {
        Role::Wait => Step::Wait { condition, mutex },
        _ => Step::Sync { condition, mutex },
    })
}

/// The steps whose value is one name.
fn named(report: &mut Report, names: &mut Names, member: &Member) -> Option<Step> {
    let (role, step): (Role, fn(String) -> Step) = match member.key.as_str() {
        "lock" => (Role::Lock, Step::Lock),
        "unlock" => (Role::Unlock, Step::Unlock),
        "signal" => (Role::Signal, Step::Signal),
        "broadcast" => (Role::Signal, Step::Broadcast),
        "suspend" => (Role::Suspend, Step::Suspend),
        "resume" => (Role::Resume, Step::Resume),
        "fork" => (Role::Fork, Step::Fork),
        "sem_post" => (Role::Post, Step::Post),
        "sem_wait" => (Role::Acquire, Step::Acquire),
        "send" => (Role::Send, Step::Send),
        "call" => (Role::Send, Step::Call),
        _ => (Role::Barrier, Step::Barrier),
    };
    let name = report.name(member)?;
    names.used(role, &name, member.place());
    Some(step(name))
}
