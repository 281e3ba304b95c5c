//! Writing a workload in the native format.

use hothouse_abi::{Class, Scheduling, Span};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use super::scheduling::{ALL, NONE};
use super::steps::TIMER;
use crate::{
    Dist, MachineSettings, Phase, Protocol, Step, Task, Workload, exact_duration as exact,
};

/// How often, where there is no end.
const FOREVER: &str = "forever";

/// A workload as text of the native format. Read again it is the same workload, but for its name and
/// its warnings, and so it gives the same run to the byte.
///
/// ```
/// use hothouse_workload::{read, write};
/// let workload = read("three.jobs", "5,2,8").unwrap();
/// let text = write(&workload);
/// assert!(text.ends_with("[[task]]\nname = \"job2\"\nscript = [\n    { run = \"8ms\" },\n]\n"));
/// assert_eq!(read("three.toml", &text).unwrap().tasks, workload.tasks);
/// ```
pub fn write(workload: &Workload) -> String {
    let mut document = DocumentMut::new();
    let machine = machine(&workload.machine);
    if !machine.is_empty() {
        document.insert("machine", Item::Table(machine));
    }
    let mutexes = workload.mutexes.iter().map(|mutex| {
        let mut table = named(&mutex.name);
        table.insert("protocol", value(mutex.protocol.name()));
        table
    });
    let semaphores = workload.semaphores.iter().map(|semaphore| {
        let mut table = named(&semaphore.name);
        table.insert("value", value(whole(semaphore.value)));
        table
    });
    insert(&mut document, "mutex", mutexes.collect());
    insert(&mut document, "semaphore", semaphores.collect());
    insert(&mut document, "task", workload.tasks.iter().map(task).collect());
    document.to_string().trim_start().to_owned()
}

fn insert(table: &mut Table, key: &str, tables: Vec<Table>) {
    if !tables.is_empty() {
        let tables: ArrayOfTables = tables.into_iter().collect();
        table.insert(key, Item::ArrayOfTables(tables));
    }
}

fn named(name: &str) -> Table {
    let mut table = Table::new();
    table.insert("name", value(name));
    table
}

/// TOML has no greater numbers than those of 63 bits.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn machine(machine: &MachineSettings) -> Table {
    let mut table = Table::new();
    if let Some(cpus) = machine.cpus {
        table.insert("cpus", value(i64::from(cpus)));
    }
    if let Some(policy) = &machine.policy {
        table.insert("policy", value(policy));
    }
    if let Some(seed) = machine.seed {
        let seed = i64::try_from(seed).map_or_else(|_| value(seed.to_string()), value);
        table.insert("seed", seed);
    }
    for (key, span) in [
        ("duration", machine.duration),
        ("trap_cost", machine.trap_cost),
        ("switch_cost", machine.switch_cost),
        ("migration_cost", machine.migration_cost),
    ] {
        if let Some(span) = span {
            table.insert(key, value(exact(span)));
        }
    }
    if machine.admission {
        table.insert("admission", value(true));
    }
    if machine.protocol != Protocol::None {
        table.insert("protocol", value(machine.protocol.name()));
    }
    table
}

fn task(task: &Task) -> Table {
    let mut table = named(&task.name);
    let count = if task.only_forked { 0 } else { task.instances };
    if count != 1 {
        table.insert("count", value(i64::from(count)));
    }
    if task.start != Dist::Const(Span::ZERO) {
        table.insert("start", value(task.start.to_string()));
    }
    if let Some(every) = task.every {
        table.insert("every", value(every.to_string()));
    }
    if task.rounds != Some(1) {
        table.insert("rounds", rounds(task.rounds));
    }
    scheduling(&mut table, &Scheduling::default(), &task.scheduling);
    if let Some(command) = &task.program {
        table.insert("program", value(&command.program));
        if !command.args.is_empty() {
            table.insert("args", value(command.args.iter().collect::<Array>()));
        }
        return table;
    }
    match &task.phases[..] {
        [] => _ = table.insert("script", value(Array::new())),
        [only] if is_plain(task, only) => _ = table.insert("script", value(script(task, only))),
        _ => phases(&mut table, task),
    }
    table
}

