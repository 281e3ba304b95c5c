//! The result of a simulation for machines.

use hothouse::sim::{JobRecord, Metrics, Run, Segment, Settings, figures};
use serde::{Serialize, Serializer};

use super::{Exit, machine, tables};

/// Everything, with the names that the definitions have.
#[derive(Serialize)]
struct Everything<'a> {
    workload: &'a str,
    settings: &'a Settings,
    repeat: &'a str,
    seed: u64,
    trace_hash: Option<String>,
    exit_code: u8,
    interrupted: bool,
    error: &'a Option<String>,
    failed: u64,
    failures: &'a [String],
    deadlock: Option<String>,
    warnings: &'a [String],
    metrics: &'a Metrics,
    jobs: &'a [JobRecord],
    #[serde(serialize_with = "one_by_one")]
    timeline: &'a [Segment],
}

#[derive(Serialize)]
struct Part {
    cpu: u32,
    /// Its place among the tasks of the metrics.
    task: usize,
    from_ns: u64,
    to_ns: u64,
}

fn one_by_one<S: Serializer>(segments: &&[Segment], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(segments.iter().map(|segment| Part {
        cpu: segment.cpu,
        task: segment.task,
        from_ns: segment.from.nanos(),
        to_ns: segment.to.nanos(),
    }))
}

/// The result as one JSON object in a line.
pub(super) fn json(run: &Run, workload: &str, repeat: &str, exit: Exit) -> String {
    let everything = Everything {
        workload,
        settings: &run.settings,
        repeat,
        seed: run.settings.seed,
        trace_hash: run.report.hash.map(|hash| format!("{hash:016x}")),
        exit_code: exit as u8,
        interrupted: run.interrupted,
        error: &run.error,
        failed: run.failed,
        failures: &run.failures,
        deadlock: run.deadlock.as_ref().map(ToString::to_string),
        warnings: &run.warnings,
        metrics: &run.metrics,
        jobs: &run.jobs,
        timeline: run.timeline.segments(),
    };
    let mut text = serde_json::to_string(&everything).expect("every key is text");
    text.push('\n');
    text
}

/// A row for each task, and one for the machine, whose name is empty. Each has what is needed to
/// repeat the run; that of the machine has the warnings.
pub(super) fn csv(run: &Run, repeat: &str) -> String {
    let figures = figures();
    let settings = &run.settings;
    let machine = machine::columns(settings);
    let hash = run.report.hash.map_or_else(String::new, |hash| format!("{hash:016x}"));
    let mut header: Vec<String> = ["policy", "seed", "task"].map(str::to_owned).to_vec();
    header.extend(figures.iter().map(|figure| figure.column()));
    header.extend(machine.iter().map(|(name, _)| (*name).to_owned()));
    header.extend(["trace_hash", "repeat", "warnings"].map(str::to_owned));
    let mut rows = vec![header];
    let tasks = run.metrics.tasks.iter().map(|task| (task.name.as_str(), &task.measured));
    for (name, measured) in tasks.chain([("", &run.metrics.machine.measured)]) {
        let mut row = vec![settings.policy.clone(), settings.seed.to_string(), name.to_owned()];
        let value = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        row.extend(figures.iter().map(|figure| value(figure.of(measured))));
        row.extend(machine.iter().map(|(_, value)| value.clone()));
        let warnings = if name.is_empty() { run.warnings.join("\n") } else { String::new() };
        row.extend([hash.clone(), repeat.to_owned(), warnings]);
        rows.push(row);
    }
    tables::csv(&rows)
}
