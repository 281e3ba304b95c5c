//! Metrics as tables for a person.

use std::ops::Range;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use hothouse::sim::{
    Estimate, Latency, Measured, Metrics, Ratio, Row, TaskMetrics, Unit, format_nanos,
};

use super::list::trimmed;

/// How many tasks are shown, one a row.
const ROWS: usize = 40;

/// How wide the terminal is; `COLUMNS` where there is none.
pub(super) fn width() -> usize {
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(columns).unwrap_or(100).clamp(40, 400)
}

/// A column: what stands above it, and how its cells come from what was measured.
type Column = (&'static str, fn(&Measured) -> Option<String>);

/// Times of jobs, a row for each task.
pub(super) fn times(metrics: &Metrics, width: usize) -> String {
    per_task(
        metrics,
        width,
        &[
            ("jobs", |it| Some(it.jobs.to_string())),
            ("turnaround\nmean", |it| mean(it.turnaround)),
            ("\np99", |it| it.turnaround.map(|it| time(it.p99_ns as f64))),
            ("\nmax", |it| max(it.turnaround)),
            ("first run\nmean", |it| mean(it.first_run_latency)),
            ("waiting\nmean", |it| mean(it.waiting)),
            ("wake-up\nmean", |it| mean(it.wake_up_latency)),
            ("\nmax", |it| max(it.wake_up_latency)),
            ("slowdown\nmean", |it| it.slowdown.map(|it| number(it.mean))),
        ],
    )
}

/// Deadlines and CPU time, a row for each task.
pub(super) fn use_of_cpus(metrics: &Metrics, width: usize) -> String {
    per_task(
        metrics,
        width,
        &[
            ("misses", |it| it.miss_ratio.map(|_| it.misses.to_string())),
            ("\nratio", |it| it.miss_ratio.map(number)),
            ("lateness\nmax", |it| it.lateness.map(|it| time(it.max_ns as f64))),
            ("CPU\ntime", |it| Some(time(it.cpu_time_ns as f64))),
            ("ready", |it| Some(time(it.ready_ns as f64))),
            ("blocked", |it| Some(time(it.blocked_ns as f64))),
            ("lag\nworst", |it| Some(time(it.lag_ns as f64))),
            ("switches\nvoluntary", |it| Some(it.voluntary_switches.to_string())),
            ("\ninvoluntary", |it| Some(it.involuntary_switches.to_string())),
            ("migrations", |it| Some(it.migrations.to_string()).filter(|count| count != "0")),
        ],
    )
}

fn per_task(metrics: &Metrics, width: usize, columns: &[Column]) -> String {
    let measured = || metrics.tasks.iter().map(|task| &task.measured);
    let shown: Vec<&Column> =
        columns.iter().filter(|(_, cell)| measured().any(|it| cell(it).is_some())).collect();
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(std::iter::once("task").chain(shown.iter().map(|(header, _)| *header)));
    for task in metrics.tasks.iter().take(ROWS) {
        let cells = shown.iter().map(|(_, cell)| cell(&task.measured).unwrap_or("-".to_owned()));
        table.add_row(std::iter::once(shortened(&task.name, width / 4)).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = trimmed(&table);
    if metrics.tasks.len() > ROWS {
        let more = metrics.tasks.len() - ROWS;
        text.push_str(&format!("\nand {more} more; --format csv shows all"));
    }
    text
}

/// All of the machine: distributions first, then single figures.
pub(super) fn machine(metrics: &Metrics) -> String {
    let distributions = distributions("all tasks", &metrics.machine.measured);
    format!("{distributions}\n\n{}", single(metrics))
}

/// The same of each task.
pub(super) fn each_task(metrics: &Metrics) -> String {
    let task = |task: &TaskMetrics| {
        let mut lines = Vec::new();
        of_jobs(&mut lines, &task.measured);
        of_deadlines(&mut lines, &task.measured);
        of_time(&mut lines, &task.measured);
        format!("{}\n\n{}", distributions(&task.name, &task.measured), lines.join("\n"))
    };
    metrics.tasks.iter().map(task).collect::<Vec<_>>().join("\n\n")
}

fn distributions(of: &str, measured: &Measured) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([of, "mean", "p50", "p90", "p99", "max"]);
    for (name, latency) in [
        ("turnaround", measured.turnaround),
        ("first-run latency", measured.first_run_latency),
        ("waiting", measured.waiting),
        ("wake-up latency", measured.wake_up_latency),
        ("tardiness", measured.tardiness),
    ] {
        if let Some(latency) = latency {
            table.add_row(latency_row(name, latency));
        }
    }
    for (name, ratio) in
        [("slowdown", measured.slowdown), ("bounded slowdown", measured.bounded_slowdown)]
    {
        if let Some(ratio) = ratio {
            table.add_row(ratio_row(name, ratio));
        }
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&table)
}

fn latency_row(name: &str, it: Latency) -> [String; 6] {
    let nanos = |nanos: u64| time(nanos as f64);
    [
        name.to_owned(),
        time(it.mean_ns),
        nanos(it.p50_ns),
        nanos(it.p90_ns),
        nanos(it.p99_ns),
        nanos(it.max_ns),
    ]
}

fn ratio_row(name: &str, it: Ratio) -> [String; 6] {
    let [mean, p50, p90, p99, max] = [it.mean, it.p50, it.p90, it.p99, it.max].map(number);
    [name.to_owned(), mean, p50, p90, p99, max]
}

/// The figures of the machine that are no distributions.
fn single(metrics: &Metrics) -> String {
    let machine = &metrics.machine;
    let it = &machine.measured;
    let mut lines = Vec::new();
    of_jobs(&mut lines, it);
    line(&mut lines, "utilisation", utilisation(&machine.cpu_utilisation, machine.utilisation));
    if machine.switch_overhead > 0.0 {
        line(&mut lines, "switch overhead", percent(machine.switch_overhead));
    }
    of_deadlines(&mut lines, it);
    of_time(&mut lines, it);
    line(
        &mut lines,
        "Little's law",
        format!(
            "{} jobs in the system = {}/s x {}",
            number(machine.little.mean_jobs),
            number(machine.little.arrivals_per_s),
            time(machine.little.mean_time_ns)
        ),
    );
    lines.join("\n")
}

fn line(lines: &mut Vec<String>, name: &str, value: String) {
    lines.push(format!("{name:<18} {value}"));
}

fn of_jobs(lines: &mut Vec<String>, it: &Measured) {
    let (processes, jobs, unfinished) = (it.processes, it.jobs, it.unfinished);
    line(lines, "jobs", format!("{jobs} done, {unfinished} unfinished, of {processes} processes"));
    line(lines, "throughput", format!("{} jobs/s", number(it.throughput_per_s)));
    if let Some(makespan) = it.makespan_ns {
        line(lines, "makespan", time(makespan as f64));
    }
}

fn of_deadlines(lines: &mut Vec<String>, it: &Measured) {
    if let Some(ratio) = it.miss_ratio {
        line(lines, "deadlines", format!("{} missed, ratio {}", it.misses, number(ratio)));
    }
    if let Some(late) = it.lateness {
        let (mean, max) = (time(late.mean_ns), time(late.max_ns as f64));
        line(lines, "lateness", format!("{mean} mean, {max} max"));
    }
}

fn of_time(lines: &mut Vec<String>, it: &Measured) {
    if let Some(fairness) = it.fairness {
        line(lines, "fairness (Jain)", number(fairness));
    }
    line(lines, "lag, worst", time(it.lag_ns as f64));
    let (voluntary, involuntary) = (it.voluntary_switches, it.involuntary_switches);
    let migrations = it.migrations;
    let switches =
        format!("{voluntary} voluntary, {involuntary} involuntary, {migrations} migrations");
    line(lines, "context switches", switches);
    let parts = [
        ("running", it.cpu_time_ns),
        ("switched to", it.overhead_ns),
        ("ready", it.ready_ns),
        ("blocked", it.blocked_ns),
        ("stopped", it.stopped_ns),
    ];
    let parts = parts.into_iter().filter(|(_, nanos)| *nanos > 0);
    let parts: Vec<String> =
        parts.map(|(name, it)| format!("{name} {}", time(it as f64))).collect();
    line(lines, "lifetime", parts.join(", "));
}

/// The utilisation of all CPUs, and of each of a few.
fn utilisation(each: &[f64], all: f64) -> String {
    if each.len() == 1 || each.len() > 16 {
        return percent(all);
    }
    let each: Vec<String> = each.iter().map(|part| percent(*part)).collect();
    format!("{} ({})", percent(all), each.join(", "))
}

fn mean(latency: Option<Latency>) -> Option<String> {
    latency.map(|latency| time(latency.mean_ns))
}

fn max(latency: Option<Latency>) -> Option<String> {
    latency.map(|latency| time(latency.max_ns as f64))
}

/// What is odd, as a part of a result for a person.
pub(super) fn warnings(warnings: &[String]) -> String {
    warnings.iter().map(|warning| format!("warning: {warning}\n\n")).collect()
}

/// Rows with commas between their cells.
pub(super) fn csv(rows: &[Vec<String>]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("a vector takes all");
    }
    String::from_utf8(writer.into_inner().expect("a vector takes all")).expect("it is text")
}

/// So many CPUs.
pub(super) fn cpus(count: u32) -> String {
    format!("{count} {}", if count == 1 { "CPU" } else { "CPUs" })
}

fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// A row for each figure, a column for each candidate, a star at the winner. Where not all columns
/// fit, there are several such tables.
pub(super) fn comparison(rows: &[&Row], names: &[&str], width: usize) -> String {
    let parts = |at_once: usize| -> Vec<String> {
        let starts = (0..names.len()).step_by(at_once);
        let part = |from: usize| from..(from + at_once).min(names.len());
        starts.map(|from| some_candidates(rows, names, part(from), width)).collect()
    };
    let fits = |parts: &Vec<String>| {
        let mut lines = parts.iter().flat_map(|part| part.lines());
        lines.all(|line| line.chars().count() <= width)
    };
    let found = (2..=names.len()).rev().map(parts).find(fits);
    found.unwrap_or_else(|| parts(1)).join("\n\n")
}

fn some_candidates(rows: &[&Row], names: &[&str], which: Range<usize>, width: usize) -> String {
    let by_task = rows.iter().any(|row| row.task.is_some());
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut header: Vec<String> = by_task.then(|| "task".to_owned()).into_iter().collect();
    header.push("figure".to_owned());
    header.extend(names[which.clone()].iter().map(|name| shortened(name, width / 3)));
    let labels = header.len() - which.len();
    table.set_header(header);
    for row in rows {
        let task = row.task.as_ref().map_or("all", |task| task.as_str());
        let mut cells: Vec<String> =
            by_task.then(|| shortened(task, width / 5)).into_iter().collect();
        cells.push(row.figure.clone());
        for index in which.clone() {
            let mean = &row.means[index];
            let star = if row.winner == Some(index) { " *" } else { "  " };
            cells.push(format!("{}{star}", estimate(mean, row.unit)));
        }
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(labels) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&table)
}

/// A mean and half of its interval.
pub(super) fn estimate(estimate: &Estimate, unit: Unit) -> String {
    let value = |value: f64| match unit {
        Unit::Nanoseconds => time(value),
        Unit::PerSecond => format!("{}/s", number(value)),
        Unit::Ratio | Unit::Count => number(value),
    };
    let half = |half: f64| match unit {
        Unit::Nanoseconds => format_rounded(half),
        _ => format!("{}", rounded(half)),
    };
    match estimate.half_width {
        _ if estimate.mean.is_nan() => "-".to_owned(),
        Some(width) if width > 0.0 => format!("{} ± {}", value(estimate.mean), half(width)),
        _ => value(estimate.mean),
    }
}

/// A time to two digits.
fn format_rounded(nanos: f64) -> String {
    format_nanos(rounded(nanos) as u64)
}

/// A number to two digits.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let step = 10f64.powi(value.abs().log10().floor() as i32 - 1);
    // Dividing by the inverse of a small step keeps the decimal digits clean.
    if step < 1.0 {
        (value / step).round() / (1.0 / step).round()
    } else {
        (value / step).round() * step
    }
}

/// A time to four digits, in the unit that fits.
pub(super) fn time(nanos: f64) -> String {
    let sign = if nanos < 0.0 { "-" } else { "" };
    let nanos = nanos.abs();
    let step = 10f64.powi((nanos.max(1.0).log10().floor() as i32 - 3).max(0));
    format!("{sign}{}", format_nanos(((nanos / step).round() * step) as u64))
}

/// A number to four digits.
pub(super) fn number(value: f64) -> String {
    let digits = value.abs().max(1e-9).log10().floor() as i32;
    let places = usize::try_from((3 - digits).clamp(0, 6)).unwrap_or(0);
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A name in so many columns.
pub(super) fn shortened(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_owned();
    }
    let head: String = name.chars().take(room.saturating_sub(1)).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456, "0.1235"),
            (12.345_678, "12.35"),
            (12_345.678, "12346"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(number(value), text);
        }
        for (nanos, text) in [
            (0.0, "0"),
            (999.4, "999ns"),
            (10_333_333.3, "10.33ms"),
            (-2_000_000.0, "-2ms"),
            (86_400e9, "86400s"),
        ] {
            assert_eq!(time(nanos), text);
        }
        assert_eq!(shortened("browser", 4), "bro…");
    }
}
