//! The sections of a file: what there is globally, its tasks, their phases.

use std::sync::Arc;

use hothouse_abi::{Scheduling, Span};

use super::events::{self, EVENTS};
use super::json;
use super::settings::{self, Policy, Settings};
use crate::names::Names;
use crate::report::Report;
use crate::tree::{Kind, Member, last};
use crate::{Diagnostics, Dist, MachineSettings, Phase, Protocol, Source, Step, Task, Workload};

const SECTIONS: [&str; 3] = ["tasks", "global", "resources"];
const GLOBAL: [&str; 14] = [
    "duration",
    "calibration",
    "default_policy",
    "pi_enabled",
    "lock_pages",
    "logdir",
    "log_basename",
    "log_size",
    "ftrace",
    "gnuplot",
    "io_device",
    "mem_buffer_size",
    "cumulative_slack",
    "frag",
];
const TASK: [&str; 4] = ["instance", "delay", "loop", "phases"];
const LEGACY: [&str; 3] = ["runtime", "period", "deadline"];
const PHASE: [&str; 1] = ["loop"];

/// The most instances of a task.
const INSTANCES: i64 = 1_000_000;

pub(super) fn read(source: &Arc<Source>) -> Result<Workload, Diagnostics> {
    let root = json::parse(source)?;
    let mut report = Report::new(source);
    let mut workload = Workload { name: source.name.clone(), ..Workload::default() };
    let Kind::Object(sections) = &root.kind else {
        let message = format!("the file holds {}", root.kind.name());
        report.error(&root.span, message, "expected an object with \"tasks\"");
        return report.finish(workload);
    };
    report.repeated(sections, |_| true);
    for section in sections.iter().filter(|it| !SECTIONS.contains(&it.key.as_str())) {
        report.unknown(&section.key_span, "section", &section.key, SECTIONS);
    }
    let mut policy = Policy::Other;
    if let Some(section) = last(sections, "global") {
        (workload.machine, policy) = global(&mut report, section);
    }
    if let Some(section) = last(sections, "resources") {
        resources(&mut report, section);
    }
    match last(sections, "tasks") {
        Some(section) => workload.tasks = tasks(&mut report, section, policy),
        None => report.error(&root.span, "no \"tasks\"", "expected an object with \"tasks\""),
    }
    report.finish(workload)
}

/// Accepted for what older versions wrote; resources come into being by their use.
fn resources(report: &mut Report, section: &Member) {
    for resource in report.members(section, "an object of resources").unwrap_or_default() {
        for inner in report.members(resource, "an object with \"type\"").unwrap_or_default() {
            match inner.key.as_str() {
                "type" => _ = report.text(inner, "a type, as a string"),
                other => report.unknown(&inner.key_span, "key of a resource", other, ["type"]),
            }
        }
    }
}

fn global(report: &mut Report, section: &Member) -> (MachineSettings, Policy) {
    let mut machine = MachineSettings::default();
    let mut policy = Policy::Other;
    let members = report.members(section, "an object of settings").unwrap_or_default();
    report.repeated(members, |_| true);
    for member in members {
        match member.key.as_str() {
            "duration" => {
                let seconds = report.integer(member, -1..=i64::from(u32::MAX)).unwrap_or(-1);
                machine.duration = (seconds > 0).then(|| Span::from_secs(seconds.unsigned_abs()));
            }
            "default_policy" => policy = Policy::read(report, member).unwrap_or(policy),
            "pi_enabled" => {
                let inherit = report.boolean(member) == Some(true);
                machine.protocol = if inherit { Protocol::Inherit } else { Protocol::None };
            }
            "lock_pages" | "gnuplot" | "cumulative_slack" => _ = report.boolean(member),
            "logdir" | "log_basename" | "io_device" => _ = report.text(member, "a string"),
            "mem_buffer_size" | "frag" => _ = report.integer(member, 0..=i64::MAX),
            "calibration" | "log_size" => {
                if !matches!(member.value.as_ref().map(|it| &it.kind), Some(Kind::Text(_))) {
                    report.integer(member, -1..=i64::MAX);
                }
            }
            "ftrace" => {
                if !matches!(member.value.as_ref().map(|it| &it.kind), Some(Kind::Bool(_))) {
                    report.text(member, "a list of categories, as a string, or a boolean");
                }
            }
            other => report.unknown(&member.key_span, "global key", other, GLOBAL),
        }
    }
    (machine, policy)
}

fn tasks(report: &mut Report, section: &Member, policy: Policy) -> Vec<Task> {
    let members = report.members(section, "an object of tasks").unwrap_or_default();
    if members.is_empty() {
        report.error(&section.key_span, "there is no task", "expected at least one");
    }
    let mut names = Names::default();
    let mut tasks = Vec::new();
    for (index, member) in members.iter().enumerate() {
        if members[..index].iter().any(|before| before.key == member.key) {
            let message = format!("there are two tasks \"{}\"", member.key);
            report.error(&member.key_span, message, "give each a name of its own");
        }
        names.next_task();
        tasks.extend(task(report, &mut names, member, policy));
    }
    let known: Vec<String> = members.iter().map(|member| member.key.clone()).collect();
    names.check(report, &known);
    tasks
}

