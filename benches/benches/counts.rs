//! Instructions of an operation, counted by callgrind, beside the baseline in `counts.json`.
//!
//! `cargo bench -p hothouse-benches --no-default-features --bench counts` tells what changed by more
//! than 2 %, and `-- --save` makes what was counted the baseline. A count is the difference of two
//! runs with different amounts of work, so that what comes before and after the work is not in it.
//! Counts depend on the compiler and on the host's C library, so they fail nothing. `-- --misses`
//! counts cache misses in the same way, of a simulated processor: one's own may not tell.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Parser;
use hothouse::bench::{Bench, find};

/// The rows that are counted, and the amounts of work.
const COUNTED: [(&str, u64, u64); 17] = [
    ("trap", 20_000, 60_000),
    ("yield", 20_000, 60_000),
    ("ping-pong", 20_000, 60_000),
    ("ring", 20_000, 60_000),
    ("spawn", 10_000, 30_000),
    ("timeout", 20_000, 60_000),
    ("select-name-10", 10_000, 30_000),
    ("select-sender-10", 10_000, 30_000),
    ("select-both-10", 10_000, 30_000),
    ("select-name-1k", 10_000, 30_000),
    ("select-sender-1k", 10_000, 30_000),
    ("select-both-1k", 10_000, 30_000),
    ("select-name-100k", 10_000, 30_000),
    ("select-sender-100k", 10_000, 30_000),
    ("select-both-100k", 10_000, 30_000),
    ("signal-self", 20_000, 60_000),
    ("signal", 20_000, 60_000),
];

/// The rows of which only the cache misses are counted.
const COUNTED_FOR_MISSES: [(&str, u64, u64); 4] = [
    ("yield-100k", 400_000, 800_000),
    ("call", 20_000, 60_000),
    ("fan-in", 300_000, 600_000),
    ("hold", 20_000, 60_000),
];

/// The caches of the simulated processor: bytes, ways, bytes of a line.
const FIRST_LEVEL: &str = "49152,12,64";
const SECOND_LEVEL: &str = "2097152,16,64";

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.json");

#[derive(Parser)]
struct Args {
    /// Make what is counted the baseline
    #[arg(long)]
    save: bool,
    /// Count the cache misses of a simulated processor, not instructions
    #[arg(long, conflicts_with = "save")]
    misses: bool,
    /// Do this row's work, for callgrind to count
    #[arg(long, hide = true, requires = "size")]
    row: Option<String>,
    #[arg(long, hide = true)]
    size: Option<u64>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match (&args.row, args.size) {
        (Some(row), Some(size)) => work(row, size),
        _ if !has_valgrind() => {
            println!("valgrind is not installed: nothing is counted");
            Ok(())
        }
        _ if args.misses => count_misses(),
        _ => count_instructions(args.save),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work(row: &str, size: u64) -> Result<(), String> {
    let row = find(row).ok_or_else(|| format!("there is no row {row}"))?;
    Bench::default().measure(row, size).map(drop).map_err(|error| error.to_string())
}

fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok()
}

fn count_misses() -> Result<(), String> {
    println!("data misses of an operation in caches of {FIRST_LEVEL} and {SECOND_LEVEL}");
    println!("{:<20}{:>12}{:>12}", "row", "first level", "second");
    let caches = [
        "--cache-sim=yes".to_owned(),
        format!("--D1={FIRST_LEVEL}"),
        format!("--LL={SECOND_LEVEL}"),
    ];
    for (row, few, many) in COUNTED.into_iter().chain(COUNTED_FOR_MISSES) {
        let (before, after) = (count(row, few, &caches)?, count(row, many, &caches)?);
        let each = |events| ((after.of(events) - before.of(events)) / (many - few) as f64).max(0.0);
        let (first, second) = (each(&["D1mr", "D1mw"]), each(&["DLmr", "DLmw"]));
        println!("{row:<20}{first:>12.1}{second:>12.1}");
    }
    Ok(())
}

fn count_instructions(save: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(BASELINE).unwrap_or_else(|_| "{}".to_owned());
    let baseline: BTreeMap<String, f64> =
        serde_json::from_str(&text).map_err(|error| format!("{BASELINE}: {error}"))?;
    let mut counts = BTreeMap::new();
    println!("{:<20}{:>10}{:>10}{:>10}", "row", "baseline", "now", "change");
    for (row, few, many) in COUNTED {
        let (before, after) = (count(row, few, &[])?, count(row, many, &[])?);
        let each = (after.of(&["Ir"]) - before.of(&["Ir"])) / (many - few) as f64;
        let each = (each * 10.0).round() / 10.0;
        let change = match baseline.get(row) {
            Some(before) => {
                let change = (each / before - 1.0) * 100.0;
                let mark = if change.abs() > 2.0 { "  changed" } else { "" };
                format!("{before:>10.1}{each:>10.1}{change:>+8.1} %{mark}")
            }
            None => format!("{:>10}{each:>10.1}{:>10}", "-", "new"),
        };
        println!("{row:<20}{change}");
        counts.insert(row, each);
    }
    if save {
        let text = serde_json::to_string_pretty(&counts).expect("a map of text and numbers");
        std::fs::write(BASELINE, text + "\n").map_err(|error| format!("{BASELINE}: {error}"))?;
    }
    Ok(())
}

/// What callgrind counted: the names of the events, and how many there were of each.
struct Counts {
    events: Vec<String>,
    sums: Vec<f64>,
}

impl Counts {
    fn parse(text: &str) -> Option<Counts> {
        let words = |start: &str| {
            Some(text.lines().find_map(|line| line.strip_prefix(start))?.split_whitespace())
        };
        let sums = words("summary:")?.map(|sum| sum.parse().ok()).collect::<Option<_>>()?;
        Some(Counts { events: words("events:")?.map(str::to_owned).collect(), sums })
    }

    /// How many there were of these events. Sums of zero at the end are left out.
    fn of(&self, events: &[&str]) -> f64 {
        let sums = self.events.iter().zip(&self.sums);
        sums.filter(|(event, _)| events.contains(&&***event)).map(|(_, sum)| sum).sum()
    }
}

/// Counts a whole run of this program with so much work.
fn count(row: &str, size: u64, options: &[String]) -> Result<Counts, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind.out");
    let ran = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args(options)
        .arg(program)
        .args(["--row", row, "--size", &size.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let problem = || format!("row {row}: {}", String::from_utf8_lossy(&ran.stderr));
    if !ran.status.success() {
        return Err(problem());
    }
    let text =
        std::fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    Counts::parse(&text).ok_or_else(problem)
}
