//! The tables of a file: the machine, its locks, the tasks and their phases.

use std::sync::Arc;

use hothouse_abi::{Scheduling, Span};

use super::document;
use super::scheduling::{self, KEYS};
use super::steps;
use crate::names::{Names, Role};
use crate::report::Report;
use crate::tree::{Kind, Member, last};
use crate::{
    Command, Diagnostics, Dist, MachineSettings, Mutex, Phase, Protocol, Semaphore, Source, Task,
    Workload, duration,
};

const SECTIONS: [&str; 4] = ["machine", "mutex", "semaphore", "task"];
const MACHINE: [&str; 9] = [
    "cpus",
    "policy",
    "seed",
    "duration",
    "trap_cost",
    "switch_cost",
    "migration_cost",
    "admission",
    "protocol",
];
const TASK: [&str; 9] =
    ["name", "count", "start", "every", "rounds", "script", "phase", "program", "args"];
const PHASE: [&str; 3] = ["name", "rounds", "script"];

/// The most instances of a task.
const INSTANCES: i64 = 1_000_000;
/// The most CPUs of a machine.
const CPUS: i64 = 65_536;

pub(super) fn read(source: &Arc<Source>) -> Result<Workload, Diagnostics> {
    let sections = document::parse(source)?;
    let mut report = Report::new(source);
    let mut workload = Workload { name: source.name.clone(), ..Workload::default() };
    let mut names = Names::default();
    for section in &sections {
        match section.key.as_str() {
            "machine" => workload.machine = machine(&mut report, section),
            "mutex" => workload.mutexes = mutexes(&mut report, &mut names, section),
            "semaphore" => workload.semaphores = semaphores(&mut report, &mut names, section),
            "task" => {}
            other => report.unknown(&section.key_span, "section", other, SECTIONS),
        }
    }
    match last(&sections, "task") {
        Some(section) => workload.tasks = tasks(&mut report, &mut names, section),
        None => report.error(&(0..0), "there is no task", "expected at least one [[task]]"),
    }
    report.finish(workload)
}

/// The entries of an array of tables, each with a name that none before it has.
fn entries<'a>(report: &mut Report, section: &'a Member) -> Vec<(Member, &'a [Member])> {
    let wanted = format!("tables, written [[{}]]", section.key);
    let Some(Kind::Array(values)) = section.kind() else {
        report.mismatch(section, &wanted);
        return Vec::new();
    };
    let mut found: Vec<(Member, &[Member])> = Vec::new();
    for value in values {
        let Kind::Table(members) = &value.kind else {
            report.error(
                &value.span,
                format!("here is {}", value.kind.name()),
                format!("expected {wanted}"),
            );
            continue;
        };
        let Some(name) = last(members, "name") else {
            let message = format!("a {} without a name", section.key);
            report.error(&value.span, message, "add name = \"..\"");
            continue;
        };
        let Some(text) = report.name(name) else { continue };
        if found.iter().any(|(before, _)| before.key == text) {
            let message = format!("there are two of \"{text}\" among the {} tables", section.key);
            report.error(name.place(), message, "give each a name of its own");
        }
        let entry = Member { key: text, key_span: name.place().clone(), value: None };
        found.push((entry, members));
    }
    found
}

fn machine(report: &mut Report, section: &Member) -> MachineSettings {
    let mut machine = MachineSettings::default();
    for member in
        report.members(section, "a table of settings, written [machine]").unwrap_or_default()
    {
        match member.key.as_str() {
            "cpus" => machine.cpus = report.integer(member, 1..=CPUS).map(|cpus| cpus as u32),
            "policy" => {
                let policy = report.text(member, "a policy, such as \"rr:slice=10ms\"");
                machine.policy = policy.map(str::to_owned);
                machine.policy_place = report.place(member.place());
            }
            "seed" => machine.seed = seed(report, member),
            "duration" => machine.duration = span(report, member),
            "trap_cost" => machine.trap_cost = span(report, member),
            "switch_cost" => machine.switch_cost = span(report, member),
            "migration_cost" => machine.migration_cost = span(report, member),
            "admission" => machine.admission = boolean(report, member) == Some(true),
            "protocol" => machine.protocol = protocol(report, member).unwrap_or_default(),
            other => report.unknown(&member.key_span, "key of the machine", other, MACHINE),
        }
    }
    machine
}

