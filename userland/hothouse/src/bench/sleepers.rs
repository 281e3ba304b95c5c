use std::cell::Cell;
use std::rc::Rc;

use hothouse_kernel::{Stream, StreamKind};
use hothouse_sys::{Span, Sys, Tick, program};

use super::watch::{Watch, time};
use super::{Bench, BenchError, check, finish, run};

/// Row 13: each process sleeps once, to a random nanosecond of a second, and ends. From the first
/// spawn to the last end.
pub(super) fn sleepers(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(count)?;
    let mut stream = Stream::derive(13, StreamKind::Workload, 0);
    let exact = Rc::new(Cell::new(0));
    let (nanos, done) = time(|| {
        for _ in 0..count {
            let exact = exact.clone();
            let until = Tick::from_nanos(1 + stream.below(1_000_000_000));
            let main = program(move |sys: &Sys| {
                sys.sleep_until(until)?;
                exact.set(exact.get() + u64::from(sys.now() == until));
                Ok::<(), hothouse_sys::Errno>(())
            });
            kernel.spawn("sleeper", main).expect("room");
        }
        finish(&mut kernel)
    });
    done?;
    check("the sleepers that woke to the nanosecond", exact.get(), count)?;
    Ok(nanos / count as f64)
}

/// Row 14: processes that sleep random times, over and over.
pub(super) fn hold(bench: &Bench, processes: u64, count: u64) -> Result<f64, BenchError> {
    let rounds = count.div_ceil(processes);
    let total = processes * rounds;
    let mut kernel = bench.kernel(processes)?;
    let (watch, exact) = (Watch::new(), Rc::new(Cell::new(0)));
    for process in 0..processes {
        let (clock, exact) = (watch.clone(), exact.clone());
        let mut stream = Stream::derive(14, StreamKind::Workload, process);
        let main = program(move |sys: &Sys| {
            let mut until = Tick::ZERO;
            for _ in 0..rounds {
                let span = Span::from_nanos(1 + stream.below(1_000_000));
                until += span;
                sys.sleep(span.duration())?;
                exact.set(exact.get() + u64::from(sys.now() == until));
                if exact.get() == total {
                    clock.stop();
                }
            }
            Ok::<(), hothouse_sys::Errno>(())
        });
        kernel.spawn("holds", main).expect("room");
    }
    for _ in 0..processes {
        kernel.step();
    }
    watch.start();
    let nanos = run(kernel, &watch, total)?;
    check("the sleeps that were exact", exact.get(), total)?;
    Ok(nanos)
}
