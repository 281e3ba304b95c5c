use std::cell::Cell;
use std::rc::Rc;

use hothouse_sys::{Sys, program};

use super::watch::{Watch, time};
use super::{Bench, BenchError, check, run};

/// Row 1: the unit.
pub(super) fn switch(_: &Bench, count: u64) -> Result<f64, BenchError> {
    let (nanos, sum) = time(|| hothouse_kernel::bare_round_trips(count));
    let expected = (0..count).fold(0_u64, |sum, i| sum.wrapping_add(i.wrapping_mul(3)));
    check("what came through the coroutine", sum, expected)?;
    Ok(nanos / count as f64)
}

/// Row 2.
pub(super) fn trap(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(1)?;
    let (watch, sum) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, total) = (watch.clone(), sum.clone());
    let main = program(move |sys: &Sys| {
        clock.start();
        total.set((0..count).map(|_| sys.getpid().number()).sum());
        clock.stop();
    });
    let pid = kernel.spawn("traps", main).expect("room");
    let nanos = run(kernel, &watch, count)?;
    check("the sum of pids", sum.get(), count * pid.number())?;
    Ok(nanos)
}

/// Rows 3 and 4. The stacks are bound before the clock starts, and no process has ended when it
/// stops.
pub(super) fn yields(bench: &Bench, processes: u64, count: u64) -> Result<f64, BenchError> {
    let rounds = count.div_ceil(processes);
    let total = processes * rounds;
    let mut kernel = bench.kernel(processes)?;
    let (watch, sum) = (Watch::new(), Rc::new(Cell::new(0)));
    for _ in 0..processes {
        let (clock, sum) = (watch.clone(), sum.clone());
        let main = program(move |sys: &Sys| {
            for _ in 0..rounds {
                sys.yield_now();
                sum.set(sum.get() + 1);
                if sum.get() == total {
                    clock.stop();
                }
            }
            sys.yield_now();
        });
        kernel.spawn("yields", main).expect("room");
    }
    for _ in 0..processes {
        kernel.step();
    }
    watch.start();
    let nanos = run(kernel, &watch, total)?;
    check("the number of yields", sum.get(), total)?;
    Ok(nanos)
}