/// A number; one that is too great for TOML stands in a string.
fn seed(report: &mut Report, member: &Member) -> Option<u64> {
    if let Some(Kind::Text(text)) = member.kind()
        && let Ok(seed) = text.parse()
    {
        return Some(seed);
    }
    report.integer(member, 0..=i64::MAX).map(i64::unsigned_abs)
}

pub(super) fn boolean(report: &mut Report, member: &Member) -> Option<bool> {
    if let Some(Kind::Bool(it)) = member.kind() {
        return Some(*it);
    }
    report.mismatch(member, "true or false");
    None
}

fn protocol(report: &mut Report, member: &Member) -> Option<Protocol> {
    let text = report.text(member, "\"none\", \"inherit\" or \"ceiling\"")?;
    let found = Protocol::ALL.into_iter().find(|protocol| protocol.name() == text);
    if found.is_none() {
        report.unknown(member.place(), "protocol", text, Protocol::ALL.map(Protocol::name));
    }
    found
}

/// A fixed length of time.
pub(super) fn span(report: &mut Report, member: &Member) -> Option<Span> {
    let text = length(report, member)?;
    match duration::parse(text) {
        Ok(span) => Some(span),
        Err(message) => {
            report.error(member.place(), message, duration::REMEDY);
            None
        }
    }
}

/// A length of time, fixed or drawn.
pub(super) fn dist(report: &mut Report, member: &Member) -> Option<Dist> {
    let text = length(report, member)?;
    match text.parse::<Dist>() {
        Ok(dist) => Some(dist),
        Err(bad) => {
            report.error(member.place(), bad.message, bad.help);
            None
        }
    }
}

fn length<'a>(report: &mut Report, member: &'a Member) -> Option<&'a str> {
    if let Some(Kind::Integer(_) | Kind::Fraction) = member.kind() {
        let message = format!("the duration of \"{}\" has no unit", member.key);
        report.error(member.place(), message, "write it in quotes, with a unit, such as \"10ms\"");
        return None;
    }
    report.text(member, "a duration in quotes, such as \"10ms\"")
}

/// How often; `None` for ever, or if it is wrong.
fn rounds(report: &mut Report, member: &Member, least: i64) -> Option<u64> {
    match member.kind() {
        Some(Kind::Text(text)) if text == "forever" => None,
        Some(Kind::Integer(number)) if *number >= least => Some(number.unsigned_abs()),
        _ => {
            report.mismatch(member, &format!("{least} or more, or \"forever\""));
            None
        }
    }
}

fn mutexes(report: &mut Report, names: &mut Names, section: &Member) -> Vec<Mutex> {
    let mut found = Vec::new();
    for (entry, members) in entries(report, section) {
        names.declared(Role::Lock, &entry.key, &entry.key_span);
        let mut mutex = Mutex { name: entry.key, protocol: Protocol::None };
        for member in members {
            match member.key.as_str() {
                "name" => {}
                "protocol" => mutex.protocol = protocol(report, member).unwrap_or_default(),
                other => {
                    report.unknown(&member.key_span, "key of a mutex", other, ["name", "protocol"]);
                }
            }
        }
        found.push(mutex);
    }
    found
}

fn semaphores(report: &mut Report, names: &mut Names, section: &Member) -> Vec<Semaphore> {
    let mut found = Vec::new();
    for (entry, members) in entries(report, section) {
        names.declared(Role::Acquire, &entry.key, &entry.key_span);
        let mut semaphore = Semaphore { name: entry.key, value: 0 };
        for member in members {
            match member.key.as_str() {
                "name" => {}
                "value" => {
                    let value = report.integer(member, 0..=i64::MAX).unwrap_or(0);
                    semaphore.value = value.unsigned_abs();
                }
                other => {
                    report.unknown(
                        &member.key_span,
                        "key of a semaphore",
                        other,
                        ["name", "value"],
                    );
                }
            }
        }
        if semaphore.value > 0 {
            names.used(Role::Post, &semaphore.name, &entry.key_span);
        }
        found.push(semaphore);
    }
    found
}

fn tasks(report: &mut Report, names: &mut Names, section: &Member) -> Vec<Task> {
    let mut tasks = Vec::new();
    let entries = entries(report, section);
    for (entry, members) in &entries {
        names.next_task();
        tasks.push(task(report, names, entry, members));
    }
    let known: Vec<String> = entries.into_iter().map(|(entry, _)| entry.key).collect();
    names.check(report, &known);
    tasks
}

