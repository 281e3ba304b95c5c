//! The rows of docs/performance.md, beside other runtimes that do the same work.
//!
//! `cargo bench -p hothouse-benches --bench rows -- [ROW..]` prints a table and writes
//! `target/rows.json`; with `--quick` it does little work, for the checks only.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use hothouse::bench::{Bench, Figure, ROWS, find, nearest, table};
use hothouse_benches::{host, peers};
use serde_json::json;

#[derive(Parser)]
struct Args {
    /// The rows to measure [default: all]
    rows: Vec<String>,
    /// Do little work, for the checks only
    #[arg(long)]
    quick: bool,
    /// How often each row is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Where the figures are written as JSON
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/rows.json"))]
    json: PathBuf,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(unknown) = args.rows.iter().find(|name| find(name).is_none()) {
        eprintln!("there is no row \"{unknown}\"; did you mean \"{}\"?", nearest(unknown));
        return ExitCode::from(2);
    }
    let wanted = |name: &str| args.rows.is_empty() || args.rows.iter().any(|row| row == name);
    let peers = peers::all(wanted);
    let mut rows: Vec<_> = ROWS.iter().filter(|row| wanted(row.name)).collect();
    // Memory is measured while the host's allocator has not yet been used much.
    rows.sort_by_key(|row| (row.kind.is_none(), row.number));
    let mut figures = Vec::new();
    for row in rows {
        let (size, runs) = if args.quick { (row.quick, 1) } else { (row.size, args.runs) };
        match Figure::measure(&Bench::default(), row, size, runs, &peers) {
            Ok(figure) => figures.push(figure),
            Err(error) => {
                eprintln!("row {}: {error}", row.name);
                return ExitCode::FAILURE;
            }
        }
        eprint!(".");
    }
    eprintln!();
    if args.quick {
        println!("{} rows: all checks hold", figures.len());
        return ExitCode::SUCCESS;
    }
    figures.sort_by_key(|figure| figure.number);
    println!("{}", table(&figures));
    let versions = peers::versions(&peers);
    let listed: Vec<_> = versions.iter().map(|(name, of)| format!("{name} {of}")).collect();
    println!("peers: {}", listed.join(", "));
    let text = json!({ "host": host(), "peers": versions, "rows": figures });
    if let Err(error) = std::fs::write(&args.json, format!("{text:#}\n")) {
        eprintln!("{} can't be written: {error}", args.json.display());
        return ExitCode::FAILURE;
    }
    println!("written to {}", args.json.display());
    ExitCode::SUCCESS
}
