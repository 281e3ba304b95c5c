//! What an operation costs among 10 to 1,000,000 of a thing.
//!
//! `cargo bench -p hothouse-benches --bench scale` prints a table, and writes `target/scale.json` and
//! a plot; `-- --plot docs/scale.svg` says where. `-- --quick` stops at 1,000.

use std::cell::Cell;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use hothouse::bench::{Series, time};
use hothouse::{
    Captured, End, Errno, Filter, Kernel, Limits, MaskHow, Name, Pid, Signal, SignalSet, Sys,
    Until, program,
};
use hothouse_benches::host;
use plotters::prelude::*;
use serde_json::json;

/// What is scaled, what an operation is, and what measures some of them among so many.
type Subject = (&'static str, &'static str, fn(u64, u64) -> f64);

const SUBJECTS: [Subject; 7] = [
    ("processes: yield", "a yield among n processes", yields),
    ("processes: spawn", "spawn, run, exit and wait beside n parked processes", spawns),
    ("processes: send", "a message to each of n parked processes in turn", sends),
    ("timers", "arm and cancel a timer beside n armed ones", timers),
    ("queued events", "send to oneself and receive by name behind n others", events),
    ("names", "look up each of n names in turn", names),
    ("pending signals", "signal each of n processes in turn, which mask it", signals),
];

const MOST: u64 = 1_000_000;
const PING: Name = Name::short("ping");
const STOP: Name = Name::short("stop");

