//! `hothouse workload`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use hothouse::Class;
use hothouse::sim::{Demand, Settings, SimError, Simulation, Task, Workload, format_nanos, write};
use serde_json::{Value as Json, json};

use super::file::Output;
use super::list::{self, trimmed};
use super::output::{print_quietly, tell};
use super::{Exit, UsageError, file, machine, tables};

/// How many tasks are shown, one a row.
const ROWS: usize = 100;

#[derive(Args, Clone)]
pub(super) struct WorkloadCommand {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand, Clone)]
enum What {
    /// Say what a workload holds, and what is wrong with it
    Check(Check),
    /// Write a workload in the native format
    Convert(Convert),
    /// List the examples
    List,
}

#[derive(Args, Clone)]
struct Check {
    /// A workload: an example's name, native TOML, rt-app JSON, a job list (.csv, .jobs, .txt), or an SWF log
    file: PathBuf,
    /// How the result is shown
    #[arg(long, value_enum, default_value = "human", env = "HOTHOUSE_FORMAT")]
    format: Format,
    /// End with exit code 1 if this happens
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Option<FailOn>,
}

#[derive(Args, Clone)]
struct Convert {
    /// A workload: an example's name, native TOML, rt-app JSON, a job list (.csv, .jobs, .txt), or an SWF log
    file: PathBuf,
    /// Write it to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// No warnings
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables.
    Human,
    /// One JSON object.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// There was a warning.
    Warnings,
}

impl WorkloadCommand {
    pub(super) fn main(self) -> Result<Exit, UsageError> {
        match self.command {
            What::Check(check) => check.main(),
            What::Convert(convert) => convert.main(),
            What::List => Ok(list::workloads()),
        }
    }
}

impl Convert {
    fn main(self) -> Result<Exit, UsageError> {
        let output = Output::to(self.output.as_deref())?;
        let workload = file::workload(&self.file)?;
        if !self.quiet {
            workload.warnings.iter().for_each(|warning| tell(&format!("warning: {warning}\n")));
        }
        output.write(&write(&workload))
    }
}

impl Check {
    fn main(self) -> Result<Exit, UsageError> {
        let workload = file::workload(&self.file)?;
        let simulation = Simulation::new(workload);
        let endless = match simulation.check() {
            Ok(_) => None,
            Err(endless @ SimError::Endless(_)) => Some(endless.to_string()),
            Err(other) => return Err(UsageError::new(other)),
        };
        let (workload, settings) = (simulation.workload(), simulation.settings());
        let mut warnings: Vec<String> = workload.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(workload.problems(settings.cpus));
        warnings.extend(endless);
        let text = match self.format {
            Format::Human => self.human(workload, settings, &warnings),
            Format::Json => format!("{}\n", self.json(workload, settings, &warnings)),
        };
        let written = print_quietly(&text);
        let unwanted = self.fail_on.is_some() && !warnings.is_empty();
        Ok(if unwanted && written == Exit::Ok { Exit::Failed } else { written })
    }

    fn human(&self, workload: &Workload, settings: &Settings, warnings: &[String]) -> String {
        let mut text = format!("{}\n\n", self.file.display());
        let mut line = |name: &str, value: String| text.push_str(&format!("{name:<12} {value}\n"));
        let processes: u64 = workload.tasks.iter().map(|task| u64::from(task.instances)).sum();
        line("tasks", format!("{}, {processes} processes", workload.tasks.len()));
        line(
            "jobs",
            jobs(workload).map_or_else(|| "without end".to_owned(), |jobs| format!("up to {jobs}")),
        );
        line("machine", machine::describe(settings));
        line("horizon", horizon(settings));
        let load = workload.load();
        if load > 0.0 {
            line(
                "load",
                format!(
                    "{} of {}, by timers and arrivals",
                    tables::number(load),
                    tables::cpus(settings.cpus)
                ),
            );
        }
        for (kind, names) in locks(workload) {
            line(kind, names);
        }
        text.push_str(&format!("\n{}\n", tasks(workload)));
        for warning in warnings {
            text.push_str(&format!("\nwarning: {warning}\n"));
        }
        text
    }

