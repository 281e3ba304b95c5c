use std::cell::Cell;
use std::rc::Rc;

use hothouse_sys::{Action, Errno, Filter, Name, Pid, Signal, Sys, program};

use super::watch::Watch;
use super::{Bench, BenchError, check, run};

const STOP: Name = Name::short("stop");

/// Row 17: a process signals itself, and its handler counts.
pub(super) fn to_oneself(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(1)?;
    let (watch, handled) = (Watch::new(), Rc::new(Cell::new(0)));
    let (clock, counter) = (watch.clone(), handled.clone());
    let main = program(move |sys: &Sys| {
        let handler = Action::handler(move |_, _| counter.set(counter.get() + 1));
        sys.sigaction(Signal::SIGUSR1, handler)?;
        let me = sys.getpid();
        clock.start();
        for _ in 0..count {
            sys.kill(me, Signal::SIGUSR1)?;
        }
        clock.stop();
        Ok::<(), Errno>(())
    });
    kernel.spawn("signals", main).expect("room");
    let nanos = run(kernel, &watch, count)?;
    check("the signals that were handled", handled.get(), count)?;
    Ok(nanos)
}

/// Row 17: two processes that wait for an event signal each other from their handlers.
pub(super) fn to_another(bench: &Bench, count: u64) -> Result<f64, BenchError> {
    let mut kernel = bench.kernel(2)?;
    let (watch, handled) = (Watch::new(), Rc::new(Cell::new(0)));
    let pids = [1, 2].map(Pid::new);
    for (pid, other) in [(pids[0], pids[1]), (pids[1], pids[0])] {
        let (clock, counter) = (watch.clone(), handled.clone());
        let main = program(move |sys: &Sys| {
            let handler = Action::handler(move |sys: &Sys, _| {
                counter.set(counter.get() + 1);
                if counter.get() < count {
                    // It waits, and is there until it is told to stop.
                    let _ = sys.kill(other, Signal::SIGUSR1);
                    return;
                }
                clock.stop();
                for pid in [pid, other] {
                    let _ = sys.send_event(pid, STOP, ());
                }
            });
            sys.sigaction(Signal::SIGUSR1, handler)?;
            sys.receive_event(Filter::name(STOP), None).map(drop)
        });
        kernel.spawn("signals", main).expect("room");
    }
    for _ in pids {
        kernel.step();
    }
    watch.start();
    kernel.kill(pids[0], Signal::SIGUSR1).expect("it waits");
    let nanos = run(kernel, &watch, count)?;
    check("the signals that were handled", handled.get(), count)?;
    Ok(nanos)
}
