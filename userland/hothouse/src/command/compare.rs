//! `hothouse compare`.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use hothouse::Interrupt;
use hothouse::policy::POLICIES;
use hothouse::sim::{
    Better, Candidate, Compare as Comparing, Comparison, Difference, Row, Settings, Simulation,
};
use serde_json::{Value as Json, json};

use super::file::Output;
use super::machine::{self, MachineArgs};
use super::output::tell;
use super::progress::Progress;
use super::run::{catch_interrupts, quoted};
use super::sim::{FailOn, Format};
use super::{Exit, UsageError, file, tables};

/// Up to so many seeds.
const MOST_SEEDS: u64 = 100_000;

#[derive(Args, Clone)]
pub(super) struct Compare {
    /// A workload: an example's name, native TOML, rt-app JSON, a job list (.csv, .jobs, .txt), or an SWF log
    file: PathBuf,
    /// The policies, at least two, separated by commas; `all`: every one with its defaults
    #[arg(long, value_name = "A,B,..", env = "HOTHOUSE_POLICIES", value_parser = split)]
    policies: Policies,
    /// The seeds under which each policy runs: 1..20 (both included), or 1,5,9
    #[arg(long, value_name = "FROM..TO", default_value = "1..20", env = "HOTHOUSE_SEEDS",
          value_parser = seeds)]
    seeds: Seeds,
    /// Compare each task too, not only all together
    #[arg(long)]
    tasks: bool,
    /// Show every figure, and the differences of all pairs
    #[arg(long)]
    all: bool,
    /// How many threads of the host; the result does not depend on it [default: all]
    #[arg(long, env = "HOTHOUSE_THREADS")]
    threads: Option<NonZero<usize>>,
    /// How the result is shown
    #[arg(long, value_enum, default_value = "human", env = "HOTHOUSE_FORMAT")]
    format: Format,
    /// Write the result to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End with exit code 1 if this happens in some run; may list several
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    /// Do it all twice and compare the results
    #[arg(long)]
    check: bool,
    /// No progress bar, no warnings
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Clone, Debug)]
struct Policies(Vec<String>);

#[derive(Clone, Debug)]
struct Seeds {
    list: Vec<u64>,
    text: String,
}

/// Splits at commas, but not at those between the parameters of a policy.
fn split(text: &str) -> Result<Policies, String> {
    let mut policies: Vec<String> = Vec::new();
    for part in text.split(',').map(str::trim) {
        match policies.last_mut() {
            Some(last) if part.contains('=') && !part.contains(':') => {
                last.push_str(&format!(",{part}"));
            }
            _ if part == "all" => policies.extend(POLICIES.iter().map(|it| it.0.to_owned())),
            _ => policies.push(part.to_owned()),
        }
    }
    for (index, policy) in policies.iter().enumerate() {
        if policies[..index].contains(policy) {
            return Err(format!("\"{policy}\" is named twice; name each policy once"));
        }
    }
    if policies.len() < 2 {
        return Err("there is only one; name two policies or more, such as fifo,rr".to_owned());
    }
    Ok(Policies(policies))
}

fn seeds(text: &str) -> Result<Seeds, String> {
    const REMEDY: &str = "write a range such as 1..20, or a list such as 1,5,9";
    let number = |text: &str| {
        let number = text.trim().parse::<u64>();
        number.map_err(|_| format!("\"{text}\" is no seed; {REMEDY}"))
    };
    let list: Vec<u64> = match text.split_once("..") {
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to.strip_prefix('=').unwrap_or(to))?);
            if from > to {
                return Err(format!("the range {text} is empty; {REMEDY}"));
            }
            if to - from >= MOST_SEEDS {
                return Err(format!("these are more than {MOST_SEEDS} seeds; {REMEDY}"));
            }
            (from..=to).collect()
        }
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    let mut sorted = list.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("seed {} is named twice: it would count as two runs", twice[0]));
    }
    Ok(Seeds { list, text: text.to_owned() })
}

/// The figures that are shown to a person without being asked for.
const SHOWN: [&str; 15] = [
    "turnaround mean",
    "turnaround p99",
    "first-run latency mean",
    "waiting mean",
    "wake-up latency mean",
    "wake-up latency p99",
    "slowdown mean",
    "lateness max",
    "miss ratio",
    "throughput",
    "makespan",
    "fairness",
    "lag",
    "involuntary switches",
    "migrations",
];

