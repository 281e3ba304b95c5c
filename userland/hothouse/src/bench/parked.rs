use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hothouse_kernel::{Stream, StreamKind};
use hothouse_sys::{Errno, Filter, Name, Pid, Sys, program};

use super::watch::time;
use super::{Bench, BenchError, check, finish};

const WAKE: Name = Name::short("wake");
/// Time only passes once nobody can run, so a sleep of this length waits until all others park.
const MOMENT: Duration = Duration::from_nanos(1);

/// Row 12: what it takes to create processes up to the point where each waits for an event.
pub(super) fn create(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    parked(bench, count, |it| it.create)
}

/// Row 12: what it takes to wake all, in the order in which they were created, until each waits
/// again.
pub(super) fn wake(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    parked(bench, count, |it| it.wake)
}

/// Row 12: the same in random order.
pub(super) fn wake_at_random(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    parked(bench, count, |it| it.wake_at_random)
}

#[derive(Clone, Copy, Debug)]
struct Parked {
    create: f64,
    wake: f64,
    wake_at_random: f64,
}

fn parked(bench: &Bench, count: u64, of: fn(Parked) -> f64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(count + 1)?;
    let sum = Rc::new(Cell::new(0));
    let result = Rc::new(RefCell::new(None));
    let (total, parked) = (sum.clone(), result.clone());
    let main = program(move |sys: &Sys| {
        *parked.borrow_mut() = Some(measure(sys, count, &total)?);
        Ok::<(), Errno>(())
    });
    kernel.spawn("waker", main).expect("room");
    finish(&mut kernel)?;
    // Each process adds what it is sent: its own number, twice.
    check("the sum of what arrived", sum.get(), count * (count + 1))?;
    let parked = result.take().map(of);
    parked.map(|nanos| nanos / count as f64).ok_or_else(|| BenchError::End("too early".to_owned()))
}

fn measure(sys: &Sys, count: u64, sum: &Rc<Cell<u64>>) -> Result<Parked, Errno> {
    let mut pids = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let (create, done) = time(|| {
        for _ in 0..count {
            let sum = sum.clone();
            let child = move |sys: &Sys| {
                for _ in 0..2 {
                    let event = sys.receive_event(Filter::name(WAKE), None)?;
                    sum.set(sum.get() + event.data.as_int().map_or(0, i64::cast_unsigned));
                }
                sys.receive_event(Filter::name(WAKE), None).map(drop)
            };
            pids.push(sys.spawn("parked", child)?);
        }
        sys.sleep(MOMENT)
    });
    done?;
    let wake_all = |pids: &[Pid]| {
        let (nanos, done) = time(|| {
            for &pid in pids {
                // Pid 1 is the waker, so that the first of them is number 1.
                sys.send_event(pid, WAKE, pid.number() - 1)?;
            }
            sys.sleep(MOMENT)
        });
        done.map(|()| nanos)
    };
    let wake = wake_all(&pids)?;
    shuffle(&mut pids);
    let wake_at_random = wake_all(&pids)?;
    for &pid in &pids {
        sys.send_event(pid, WAKE, 0)?;
    }
    Ok(Parked { create, wake, wake_at_random })
}

fn shuffle(pids: &mut [Pid]) {
    let mut stream = Stream::derive(12, StreamKind::Workload, 0);
    for last in (1..pids.len()).rev() {
        let other = stream.below(last as u64 + 1);
        pids.swap(last, usize::try_from(other).expect("it is at most last"));
    }
}