#[derive(Parser)]
struct Args {
    /// Stop at 1,000 and do little work, for the checks only
    #[arg(long)]
    quick: bool,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Where the plot is written
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/scale.svg"))]
    plot: PathBuf,
    /// Where the figures are written as JSON
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/scale.json"))]
    json: PathBuf,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// The median costs of one subject, by how many there are.
struct Line {
    name: &'static str,
    what: &'static str,
    points: Vec<(u64, f64)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let (most, operations, runs) =
        if args.quick { (1_000, 2_000, 1) } else { (MOST, MOST, args.runs) };
    let counts: Vec<u64> =
        std::iter::successors(Some(10), |n| Some(n * 10)).take_while(|&n| n <= most).collect();
    let mut header = format!("{:<20}", "ns among");
    counts.iter().for_each(|count| header.push_str(&format!("{count:>10}")));
    println!("{header}{:>10}", "max/min");
    let mut lines = Vec::new();
    for (name, what, measure) in SUBJECTS {
        let median = |n: u64| {
            let runs = (0..runs).map(|_| measure(n, operations.max(n))).collect();
            Series { runs }.median()
        };
        let points: Vec<(u64, f64)> = counts.iter().map(|&n| (n, median(n))).collect();
        let mut text = format!("{name:<20}");
        points.iter().for_each(|(_, nanos)| text.push_str(&format!("{nanos:>10.1}")));
        println!("{text}{:>10.1}", spread(&points));
        lines.push(Line { name, what, points });
    }
    if args.quick {
        println!("{} subjects: all checks hold", lines.len());
        return Ok(());
    }
    plot(&args.plot, &lines)?;
    let subjects: Vec<_> = lines.iter().map(|line| {
        json!({ "name": line.name, "operation": line.what, "nanos": line.points, "spread": spread(&line.points) })
    }).collect();
    let text = json!({ "host": host(), "runs": runs, "subjects": subjects });
    std::fs::write(&args.json, format!("{text:#}\n"))?;
    println!("written to {} and {}", args.json.display(), args.plot.display());
    Ok(())
}

fn spread(points: &[(u64, f64)]) -> f64 {
    let costs = || points.iter().map(|point| point.1);
    costs().fold(f64::NAN, f64::max) / costs().fold(f64::NAN, f64::min)
}

fn plot(path: &Path, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (900, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .margin_right(48)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d((10..MOST).log_scale(), (1.0..1_000.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("how many there are")
        .y_desc("nanoseconds of an operation")
        .draw()?;
    for (index, line) in lines.iter().enumerate() {
        let style = Palette99::pick(index).stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style).point_size(3))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    Ok(())
}

fn kernel() -> Kernel {
    let limits = Limits {
        processes: 1_100_000,
        mailbox_events: 1_100_000,
        timers_per_process: 1_100_000,
        names_per_process: 1_100_000,
        steps_at_one_instant: u64::MAX,
        records: 1024,
        ..Limits::default()
    };
    Kernel::builder().limits(limits).console(Captured::default()).build().expect("a kernel")
}

/// Runs a program that gives nanoseconds, and ends everything.
fn measure(main: impl FnOnce(&Sys) -> Result<f64, Errno> + 'static, operations: u64) -> f64 {
    let mut kernel = kernel();
    let nanos = Rc::new(Cell::new(f64::NAN));
    let result = nanos.clone();
    let main = program(move |sys: &Sys| main(sys).map(|nanos| result.set(nanos)));
    kernel.spawn("main", main).expect("room");
    let end = kernel.run_until(Until::Idle);
    assert!(matches!(end, End::Done), "{end}");
    let first = &kernel.report().records[0];
    assert!(first.status.is_success(), "{}", first.status);
    nanos.get() / operations as f64
}

/// So many children that wait until they are told to stop, and count what else they are sent.
fn park(sys: &Sys, count: u64, sum: &Rc<Cell<u64>>) -> Result<Vec<Pid>, Errno> {
    let parked = (0..count).map(|_| {
        let sum = sum.clone();
        sys.spawn("parked", move |sys: &Sys| {
            sys.sigprocmask(MaskHow::Block, SignalSet::SIGUSR1);
            loop {
                let event = sys.receive_event(Filter::any(), None)?;
                if event.name == STOP {
                    let pending = sys.sigpending().has(Signal::SIGUSR1);
                    sum.set(sum.get() + u64::from(pending));
                    return Ok::<(), Errno>(());
                }
                sum.set(sum.get() + 1);
            }
        })
    });
    let parked = parked.collect::<Result<Vec<Pid>, Errno>>()?;
    settle(sys)?;
    Ok(parked)
}

/// Lets everybody else run until nobody can.
fn settle(sys: &Sys) -> Result<(), Errno> {
    sys.sleep(Duration::from_nanos(1))
}

fn stop(sys: &Sys, parked: &[Pid]) -> Result<(), Errno> {
    parked.iter().try_for_each(|&pid| sys.send_event(pid, STOP, ()))?;
    settle(sys)
}

/// The clock runs from the last process's first yield to the last yield of all.
fn yields(count: u64, operations: u64) -> f64 {
    let rounds = operations.div_ceil(count).max(4);
    let work = move |sys: &Sys| {
        let sum = Rc::new(Cell::new(0));
        let (from, to) = (Rc::new(Cell::new(now())), Rc::new(Cell::new(now())));
        for _ in 0..count {
            let (sum, from, to) = (sum.clone(), from.clone(), to.clone());
            sys.spawn("yields", move |sys: &Sys| {
                for _ in 0..=rounds {
                    sum.set(sum.get() + 1);
                    if sum.get() == count {
                        from.set(now());
                    } else if sum.get() == count * (rounds + 1) {
                        to.set(now());
                    }
                    sys.yield_now();
                }
            })?;
        }
        settle(sys)?;
        assert_eq!(sum.get(), count * (rounds + 1));
        Ok((to.get() - from.get()).as_secs_f64() * 1e9)
    };
    measure(work, rounds * count)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the host's clock")]
fn now() -> Instant {
    Instant::now()
}

fn spawns(count: u64, operations: u64) -> f64 {
    let work = move |sys: &Sys| {
        let parked = park(sys, count, &Rc::default())?;
        let ran = Rc::new(Cell::new(0));
        let (nanos, done) = time(|| {
            for _ in 0..operations {
                let ran = ran.clone();
                let child = sys.spawn("child", move |_| ran.set(ran.get() + 1))?;
                sys.wait(child, None)?;
            }
            Ok(())
        });
        done?;
        assert_eq!(ran.get(), operations);
        stop(sys, &parked)?;
        Ok(nanos)
    };
    measure(work, operations)
}

fn sends(count: u64, operations: u64) -> f64 {
    let work = move |sys: &Sys| {
        let sum = Rc::new(Cell::new(0));
        let parked = park(sys, count, &sum)?;
        let (nanos, done) = time(|| {
            for round in 0..operations / count {
                parked.iter().try_for_each(|&pid| sys.send_event(pid, PING, round))?;
                settle(sys)?;
            }
            Ok(())
        });
        done?;
        assert_eq!(sum.get(), operations / count * count);
        stop(sys, &parked)?;
        Ok(nanos)
    };
    measure(work, operations / count * count)
}

fn timers(count: u64, operations: u64) -> f64 {
    let work = move |sys: &Sys| {
        let second = Duration::from_secs(1);
        let mut armed = Vec::new();
        for i in 0..count {
            armed.push(sys.timer(second + Duration::from_nanos(i * 1_003))?);
        }
        let (nanos, left) = time(|| {
            let mut left = 0;
            for i in 0..operations {
                let span = Duration::from_nanos(1 + i * 7_919 % 2_000_000_000);
                let timer = sys.timer(span)?;
                left += u64::from(sys.cancel(timer)? == span);
            }
            Ok(left)
        });
        assert_eq!(left?, operations);
        armed.into_iter().try_for_each(|timer| sys.cancel(timer).map(drop))?;
        Ok(nanos)
    };
    measure(work, operations)
}

fn events(count: u64, operations: u64) -> f64 {
    let work = move |sys: &Sys| {
        let me = sys.getpid();
        (0..count).try_for_each(|_| sys.send_event(me, STOP, ()))?;
        let (nanos, sum) = time(|| {
            let mut sum = 0;
            for i in 0..operations {
                sys.send_event(me, PING, i)?;
                sum += sys.receive_event(Filter::name(PING), None)?.data.as_int().unwrap_or(0);
            }
            Ok(sum)
        });
        assert_eq!(sum?.cast_unsigned(), operations * (operations - 1) / 2);
        Ok(nanos)
    };
    measure(work, operations)
}

fn names(count: u64, operations: u64) -> f64 {
    let work = move |sys: &Sys| {
        let me = sys.getpid();
        let names: Vec<Name> = (0..count).map(|i| Name::from(format!("service {i}"))).collect();
        names.iter().try_for_each(|name| sys.register(name.clone()))?;
        let (nanos, found) = time(|| {
            let mut names = names.iter().cycle();
            let mut look_up =
                || names.next().is_some_and(|name| sys.lookup(name.clone()) == Some(me));
            (0..operations).filter(|_| look_up()).count() as u64
        });
        assert_eq!(found, operations);
        Ok(nanos)
    };
    measure(work, operations)
}

fn signals(count: u64, operations: u64) -> f64 {
    let work = move |sys: &Sys| {
        let sum = Rc::new(Cell::new(0));
        let parked = park(sys, count, &sum)?;
        let (nanos, done) = time(|| {
            for pid in parked.iter().cycle().take(usize::try_from(operations).unwrap_or(0)) {
                sys.kill(*pid, Signal::SIGUSR1)?;
            }
            Ok(())
        });
        done?;
        stop(sys, &parked)?;
        assert_eq!(sum.get(), count, "each had the signal pending");
        Ok(nanos)
    };
    measure(work, operations)
}
