use std::cell::Cell;
use std::rc::Rc;

use hothouse_abi::Scheduling;
use hothouse_kernel::{Stream, StreamKind};
use hothouse_sys::{Errno, Span, Sys, Tick, program};

use super::watch::time;
use super::{Bench, BenchError, check, finish};

/// Row 18: an M/M/1 queue with a load of 0.8. A source spawns a process for each customer, which
/// computes for as long as its service takes, and ends.
pub(super) fn mm1(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(count)?;
    // The sum of the times that customers spend in the system, and the same by Lindley's recursion.
    let (sojourn, lindley) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (sum, expected, served) = (sojourn.clone(), lindley.clone(), Rc::new(Cell::new(0)));
    let customers = served.clone();
    let source = program(move |sys: &Sys| {
        let mut stream = Stream::derive(18, StreamKind::Workload, 0);
        let (mut arrival, mut free) = (Tick::ZERO, Tick::ZERO);
        for _ in 0..count {
            arrival += exponential(&mut stream, 1_000_000.0);
            let service = exponential(&mut stream, 800_000.0);
            free = free.max(arrival) + service;
            expected.set(expected.get() + (free - arrival).nanos());
            sys.sleep_until(arrival)?;
            let (sum, served) = (sum.clone(), customers.clone());
            sys.spawn("customer", move |sys: &Sys| {
                sys.compute(service.duration())?;
                sum.set(sum.get() + (sys.now() - arrival).nanos());
                served.set(served.get() + 1);
                Ok::<(), Errno>(())
            })?;
            // What its customers were told at their ends is not kept.
            while sys.wait(None, Some(std::time::Duration::ZERO)).is_ok() {}
        }
        Ok::<(), Errno>(())
    });
    kernel.spawn("source", source).expect("room");
    let (nanos, done) = time(|| finish(&mut kernel));
    done?;
    check("the customers served", served.get(), count)?;
    if bench.is_plain() {
        check("the time spent in the system", sojourn.get(), lindley.get())?;
    }
    Ok(nanos / count as f64)
}

fn exponential(stream: &mut Stream, mean: f64) -> Span {
    let nanos = -mean * (1.0 - stream.unit_f64()).ln();
    Span::from_nanos((nanos as u64).max(1))
}

/// The periods of the tasks, in milliseconds. Each asks for 8 % of the CPU.
const PERIODS: [u64; 10] = [10, 20, 25, 40, 50, 80, 100, 125, 160, 200];

/// Row 19: ten periodic tasks under `edf` for so many simulated seconds, for each job.
pub(super) fn edf(bench: &Bench, seconds: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.builder("edf", PERIODS.len() as u64).build()?;
    let (done, late) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let mut jobs = 0;
    for period in PERIODS {
        let count = seconds * 1_000 / period;
        jobs += count;
        let (done, late) = (done.clone(), late.clone());
        let period = Span::from_millis(period);
        let runtime = Span::from_nanos(period.nanos() / 100 * 8);
        let main = program(move |sys: &Sys| {
            let known = sys.sched_getattr(None)?;
            let wanted = Scheduling { deadline: Some(period), period: Some(period), ..known };
            sys.sched_setattr(None, wanted)?;
            let mut release = Tick::ZERO;
            for _ in 0..count {
                sys.begin_job(release, None)?;
                sys.compute(runtime.duration())?;
                release += period;
                done.set(done.get() + 1);
                late.set(late.get() + u64::from(sys.now() > release));
            }
            sys.end_job()
        });
        kernel.spawn("task", main).expect("room");
    }
    let (nanos, ended) = time(|| finish(&mut kernel));
    ended?;
    check("the number of jobs", done.get(), jobs)?;
    if bench.is_plain() {
        check("the jobs that were late", late.get(), 0)?;
    }
    Ok(nanos / jobs as f64)
}