fn task(report: &mut Report, names: &mut Names, entry: &Member, policy: Policy) -> Option<Task> {
    let members = report.members(entry, "an object that describes a task")?;
    let phases = last(members, "phases");
    let legacy = is_legacy(members, phases.is_some());
    let is_setting = |key: &str| {
        let names_time = LEGACY.contains(&key) && (key != "runtime" || legacy);
        TASK.contains(&key) || settings::KEYS.contains(&key) || names_time
    };
    report.repeated(members, is_setting);
    let mut settings = Settings::new(policy);
    // `period` and `deadline` are no events, so that they never need telling apart.
    let plain: Vec<Member> =
        members.iter().filter(|it| it.key != "runtime" || legacy).cloned().collect();
    settings.read(report, &plain, true);
    let scheduling = settings.scheduling(report, &entry.key_span);
    let place = report.place(&entry.key_span);
    let mut task =
        Task { scheduling, rounds: None, place, ..Task::once(entry.key.clone(), Vec::new()) };
    let mut steps = Vec::new();
    for member in members {
        match member.key.as_str() {
            "instance" => {
                let count = report.integer(member, 0..=INSTANCES).unwrap_or(1);
                task.instances = count as u32;
                task.only_forked = count == 0;
            }
            "delay" => task.start = Dist::Const(report.micros(member).unwrap_or_default()),
            "loop" => task.rounds = rounds(report, member, 0),
            key if is_setting(key) => {}
            key => match events::event(key) {
                Some(_) if phases.is_some() => {
                    let message = format!("the event \"{key}\" stands beside \"phases\"");
                    report.error(&member.key_span, message, "move it into a phase");
                }
                Some(event) => steps.extend(events::step(report, names, &task.name, event, member)),
                None => {
                    let known = [&TASK[..], &settings::KEYS, &EVENTS].concat();
                    report.unknown(&member.key_span, "key of a task", key, known);
                }
            },
        }
    }
    match phases {
        Some(phases) => task.phases = read_phases(report, names, &task.name, settings, phases),
        None => {
            if !members.iter().any(|member| events::event(&member.key).is_some()) {
                no_event(report, entry, "task");
            }
            task.phases[0].steps = steps;
        }
    }
    Some(task)
}

/// Whether `runtime` is a budget rather than an event: it is where a task has phases, so that no
/// event may stand beside it, and where it is a `SCHED_DEADLINE` task that has no `dl-runtime`.
fn is_legacy(members: &[Member], has_phases: bool) -> bool {
    let deadline = last(members, "policy").and_then(|member| member.value.as_ref());
    let deadline = deadline.is_some_and(|it| it.kind == Kind::Text("SCHED_DEADLINE".to_string()));
    has_phases || deadline && last(members, "dl-runtime").is_none()
}

/// A count of rounds; `None` for ever.
fn rounds(report: &mut Report, member: &Member, least: i64) -> Option<u64> {
    let number = report.integer(member, -1..=i64::MAX).unwrap_or(1);
    if number < least && number != -1 {
        let help = format!("expected {least} or more, or -1 for ever");
        report.error(&member.key_span, format!("\"{}\" is {number}", member.key), help);
    }
    u64::try_from(number).ok()
}

fn no_event(report: &mut Report, entry: &Member, kind: &str) {
    let message = format!("the {kind} \"{}\" has no event", entry.key);
    report.error(&entry.key_span, message, "expected at least one, such as \"run\" : 1000");
}

fn read_phases(
    report: &mut Report,
    names: &mut Names,
    task: &str,
    mut settings: Settings,
    section: &Member,
) -> Vec<Phase> {
    let entries = report.members(section, "an object of phases").unwrap_or_default();
    if entries.is_empty() {
        report.error(&section.key_span, "there is no phase", "expected at least one");
    }
    let mut phases = Vec::new();
    for entry in entries {
        let Some(members) = report.members(entry, "an object that describes a phase") else {
            continue;
        };
        let is_setting = |key: &str| PHASE.contains(&key) || settings::KEYS.contains(&key);
        report.repeated(members, is_setting);
        let changed = settings.read(report, members, false);
        let scheduling: Option<Scheduling> =
            changed.then(|| settings.scheduling(report, &entry.key_span));
        let mut phase = Phase { name: entry.key.clone(), rounds: 1, scheduling, steps: Vec::new() };
        let mut has_event = false;
        for member in members {
            match (member.key.as_str(), events::event(&member.key)) {
                ("loop", _) => phase.rounds = rounds(report, member, 1).unwrap_or(u64::MAX),
                (key, _) if is_setting(key) => {}
                (_, Some(event)) => {
                    has_event = true;
                    let step: Option<Step> = events::step(report, names, task, event, member);
                    phase.steps.extend(step);
                }
                (key, None) => {
                    let known = [&PHASE[..], &settings::KEYS, &EVENTS].concat();
                    report.unknown(&member.key_span, "key of a phase", key, known);
                }
            }
        }
        if !has_event {
            no_event(report, entry, "phase");
        }
        phases.push(phase);
    }
    phases
}