fn task(report: &mut Report, names: &mut Names, entry: &Member, members: &[Member]) -> Task {
    let mut task = Task::once(entry.key.clone(), Vec::new());
    task.place = report.place(&entry.key_span);
    task.scheduling = Scheduling::default();
    scheduling::read(report, &mut task.scheduling, members, &entry.key_span);
    for member in members {
        match member.key.as_str() {
            "name" | "script" | "phase" | "program" | "args" => {}
            "count" => {
                let count = report.integer(member, 0..=INSTANCES).unwrap_or(1);
                task.instances = count as u32;
                task.only_forked = count == 0;
            }
            "start" => task.start = dist(report, member).unwrap_or(task.start),
            "every" => task.every = dist(report, member),
            "rounds" => task.rounds = rounds(report, member, 0),
            key if KEYS.contains(&key) => {}
            other => {
                let known = [&TASK[..], &KEYS].concat();
                report.unknown(&member.key_span, "key of a task", other, known);
            }
        }
    }
    body(report, names, entry, members, &mut task);
    task
}

/// What a task does: one of a script, phases, a program.
fn body(
    report: &mut Report,
    names: &mut Names,
    entry: &Member,
    members: &[Member],
    task: &mut Task,
) {
    let bodies = ["script", "phase", "program"].map(|key| last(members, key));
    let mut given = bodies.into_iter().flatten();
    let (first, second) = (given.next(), given.next());
    if let (Some(first), Some(second)) = (first, second) {
        let message = format!("\"{}\" stands beside \"{}\"", second.key, first.key);
        report.error(
            &second.key_span,
            message,
            "a task has a script, phases or a program: keep one",
        );
    }
    let Some(body) = first else {
        let message = format!("the task \"{}\" does nothing", task.name);
        let help = "give it a script, such as script = [{ run = \"10ms\" }]";
        return report.error(&entry.key_span, message, help);
    };
    match body.key.as_str() {
        "script" => task.phases[0].steps = steps::script(report, names, &task.name, body),
        "phase" => task.phases = phases(report, names, task, body),
        _ => task.program = command(report, body, last(members, "args")),
    }
    if body.key != "program"
        && let Some(args) = last(members, "args")
    {
        report.error(&args.key_span, "\"args\" without a program", "add program = \"..\"");
    }
}

fn command(report: &mut Report, program: &Member, args: Option<&Member>) -> Option<Command> {
    let program = report.name(program)?;
    let mut command = Command { program, args: Vec::new() };
    if let Some(args) = args {
        const WANTED: &str = "an array of strings";
        let Some(Kind::Array(values)) = args.kind() else {
            report.mismatch(args, WANTED);
            return None;
        };
        for value in values {
            match &value.kind {
                Kind::Text(text) => command.args.push(text.clone()),
                other => {
                    let message = format!("\"args\" has {} in it", other.name());
                    report.error(&value.span, message, format!("expected {WANTED}"));
                }
            }
        }
    }
    Some(command)
}

fn phases(report: &mut Report, names: &mut Names, task: &Task, section: &Member) -> Vec<Phase> {
    const WANTED: &str = "tables, written [[task.phase]]";
    let Some(Kind::Array(values)) = section.kind() else {
        report.mismatch(section, WANTED);
        return Vec::new();
    };
    let mut current = task.scheduling.clone();
    let mut phases = Vec::new();
    for (number, value) in (1..).zip(values) {
        let Kind::Table(members) = &value.kind else {
            let message = format!("here is {}", value.kind.name());
            report.error(&value.span, message, format!("expected {WANTED}"));
            continue;
        };
        let named = last(members, "name").and_then(|name| report.name(name));
        let name = named.unwrap_or_else(|| format!("phase {number}"));
        let changed = scheduling::read(report, &mut current, members, &value.span);
        let scheduling = changed.then(|| current.clone());
        let mut phase = Phase { name, rounds: 1, scheduling, steps: Vec::new() };
        for member in members {
            match member.key.as_str() {
                "name" => {}
                "rounds" => phase.rounds = rounds(report, member, 1).unwrap_or(u64::MAX),
                "script" => phase.steps = steps::script(report, names, &task.name, member),
                key if KEYS.contains(&key) => {}
                other => {
                    let known = [&PHASE[..], &KEYS].concat();
                    report.unknown(&member.key_span, "key of a phase", other, known);
                }
            }
        }
        if last(members, "script").is_none() {
            let message = format!("{} does nothing", phase.name);
            report.error(&value.span, message, "give it a script, such as script = [\"yield\"]");
        }
        phases.push(phase);
    }
    phases
}
