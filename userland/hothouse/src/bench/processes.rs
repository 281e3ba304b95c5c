use std::cell::Cell;
use std::rc::Rc;

use hothouse_sys::{Errno, Filter, Name, Sys, program};

use super::watch::Watch;
use super::{Bench, BenchError, check, run};

const BATCH: u64 = 1_000;

/// Row 9: a parent spawns a batch, and waits for each of it.
pub(super) fn spawn(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let batches = count.div_ceil(BATCH);
    let mut kernel = bench.kernel(BATCH)?;
    let (watch, ran) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, counter) = (watch.clone(), ran.clone());
    let main = program(move |sys: &Sys| {
        clock.start();
        for _ in 0..batches {
            for _ in 0..BATCH {
                let counter = counter.clone();
                let child = move |_: &Sys| counter.set(counter.get() + 1);
                sys.spawn("child", child)?;
            }
            for _ in 0..BATCH {
                sys.wait(None, None)?;
            }
        }
        clock.stop();
        Ok::<(), Errno>(())
    });
    kernel.spawn("parent", main).expect("room");
    let nanos = run(kernel, &watch, batches * BATCH)?;
    check("the number of children", ran.get(), batches * BATCH)?;
    Ok(nanos)
}

const FAN: u64 = 10;
const SUM: Name = Name::short("sum");

/// Row 10: each process has ten children, down to the leaves, which send their numbers up; each sum
/// goes on up. Of at most `most` processes, so that each level is full.
pub(super) fn skynet(bench: &Bench, most: u64) -> Result<f64, BenchError> {
    let (mut leaves, mut processes) = (1, 1);
    while processes + leaves * FAN <= most {
        leaves *= FAN;
        processes += leaves;
    }
    let mut kernel = bench.kernel(processes)?;
    let (watch, sum) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, total) = (watch.clone(), sum.clone());
    let main = program(move |sys: &Sys| {
        clock.start();
        total.set(subtree(sys, 0, leaves)?);
        clock.stop();
        Ok::<(), Errno>(())
    });
    kernel.spawn("skynet", main).expect("room");
    let nanos = run(kernel, &watch, processes)?;
    check("the sum of the leaves", sum.get(), leaves * (leaves - 1) / 2)?;
    Ok(nanos)
}

/// The sum of the leaves of the subtree whose root the caller is.
fn subtree(sys: &Sys, first: u64, leaves: u64) -> Result<u64, Errno> {
    if leaves == 1 {
        return Ok(first);
    }
    let parent = sys.getpid();
    for child in 0..FAN {
        let (first, leaves) = (first + child * (leaves / FAN), leaves / FAN);
        sys.spawn("node", move |sys: &Sys| {
            let sum = subtree(sys, first, leaves)?;
            sys.send_event(parent, SUM, sum)
        })?;
    }
    let mut sum = 0;
    for _ in 0..FAN {
        let event = sys.receive_event(Filter::name(SUM), None)?;
        sum += event.data.as_int().map_or(0, i64::cast_unsigned);
    }
    Ok(sum)
}