impl Compare {
    pub(super) fn main(self) -> Result<Exit, UsageError> {
        let output = Output::to(self.output.as_deref())?;
        let base = Simulation::new(file::workload(&self.file)?);
        let file = base.settings().clone();
        let simulation = self.machine.apply(base);
        let mut comparing = Comparing::policies(&simulation, &self.policies.0)
            .seeds(self.seeds.list.iter().copied())
            .tasks(self.tasks);
        if let Some(threads) = self.threads {
            comparing = comparing.threads(threads);
        }
        let interrupt = Interrupt::default();
        catch_interrupts(&interrupt)?;
        let flag = interrupt.flag();
        let run = || {
            let progress = Progress::new(Some(comparing.runs() as u64), self.quiet);
            let comparison = comparing.run_watched(&|over| {
                progress.at(over as u64, String::new);
                !flag.load(Ordering::Relaxed)
            });
            progress.finish();
            comparison.map_err(UsageError::new)
        };
        let comparison = run()?;
        let again = if self.check { Some(run()?) } else { None };
        if comparison.interrupted || again.as_ref().is_some_and(|again| again.interrupted) {
            tell("hothouse: interrupted; nothing was compared\n");
            return Ok(Exit::Interrupted);
        }
        if let Some(again) = again {
            // As text, in which what is no number is the same as itself.
            let text = |comparison: &Comparison| json!(comparison).to_string();
            if text(&comparison) != text(&again) {
                tell("hothouse: check: the two comparisons differ\n");
                return Ok(Exit::Differs);
            }
            tell("hothouse: check: two comparisons gave the same result\n");
        }
        let repeat = self.repeat(simulation.settings(), &file);
        let text = match self.format {
            Format::Human => self.human(&comparison, &repeat),
            Format::Json => format!("{}\n", self.json(&comparison, &repeat)),
            Format::Csv => self.csv(&comparison, &repeat),
        };
        let written = output.write(&text)?;
        let is_shown = self.format == Format::Human && self.output.is_none();
        self.tell_problems(&comparison, is_shown);
        Ok(if written == Exit::Ok { self.exit(&comparison) } else { written })
    }

    fn tell_problems(&self, comparison: &Comparison, are_warnings_shown: bool) {
        if !self.quiet && !are_warnings_shown {
            comparison.warnings.iter().for_each(|warning| tell(&format!("warning: {warning}\n")));
        }
        if comparison.failed > 0 {
            tell(&format!("hothouse: {} processes failed in all runs\n", comparison.failed));
        }
        if let Some(error) = &comparison.error {
            tell(&format!("hothouse: a run broke off: {error}\n"));
        }
    }

    fn repeat(&self, settings: &Settings, file: &Settings) -> String {
        let mut words = ["hothouse", "compare"].map(str::to_owned).to_vec();
        words.push(self.file.display().to_string());
        words.extend(["--policies".to_owned(), self.policies.0.join(",")]);
        words.extend(["--seeds".to_owned(), self.seeds.text.clone()]);
        words.extend(machine::flags(settings, file));
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    fn json(&self, comparison: &Comparison, repeat: &str) -> Json {
        let mut json = json!({
            "workload": self.file.display().to_string(),
            "repeat": repeat,
            "exit_code": self.exit(comparison) as u8,
        });
        let result = serde_json::to_value(comparison).expect("every key is text");
        if let (Json::Object(json), Json::Object(result)) = (&mut json, result) {
            json.extend(result);
        }
        json
    }

    fn human(&self, comparison: &Comparison, repeat: &str) -> String {
        let width = tables::width();
        let names: Vec<&str> = comparison.candidates.iter().map(|it| it.name.as_str()).collect();
        let cpus = comparison.candidates[0].settings.cpus;
        let plural = |count: usize, one: &str, many: &str| {
            format!("{count} {}", if count == 1 { one } else { many })
        };
        let mut text = format!(
            "{} on {}: {} under {}\nmean ± half of the 95 % interval; * is better than every other \
             one, by the paired differences\n\n",
            self.file.display(),
            plural(cpus as usize, "CPU", "CPUs"),
            plural(names.len(), "policy", "policies"),
            plural(comparison.seeds.len(), "seed", "seeds"),
        );
        let shown = |row: &&Row| self.all || SHOWN.contains(&row.figure.as_str());
        let rows: Vec<&Row> = comparison.rows.iter().filter(shown).collect();
        text.push_str(&tables::comparison(&rows, &names, width));
        if self.all {
            text.push_str("\n\npaired differences, of which the interval excludes zero:\n");
            text.push_str(&differences(&rows, &names));
        }
        if comparison.seeds.len() < 2 {
            text.push_str("\n\none seed gives no interval, and so no verdict: give several");
        } else if comparison.candidates.iter().all(is_same_each_time) {
            text.push_str("\n\nnothing is drawn here: all seeds gave the same run, one is enough");
        }
        text.push_str("\n\n");
        text.push_str(&tables::warnings(&comparison.warnings));
        text.push_str(&format!("repeat with: {repeat}\n"));
        text
    }

    /// A row for each figure and pair, then one for each warning.
    fn csv(&self, comparison: &Comparison, repeat: &str) -> String {
        let machine = machine::columns(&comparison.candidates[0].settings);
        let mut header: Vec<String> = CSV.map(str::to_owned).to_vec();
        header.extend(machine.iter().map(|(name, _)| (*name).to_owned()));
        header.extend(["seeds", "repeat", "warnings"].map(str::to_owned));
        let mut rows = vec![header];
        let mut add = |cells: Vec<String>, warning: &str| {
            let settings = machine.iter().map(|(_, value)| value.clone());
            let rest = [self.seeds.text.clone(), repeat.to_owned(), warning.to_owned()];
            rows.push(cells.into_iter().chain(settings).chain(rest).collect());
        };
        for row in &comparison.rows {
            for difference in &row.differences {
                add(cells(comparison, row, difference), "");
            }
        }
        for warning in &comparison.warnings {
            let mut cells = vec![String::new(); CSV.len()];
            cells[1] = "warning".to_owned();
            add(cells, warning);
        }
        tables::csv(&rows)
    }

    fn exit(&self, comparison: &Comparison) -> Exit {
        if comparison.error.is_some() {
            return Exit::Limit;
        }
        let unwanted = self.fail_on.iter().any(|what| match what {
            FailOn::Misses => comparison.misses > 0,
            FailOn::Unfinished => comparison.unfinished > 0,
            FailOn::Warnings => !comparison.warnings.is_empty(),
        });
        let has_failed = comparison.failed > 0 || comparison.deadlocks > 0;
        if unwanted || has_failed { Exit::Failed } else { Exit::Ok }
    }
}

/// The columns that differ from row to row.
const CSV: [&str; 16] = [
    "task",
    "figure",
    "unit",
    "better",
    "first",
    "first_mean",
    "first_half_width",
    "first_trace_hash",
    "second",
    "second_mean",
    "second_half_width",
    "second_trace_hash",
    "difference",
    "difference_half_width",
    "verdict",
    "winner",
];

fn is_same_each_time(candidate: &Candidate) -> bool {
    candidate.trace_hashes.windows(2).all(|pair| pair[0] == pair[1])
}

/// A line for each difference that is one.
fn differences(rows: &[&Row], names: &[&str]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        for difference in row.differences.iter().filter(|it| it.difference.excludes_zero()) {
            let (first, second) = (names[difference.first], names[difference.second]);
            let amount = tables::estimate(&difference.difference, row.unit);
            let verdict = difference
                .better
                .map_or_else(String::new, |better| format!(": {} is better", names[better]));
            let task = row.task.as_ref().map_or_else(String::new, |task| format!("{task}, "));
            lines.push(format!("{task}{}, {first} - {second} = {amount}{verdict}", row.figure));
        }
    }
    lines.join("\n")
}

