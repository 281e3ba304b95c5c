//! `hothouse bench`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use hothouse::bench::{
    Bench as Machine, BenchError, Figure, Kind, Live, Parts, ROWS, Row, find, nearest, table,
};
use serde_json::json;

use super::file::Output;
use super::output::tell;
use super::progress::Progress;
use super::run::Format;
use super::{Exit, UsageError};

#[derive(Args, Clone)]
pub(super) struct Bench {
    /// The rows to measure, by name; `--list` lists them [default: all]
    rows: Vec<String>,
    /// List the rows
    #[arg(long)]
    list: bool,
    /// Who runs when, in all rows [default: fifo, and edf in the row of that name]
    #[arg(long, value_name = "POLICY", env = "HOTHOUSE_POLICY")]
    policy: Option<String>,
    /// How many simulated CPUs
    #[arg(long, default_value_t = 1, env = "HOTHOUSE_CPUS",
          value_parser = clap::value_parser!(u32).range(1..=65536))]
    cpus: u32,
    /// How often each row is measured
    #[arg(long, value_name = "N", default_value = "5")]
    runs: NonZero<usize>,
    /// The size of the work in every row: operations, or processes [default: the row's own]
    #[arg(long, value_name = "N")]
    count: Option<NonZero<u64>>,
    /// Do little work, for the checks only; the figures mean nothing
    #[arg(long, conflicts_with = "count")]
    quick: bool,
    /// Do the work of each row twice and compare the traces, in place of measuring it
    #[arg(long)]
    check: bool,
    /// How the figures are shown
    #[arg(long, value_enum, default_value = "human", env = "HOTHOUSE_FORMAT")]
    format: Format,
    /// Write the figures to this file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
}

impl Bench {
    pub(super) fn main(self) -> Result<Exit, UsageError> {
        let output = Output::to(self.output.as_deref())?;
        if self.list {
            return output.write(&list());
        }
        let rows = self.rows()?;
        let mut machine = Machine::default().cpus(self.cpus);
        if let Some(policy) = &self.policy {
            machine = machine.policy(policy).map_err(UsageError::new)?;
        }
        if self.check {
            return self.compare(&machine, &rows, &output);
        }
        let progress = Progress::new(Some(rows.len() as u64), self.quiet);
        let mut figures = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            progress.at(index as u64, || row.name.to_owned());
            match self.measure(&machine, row) {
                Ok(figure) => figures.push(figure),
                Err(error) => {
                    progress.finish();
                    return Ok(no_figure(row, &error));
                }
            }
        }
        progress.finish();
        figures.sort_by_key(|figure| figure.number);
        output.write(&match self.format {
            Format::Human => self.human(&figures),
            Format::Json => format!("{:#}\n", self.json(&figures)),
        })
    }

    /// The rows that are asked for, in the order in which they are measured: those about memory
    /// first, while the host's allocator holds little.
    fn rows(&self) -> Result<Vec<&'static Row>, UsageError> {
        let named = self.rows.iter().map(|name| {
            find(name).ok_or_else(|| {
                let near = nearest(name);
                let remedy = "`hothouse bench --list` lists them";
                UsageError(format!("there is no row \"{name}\"; did you mean \"{near}\"? {remedy}"))
            })
        });
        let mut rows: Vec<&Row> = named.collect::<Result<_, _>>()?;
        if rows.is_empty() {
            rows.extend(&ROWS);
        }
        rows.sort_by_key(|row| (row.kind.is_none(), row.number));
        rows.dedup_by_key(|row| row.name);
        Ok(rows)
    }

    /// Whether the work of each row leaves the same trace twice.
    fn compare(
        &self,
        machine: &Machine,
        rows: &[&'static Row],
        output: &Output,
    ) -> Result<Exit, UsageError> {
        let mut text = String::new();
        for row in rows {
            let size = self.size(row);
            let both = machine.trace(row, size).and_then(|it| Ok((it, machine.trace(row, size)?)));
            match both {
                Ok((first, second)) if first != second => {
                    tell(&format!("hothouse: check: two runs of row {} differ\n", row.name));
                    return Ok(Exit::Differs);
                }
                Ok((hash, _)) => text.push_str(&format!("{:<18}{hash:016x}\n", row.name)),
                Err(error) => return Ok(no_figure(row, &error)),
            }
        }
        tell("hothouse: check: two runs of each row gave the same trace\n");
        output.write(&text)
    }

    fn size(&self, row: &Row) -> u64 {
        match self.count {
            Some(count) => count.get(),
            None if self.quick => row.quick,
            None => row.size,
        }
    }

    fn measure(&self, machine: &Machine, row: &Row) -> Result<Figure, BenchError> {
        let size = self.size(row);
        let runs = if self.quick { 1 } else { self.runs.get() };
        Figure::measure(machine, row, size, runs, &[])
    }

    fn policy(&self) -> &str {
        self.policy.as_deref().unwrap_or("that of each row")
    }

    fn human(&self, figures: &[Figure]) -> String {
        let mut text = format!("{}\n", table(figures));
        for live in figures.iter().filter_map(|figure| figure.memory) {
            text.push_str(&memory(&live));
        }
        let policy = self.policy();
        text.push_str(&format!(
            "\ntimes are nanoseconds, medians of {}; policy: {policy}; CPUs: {}\n",
            self.runs, self.cpus
        ));
        text
    }

    fn json(&self, figures: &[Figure]) -> serde_json::Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "policy": self.policy,
            "cpus": self.cpus,
            "quick": self.quick,
            "rows": figures,
        })
    }
}

fn no_figure(row: &Row, error: &BenchError) -> Exit {
    tell(&format!("hothouse: row {}: {error}\n", row.name));
    Exit::Limit
}

fn list() -> String {
    let mut text = String::new();
    for Row { number, name, about, .. } in &ROWS {
        text.push_str(&format!("{number:>2}  {name:<18}{about}\n"));
    }
    text
}

/// What parked processes take, part by part, and what is left when they have ended.
fn memory(live: &Live) -> String {
    let (kind, part) = match live.kind {
        Kind::Native => ("native", "stack"),
        Kind::Lua => ("Lua", "Lua state"),
    };
    let Parts { record, body, page_tables, all, mailbox } = live.each;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let resident = [live.start, live.parked, live.ended].map(|stage| mebibytes(stage.resident));
    let verdict = if live.went_back { "memory went back" } else { "memory did not go back" };
    format!(
        "\n{} parked {kind} processes, bytes each\n  record       {record:>7.0}\n  \
         {part:<12} {body:>7.0}\n  page tables  {page_tables:>7.0}\n  all          {all:>7.0}\n  \
         mailbox      {mailbox:>7.0} more with one event in it\n\
         resident MiB: {:.1} before, {:.1} parked, {:.1} after the last end, of which {:.1} may \
         stay as spare stacks: {verdict}\n",
        live.count,
        resident[0],
        resident[1],
        resident[2],
        mebibytes(live.reserve),
    )
}
