//! The search through schedules beside shuttle's: schedules per second on a protocol of three
//! processes, and how many schedules it takes to find each known bug.
//!
//! `cargo bench -p hothouse-benches --bench explore` prints two tables; `-- --quick` does a tenth of
//! the work.

#[path = "../../tests/bugs/programs.rs"]
mod programs;
#[path = "shuttle/programs.rs"]
mod shuttled;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use hothouse::explore::{Bound, Explorer, Strategy};
use hothouse::{Errno, Filter, Sys};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

use programs::BUGS;
use shuttled::{TWINS, protocol};

/// A search that finds nothing in so many schedules has not found it.
const MOST: u64 = 100_000;
const ALL: Strategy = Strategy::Dfs { bound: Bound::None };

/// A server and two clients, who ask it three times each.
fn served(sys: &Sys) -> Result<(), Errno> {
    let server = sys.spawn("server", |sys: &Sys| -> Result<(), Errno> {
        for _ in 0..6 {
            let request = sys.receive_event(Filter::any(), None)?;
            sys.send_event(request.sender, "reply", request.data)?;
        }
        Ok(())
    })?;
    let client = move |sys: &Sys| -> Result<(), Errno> {
        for number in 0..3 {
            sys.send_event(server, "request", number)?;
            let reply = sys.receive_event(Filter::any(), None)?;
            assert_eq!(reply.data.as_int(), Some(number));
        }
        Ok(())
    };
    let (one, two) = (sys.spawn("one", client)?, sys.spawn("two", client)?);
    [server, one, two].into_iter().try_for_each(|pid| sys.wait(pid, None).map(drop))
}

fn config() -> Config {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config
}

/// How many schedules shuttle needs; `None`: it found nothing.
fn shuttle_finds(scheduler: impl Scheduler + 'static, twin: fn()) -> Option<u64> {
    let runs = Arc::new(AtomicU64::new(0));
    let count = runs.clone();
    let done = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(scheduler, config()).run(move || {
            count.fetch_add(1, Ordering::Relaxed);
            twin();
        })
    }));
    done.is_err().then(|| runs.load(Ordering::Relaxed))
}

fn hothouse_finds(explorer: Explorer, main: fn(&Sys, bool) -> Result<(), Errno>) -> Option<u64> {
    let explored = explorer.shrinks(0).check(move |sys| main(sys, false)).expect("there is memory");
    explored.failure.map(|found| found.at)
}

fn explorer(strategy: Strategy, seed: u64) -> Explorer {
    Explorer::new().isolated(true).strategy(strategy).seed(seed).schedules(MOST)
}

/// How many of what `work` counts are done in a second of the thread's own CPU time, so that what
/// else the host does counts for little. Where the host does not tell it, the clock is read.
fn per_second(work: impl FnOnce() -> u64) -> f64 {
    let start = nanos();
    let count = work();
    count as f64 * 1e9 / (nanos() - start) as f64
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the host's clock")]
fn nanos() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let cpu = told.and_then(|text| text.split(' ').next()?.parse().ok());
    cpu.unwrap_or_else(|| START.elapsed().as_nanos() as u64)
}

fn speed(quick: bool) {
    let count: u64 = if quick { 2_000 } else { 20_000 };
    println!("| schedules per second | hothouse | shuttle | ratio |\n|---|---|---|---|");
    let ours = |isolated: bool, strategy: Strategy| {
        per_second(|| {
            let explorer = Explorer::new().isolated(isolated).strategy(strategy).schedules(count);
            let explored = explorer.check(served).expect("there is memory");
            assert!(explored.failure.is_none(), "{explored}");
            explored.schedules + explored.redundant
        })
    };
    let iterations = count as usize;
    let random = || {
        Runner::new(RandomScheduler::new_from_seed(0, iterations), config()).run(protocol) as u64
    };
    let pct = || {
        Runner::new(PctScheduler::new_from_seed(0, 3, iterations), config()).run(protocol) as u64
    };
    let dfs =
        || Runner::new(DfsScheduler::new(Some(iterations), false), config()).run(protocol) as u64;
    let row = |name: &str, ours: f64, theirs: f64| {
        println!("| {name} | {ours:.0} | {theirs:.0} | {:.1} |", ours / theirs);
    };
    let theirs = per_second(random);
    row("random, isolated", ours(true, Strategy::Random), theirs);
    row("random, every trap a choice", ours(false, Strategy::Random), theirs);
    row("pct of depth 3, isolated", ours(true, Strategy::Pct { depth: 3 }), per_second(pct));
    let theirs = per_second(dfs);
    row("dfs, reduced", ours(true, ALL), theirs);
    row("dfs, all", ours(true, Strategy::Dfs { bound: Bound::Steps(u32::MAX) }), theirs);
}

/// The median over seeds; not found counts as more than any number.
fn median(seeds: u64, find: impl Fn(u64) -> Option<u64>) -> String {
    let mut found: Vec<u64> = (0..seeds).map(|seed| find(seed).unwrap_or(u64::MAX)).collect();
    found.sort_unstable();
    shown(Some(found[found.len() / 2]).filter(|&at| at < u64::MAX))
}

fn shown(found: Option<u64>) -> String {
    found.map_or_else(|| format!("more than {MOST}"), |at| at.to_string())
}

fn until_found(quick: bool) {
    let seeds = if quick { 3 } else { 21 };
    println!("\n| schedules until found | random | shuttle | pct | shuttle | dfs | shuttle |");
    println!("|---|---|---|---|---|---|---|");
    for bug in &BUGS {
        let twin = TWINS.iter().find(|(name, _)| *name == bug.name).map(|(_, twin)| *twin);
        let depth = Strategy::Pct { depth: 3 };
        let theirs = |find: &dyn Fn(fn()) -> String| twin.map_or("-".to_owned(), find);
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            bug.name,
            median(seeds, |seed| hothouse_finds(explorer(Strategy::Random, seed), bug.main)),
            theirs(&|twin| median(seeds, |seed| {
                shuttle_finds(RandomScheduler::new_from_seed(seed, MOST as usize), twin)
            })),
            median(seeds, |seed| hothouse_finds(explorer(depth, seed), bug.main)),
            theirs(&|twin| median(seeds, |seed| {
                shuttle_finds(PctScheduler::new_from_seed(seed, 3, MOST as usize), twin)
            })),
            shown(hothouse_finds(explorer(ALL, 0), bug.main)),
            theirs(&|twin| shown(shuttle_finds(
                DfsScheduler::new(Some(MOST as usize), false),
                twin
            ))),
        );
    }
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    speed(quick);
    // Each bug that is found is a panic with a message that nobody needs here.
    std::panic::set_hook(Box::new(|_| {}));
    until_found(quick);
}