    fn json(&self, workload: &Workload, settings: &Settings, warnings: &[String]) -> Json {
        let locks = workload.locks();
        let barriers = locks.barriers.iter();
        let barriers =
            barriers.map(|(name, parties)| json!({ "name": name, "processes": parties }));
        let task = |task: &Task| {
            let Demand { work, utilisation, jobs, open } = task.demand();
            json!({
                "name": task.name,
                "count": task.instances,
                "phases": task.phases.len(),
                "steps": task.phases.iter().map(|phase| phase.steps.len()).sum::<usize>(),
                "cpu_time_ns": work,
                "utilisation": utilisation,
                "open": open,
                "jobs": jobs,
                "class": task.scheduling.class.name(),
                "program": task.program.as_ref().map(|command| &command.program),
            })
        };
        json!({
            "workload": self.file.display().to_string(),
            "settings": settings,
            "jobs": jobs(workload),
            "load": workload.load(),
            "mutexes": locks.mutexes,
            "conditions": locks.conditions,
            "semaphores": locks.semaphores,
            "barriers": barriers.collect::<Vec<_>>(),
            "tasks": workload.tasks.iter().map(task).collect::<Vec<_>>(),
            "warnings": warnings,
        })
    }
}

/// How many jobs there are in all; `None`: there is no end to them, or nobody knows.
fn jobs(workload: &Workload) -> Option<u64> {
    workload
        .tasks
        .iter()
        .map(|task| task.demand().jobs)
        .try_fold(0, |sum: u64, jobs| sum.checked_add(jobs?))
}

fn horizon(settings: &Settings) -> String {
    let until_all = || "until all tasks have ended".to_owned();
    settings.duration_ns.map_or_else(until_all, format_nanos)
}

/// The names of the locks of each kind, of those kinds that there are.
fn locks(workload: &Workload) -> Vec<(&'static str, String)> {
    let locks = workload.locks();
    let barrier = |(name, parties): (String, u64)| format!("{name} for {parties}");
    let all = [
        ("mutexes", locks.mutexes),
        ("conditions", locks.conditions),
        ("semaphores", locks.semaphores),
        ("barriers", locks.barriers.into_iter().map(barrier).collect()),
    ];
    let some = all.into_iter().filter(|(_, names)| !names.is_empty());
    some.map(|(kind, names)| (kind, names.join(", "))).collect()
}

/// A row for each task.
fn tasks(workload: &Workload) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "task",
        "count",
        "phases",
        "steps",
        "CPU time",
        "utilisation",
        "jobs",
        "scheduled",
    ]);
    for task in workload.tasks.iter().take(ROWS) {
        let demand = task.demand();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let steps: usize = task.phases.iter().map(|phase| phase.steps.len()).sum();
        let forked =
            if task.only_forked { "by fork".to_owned() } else { task.instances.to_string() };
        table.add_row([
            tables::shortened(&task.name, 30),
            forked,
            task.phases.len().to_string(),
            task.program.as_ref().map_or_else(|| steps.to_string(), |it| it.program.clone()),
            or_dash(demand.work.map(tables::time)),
            or_dash(demand.utilisation.map(tables::number)),
            or_dash(demand.jobs.map(|jobs| jobs.to_string())),
            scheduled(task),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = trimmed(&table);
    if workload.tasks.len() > ROWS {
        let more = workload.tasks.len() - ROWS;
        text.push_str(&format!("\nand {more} more; --format json shows all"));
    }
    text
}

/// How a task asks to be scheduled at first.
fn scheduled(task: &Task) -> String {
    let wanted = &task.scheduling;
    let mut parts = vec![match wanted.class {
        Class::Normal => format!("nice {}", wanted.nice),
        Class::Fifo(priority) | Class::RoundRobin(priority) => {
            format!("{} {priority}", wanted.class.name())
        }
        Class::Deadline => wanted.class.name().to_owned(),
    }];
    parts.extend(wanted.tickets.map(|tickets| format!("{tickets} tickets")));
    for (name, span) in [
        ("slice", wanted.slice),
        ("runtime", wanted.runtime),
        ("deadline", wanted.deadline),
        ("period", wanted.period),
    ] {
        parts.extend(span.map(|span| format!("{name} {}", format_nanos(span.nanos()))));
    }
    if !wanted.cpus.is_all() {
        parts.push(format!("CPU {}", wanted.cpus));
    }
    parts.join(", ")
}