/// One figure of one pair; the hashes are those of the runs under the first seed.
fn cells(comparison: &Comparison, row: &Row, pair: &Difference) -> Vec<String> {
    let name = |index: usize| comparison.candidates[index].name.clone();
    let hash = |index: usize| comparison.candidates[index].trace_hashes[0].clone();
    let half_width = |half: Option<f64>| half.map_or_else(String::new, |half| half.to_string());
    let mut cells = vec![
        row.task.clone().unwrap_or_default(),
        row.figure.clone(),
        word(row.unit),
        if row.better == Better::Neither { String::new() } else { word(row.better) },
    ];
    for index in [pair.first, pair.second] {
        let mean = row.means[index];
        let (value, half) = (mean.mean.to_string(), half_width(mean.half_width));
        cells.extend([name(index), value, half, hash(index)]);
    }
    let difference = pair.difference;
    cells.extend([difference.mean.to_string(), half_width(difference.half_width)]);
    cells.push(pair.better.map_or_else(String::new, name));
    cells.push(row.winner.map_or_else(String::new, name));
    cells
}

/// The word for a unit or a direction, as JSON has it.
fn word(value: impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).expect("it is a word");
    json.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{seeds, split};

    #[test]
    fn commas_separate_policies_and_parameters() {
        let policies = |text: &str| split(text).map(|it| it.0);
        assert_eq!(
            policies("fifo, mlfq:levels=2,stay=true,rr:slice=5ms,edf").unwrap(),
            ["fifo", "mlfq:levels=2,stay=true", "rr:slice=5ms", "edf"]
        );
        assert!(policies("all").unwrap().len() > 10);
        assert!(policies("fifo").unwrap_err().contains("only one"));
        assert!(policies("fifo,rr,fifo").unwrap_err().contains("\"fifo\" is named twice"));
    }

    #[test]
    fn seeds_are_a_range_with_both_ends_or_a_list() {
        let list = |text: &str| seeds(text).map(|it| it.list);
        assert_eq!(list("1..4").unwrap(), [1, 2, 3, 4]);
        assert_eq!(list("1..=2").unwrap(), [1, 2]);
        assert_eq!(list("7, 3").unwrap(), [7, 3]);
        assert!(list("5..1").unwrap_err().contains("empty"));
        assert!(list("1,2,1").unwrap_err().contains("seed 1 is named twice"));
        assert!(list("0..18446744073709551615").unwrap_err().contains("more than"));
        assert!(list("one").unwrap_err().contains("1..20"));
    }
}