/// Whether all that there is to a phase is its script.
fn is_plain(task: &Task, phase: &Phase) -> bool {
    phase.name == task.name && phase.rounds == 1 && phase.scheduling.is_none()
}

fn phases(table: &mut Table, task: &Task) {
    let mut before = task.scheduling.clone();
    let mut tables = Vec::new();
    for phase in &task.phases {
        let mut table = named(&phase.name);
        if phase.rounds != 1 {
            let count = Some(phase.rounds).filter(|rounds| *rounds < u64::MAX);
            table.insert("rounds", rounds(count));
        }
        if let Some(wanted) = &phase.scheduling {
            if *wanted == before {
                table.insert("nice", value(i64::from(wanted.nice)));
            }
            scheduling(&mut table, &before, wanted);
            before = wanted.clone();
        }
        table.insert("script", value(script(task, phase)));
        tables.push(table);
    }
    insert(table, "phase", tables);
}

fn rounds(count: Option<u64>) -> Item {
    count.map_or_else(|| value(FOREVER), |count| value(whole(count)))
}

/// What is wanted, as far as it is not so before.
fn scheduling(table: &mut Table, before: &Scheduling, wanted: &Scheduling) {
    if wanted.class != before.class {
        table.insert("class", value(wanted.class.name()));
        if let Class::RoundRobin(priority) | Class::Fifo(priority) = wanted.class {
            table.insert("priority", value(i64::from(priority)));
        }
    }
    if wanted.nice != before.nice {
        table.insert("nice", value(i64::from(wanted.nice)));
    }
    if wanted.tickets != before.tickets {
        let tickets = wanted.tickets.map(|tickets| value(i64::from(tickets)));
        table.insert("tickets", tickets.unwrap_or_else(|| value(NONE)));
    }
    for (key, before, wanted) in [
        ("slice", before.slice, wanted.slice),
        ("runtime", before.runtime, wanted.runtime),
        ("deadline", before.deadline, wanted.deadline),
        ("period", before.period, wanted.period),
    ] {
        if wanted != before {
            table.insert(key, value(wanted.map_or_else(|| NONE.to_owned(), exact)));
        }
    }
    if wanted.cpus != before.cpus {
        let cpus = wanted.cpus.cpus().map(|cpus| value(cpus.map(i64::from).collect::<Array>()));
        table.insert("cpus", cpus.unwrap_or_else(|| value(ALL)));
    }
}

/// The steps of a phase, one a line.
fn script(task: &Task, phase: &Phase) -> Array {
    let mut array = Array::new();
    for written in phase.steps.iter().map(|it| step(task, it)) {
        array.push_formatted(written.decorated("\n    ", ""));
    }
    if !array.is_empty() {
        array.set_trailing_comma(true);
        array.set_trailing("\n");
    }
    array
}

fn step(task: &Task, step: &Step) -> Value {
    let mut table = InlineTable::new();
    let word = step.word();
    match step {
        Step::Yield | Step::Reply | Step::Receive(None) => return word.into(),
        Step::Suspend(name) if *name == task.name => return word.into(),
        Step::Run(dist) | Step::Busy(dist) | Step::Sleep(dist) | Step::Receive(Some(dist)) => {
            table.insert(word, dist.to_string().into());
        }
        Step::Timer { reference, per_task, period, absolute } => {
            table.insert(word, exact(*period).into());
            if reference != TIMER {
                table.insert("timer", reference.into());
            }
            if !per_task {
                table.insert("shared", true.into());
            }
            if !absolute {
                table.insert("mode", "relative".into());
            }
        }
        Step::Wait { condition, mutex } | Step::Sync { condition, mutex } => {
            table.insert(word, condition.into());
            table.insert("mutex", mutex.into());
        }
        Step::Lock(name)
        | Step::Unlock(name)
        | Step::Signal(name)
        | Step::Broadcast(name)
        | Step::Barrier(name)
        | Step::Suspend(name)
        | Step::Resume(name)
        | Step::Fork(name)
        | Step::Post(name)
        | Step::Acquire(name)
        | Step::Send(name)
        | Step::Call(name) => _ = table.insert(word, name.into()),
    }
    table.into()
}
