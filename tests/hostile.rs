//! Programs that do their worst. Whatever they do hurts their own process only: bystanders go on,
//! and nothing is left behind.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hothouse::{Action, Errno, ExitStatus, Filter, MaskHow, Pid, Signal, Sys, Tick, program};
use hothouse_tests::{Run, scenario};

use crate::fault::{self, Fault};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const VICTIM: u64 = 3;

/// Runs its closure when it is dropped.
pub(crate) struct Defer<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Recurses until the stack is used up.
#[allow(unconditional_recursion)]
pub(crate) fn overflow(depth: u64) -> u64 {
    let local = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + local[depth as usize % 64]
}

/// Runs a victim as pid 3, beside two bystanders that talk to each other for half a second, and a
/// child of the kernel, pid 4, that does `then`. The bystanders must not notice.
pub(crate) fn beside(
    victim: impl Fn(&Sys) -> i32 + Clone + 'static,
    then: impl Fn(&Sys) + Clone + 'static,
) -> Run {
    let run = scenario(|kernel| {
        for peer in [2, 1] {
            let main = program(move |sys| talk(sys, Pid::new(peer)));
            kernel.spawn("bystander", main).expect("there is room");
        }
        let (victim, then) = (victim.clone(), then.clone());
        kernel.spawn("victim", program(move |sys| victim(sys))).expect("there is room");
        kernel.spawn("other", program(move |sys| then(sys))).expect("there is room");
    });
    for bystander in [1, 2] {
        assert_eq!(run.exit(bystander).status, ExitStatus::Exited(50.into()));
    }
    assert_eq!(run.exit(4).status, ExitStatus::Exited(().into()), "{:?}", run.diagnostics);
    run
}

fn talk(sys: &Sys, peer: Pid) -> Result<i32, Errno> {
    for number in 0..50 {
        sys.send_event(peer, "word", number)?;
        let word = sys.receive_event(Filter::sender(peer), Some(SECOND))?;
        assert_eq!(word.data.as_int(), Some(number));
        sys.sleep(10 * MS)?;
    }
    Ok(50)
}

/// Signals one that may be gone.
pub(crate) fn kill(sys: &Sys, pid: Pid, signal: Signal) {
    let _ = sys.kill(pid, signal);
}

pub(crate) fn alone(victim: impl Fn(&Sys) -> i32 + Clone + 'static) -> Run {
    beside(victim, |_| ())
}

/// Kills the victim with this signal after 10 ms.
pub(crate) fn killed_by(signal: Signal, victim: impl Fn(&Sys) -> i32 + Clone + 'static) -> Run {
    beside(victim, move |sys| {
        sys.sleep(10 * MS).unwrap();
        sys.kill(Pid::new(VICTIM), signal).unwrap();
    })
}

pub(crate) fn panicked(run: &Run, text: &str) {
    match &run.exit(VICTIM).status {
        ExitStatus::Panicked(message) => assert!(message.starts_with(text), "{message}"),
        other => panic!("{other:?} instead of a panic"),
    }
}

#[test]
fn panic_in_main() {
    panicked(&alone(|_| panic!("on purpose")), "on purpose at tests/hostile.rs:");
}

#[test]
fn panic_in_handler() {
    let run = killed_by(Signal::SIGINT, |sys| {
        sys.sigaction(Signal::SIGINT, Action::handler(|_, _| panic!("in the handler"))).unwrap();
        sys.sleep(SECOND).unwrap();
        0
    });
    panicked(&run, "in the handler");
    assert_eq!(run.exit(VICTIM).ended_at, Tick::from_nanos(10_000_000));
}

#[test]
fn panic_in_destructor() {
    let run = alone(|_| {
        drop(Defer(|| panic!("in the destructor")));
        0
    });
    panicked(&run, "in the destructor");
}

#[test]
fn panic_in_destructor_while_panicking() {
    let run = alone(|_| {
        let _defer = Defer(|| panic!("second"));
        panic!("first");
    });
    panicked(&run, "second");
    assert_eq!(run.report.counters.abandoned, 1);
}

#[test]
fn panic_in_destructor_while_killed() {
    let run = killed_by(Signal::SIGKILL, |sys| {
        let _defer = Defer(|| panic!("too late"));
        sys.sleep(SECOND).unwrap();
        0
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
}

#[test]
fn panic_in_exit_hook() {
    let run = alone(|sys| {
        sys.at_exit(|_| panic!("in the hook"));
        sys.at_exit(|sys| sys.log("second hook"));
        5
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(5.into()));
    assert_eq!(run.lines, ["[0.000000000] 3 victim: second hook"]);
    assert!(run.diagnostics.iter().any(|line| line.contains("in the hook")));
}

#[test]
fn deep_recursion() {
    let run = alone(|_| overflow(0) as i32);
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGSEGV));
}

#[test]
fn null_pointer() {
    let run = alone(|_| fault::read(0));
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGSEGV));
}

#[test]
fn fault_in_a_handler_and_in_a_hook() {
    let run = killed_by(Signal::SIGINT, |sys| {
        sys.sigaction(Signal::SIGINT, Action::handler(|_, _| _ = fault::read(8))).unwrap();
        sys.sleep(SECOND).unwrap();
        0
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGSEGV));
    let run = alone(|sys| {
        sys.at_exit(|_| _ = overflow(0));
        0
    });
    assert!(!run.exit(VICTIM).status.is_success() || run.report.counters.abandoned == 1);
}

#[test]
fn handler_that_never_returns() {
    let run = beside(
        |sys| {
            let for_ever = |sys: &Sys, _| {
                loop {
                    sys.sleep(10 * MS).unwrap();
                }
            };
            sys.sigaction(Signal::SIGTERM, Action::handler(for_ever)).unwrap();
            let _ = sys.receive_event(Filter::any(), None);
            0
        },
        |sys| {
            let victim = Pid::new(VICTIM);
            for _ in 0..20 {
                sys.sleep(10 * MS).unwrap();
                assert_eq!(sys.kill(victim, Signal::SIGTERM), Ok(()));
                assert_eq!(sys.send_event(victim, "word", ()), Ok(()));
            }
            assert_eq!(sys.getpinfo(victim).unwrap().mailbox_depth, 20);
            sys.kill(victim, Signal::SIGKILL).unwrap();
        },
    );
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
}

#[test]
fn handler_that_exits() {
    let run = killed_by(Signal::SIGTERM, |sys| {
        sys.sigaction(Signal::SIGTERM, Action::handler(|sys, _| sys.exit(4))).unwrap();
        sys.at_exit(|sys| sys.log("hook"));
        let _defer = Defer(|| sys.log("destructor"));
        let _ = sys.receive_event(Filter::any(), None);
        0
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(4.into()));
    let texts: Vec<_> = run.lines.iter().map(|line| &line[line.len() - 4..]).collect();
    assert_eq!(texts, ["hook", "ctor"]);
}

#[test]
fn storm_of_stops_and_continues() {
    let run = beside(
        |sys| {
            let mut heard = 0;
            while heard < 1000 {
                sys.compute(Duration::from_micros(7)).unwrap();
                while sys.receive_event(Filter::any(), Some(Duration::from_micros(50))).is_ok() {
                    heard += 1;
                }
            }
            heard
        },
        |sys| {
            let victim = Pid::new(VICTIM);
            for number in 0..1000 {
                let signal = if number % 3 == 2 { Signal::SIGCONT } else { Signal::SIGTSTP };
                sys.kill(victim, signal).unwrap();
                sys.send_event(victim, "word", number).unwrap();
                sys.sleep(Duration::from_micros(sys.random() % 100)).unwrap();
            }
            sys.kill(victim, Signal::SIGCONT).unwrap();
        },
    );
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(1000.into()));
}

#[test]
fn killed_in_a_handler_over_a_handler() {
    let run = beside(
        |sys| {
            for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM] {
                let handler = move |sys: &Sys, _| {
                    let _defer = Defer(|| sys.log(signal.name()));
                    let _ = sys.sleep(SECOND);
                };
                sys.sigaction(signal, Action::handler(handler)).unwrap();
            }
            let _defer = Defer(|| sys.log("main"));
            let _ = sys.receive_event(Filter::any(), None);
            0
        },
        |sys| {
            let victim = Pid::new(VICTIM);
            for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM, Signal::SIGKILL] {
                sys.sleep(10 * MS).unwrap();
                sys.kill(victim, signal).unwrap();
            }
            assert_eq!(sys.kill(victim, 0), Err(Errno::ESRCH));
        },
    );
    let order: Vec<_> = run.lines.iter().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(order, ["SIGALRM", "SIGUSR2", "SIGUSR1", "main"]);
    assert_eq!(run.report.counters.abandoned, 0);
}

#[test]
fn handlers_over_handlers_are_bounded() {
    let run = alone(|sys| {
        let (runs, depth) = (Rc::new(Cell::new(0)), Rc::new(Cell::new((0, 0))));
        let (counted, deepest) = (runs.clone(), depth.clone());
        let handler = move |sys: &Sys, signal: Signal| {
            let (now, most) = deepest.get();
            deepest.set((now + 1, most.max(now + 1)));
            counted.set(counted.get() + 1);
            if counted.get() < 200 {
                sys.sigprocmask(MaskHow::Unblock, signal.into());
                kill(sys, sys.getpid(), signal);
            }
            let (now, most) = deepest.get();
            deepest.set((now - 1, most));
        };
        sys.sigaction(Signal::SIGUSR1, Action::handler(handler)).unwrap();
        kill(sys, sys.getpid(), Signal::SIGUSR1);
        assert_eq!((runs.get(), depth.get()), (200, (0, 32)));
        0
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(0.into()));
}

#[test]
fn sigkill_in_the_exit_hooks() {
    let run = killed_by(Signal::SIGKILL, |sys| {
        sys.at_exit(|sys| {
            let _ = sys.sleep(100 * MS);
            sys.log("never");
        });
        sys.at_exit(|sys| sys.log("never"));
        1
    });
    assert_eq!(run.exit(VICTIM).ended_at, Tick::from_nanos(10_000_000));
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
    assert_eq!(run.lines, Vec::<String>::new());
}

#[test]
fn hooks_that_never_end() {
    for compute in [false, true] {
        let run = scenario(|kernel| {
            let main = program(move |sys: &Sys| {
                sys.at_exit(move |sys| {
                    while compute || sys.sleep(300 * MS).is_ok() {
                        sys.compute(300 * MS).unwrap();
                    }
                });
                sys.at_exit(|sys| sys.log("never"));
                6
            });
            kernel.spawn("victim", main).expect("there is room");
        });
        assert_eq!(run.exit(1).status, ExitStatus::Exited(6.into()));
        assert_eq!(run.exit(1).ended_at, Tick::from_nanos(1_000_000_000));
        assert_eq!(run.lines, Vec::<String>::new());
    }
}

#[test]
fn hooks_that_exit() {
    let run = alone(|sys| {
        sys.at_exit(|sys| sys.exit(99));
        2
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(2.into()));
}

#[test]
fn every_fault_is_told_with_pid_name_and_place() {
    for fault in Fault::ALL {
        let run = alone(move |_| fault.strike());
        let exit = run.exit(VICTIM);
        assert!(fault.is_told_by(&exit.status), "{fault:?}: {exit:?}");
        assert_eq!((exit.pid.number(), exit.name == "victim"), (VICTIM, true), "{fault:?}");
        let told = run.diagnostics.join("\n");
        assert!(told.contains(" 3 victim: "), "{fault:?}: {told}");
        if fault.signal().is_some() {
            let place = exit.place.as_deref().unwrap_or_else(|| panic!("{fault:?}: {exit:?}"));
            assert!(told.contains(place), "{fault:?}: {told}");
            assert!(place.contains(".rs:"), "{fault:?}: {place}");
        } else {
            assert!(told.contains("at tests/fault.rs:"), "{fault:?}: {told}");
        }
    }
}

#[test]
fn ten_thousand_processes_of_which_a_third_fault() {
    const COUNT: u64 = 10_000;
    let faults = Rc::new(Cell::new(0));
    let counted = faults.clone();
    let run = scenario(move |kernel| {
        counted.set(0);
        let counted = counted.clone();
        kernel.spawn("main", program(move |sys| spawn_many(sys, COUNT, &counted))).unwrap();
    });
    assert_eq!(run.exit(1).status, ExitStatus::Exited(().into()), "{:?}", run.report.counters);
    let faults = faults.get();
    assert!((COUNT / 4..COUNT / 2).contains(&faults), "{faults}");
}

/// The fault that stands for a fate, of which a third are one.
fn fault(fate: u64) -> Option<Fault> {
    Fault::ALL.get(fate as usize).copied()
}

/// Starts `count` workers, sends each three messages, and checks what became of them.
fn spawn_many(sys: &Sys, count: u64, faults: &Cell<u64>) {
    const FATES: u64 = 3 * Fault::ALL.len() as u64;
    let mut workers = Vec::new();
    for _ in 0..count {
        workers.push((sys.spawn("worker", worker).unwrap(), sys.random() % FATES));
    }
    for number in 0..3 {
        for (pid, fate) in &workers {
            // Those that have faulted get no more.
            let fate_now = if number == 1 { *fate } else { FATES };
            let sent = sys.send_event(*pid, "work", fate_now as i64);
            assert!(sent.is_ok() || fault(*fate).is_some());
        }
        sys.sleep(MS).unwrap();
    }
    for (pid, fate) in workers {
        let exit = sys.wait(pid, None).unwrap();
        assert!(exit.pid == pid && exit.name == "worker", "{exit:?}");
        match fault(fate) {
            Some(fault) => {
                faults.set(faults.get() + 1);
                assert!(fault.is_told_by(&exit.status), "{fault:?}: {exit:?}");
                assert_eq!(exit.place.is_some(), fault.signal().is_some(), "{fault:?}: {exit:?}");
            }
            None => assert_eq!(exit.status, ExitStatus::Exited(3.into()), "{exit:?}"),
        }
    }
}

fn worker(sys: &Sys) -> Result<i32, Errno> {
    let held = RefCell::new(Vec::new());
    for _ in 0..3 {
        let work = sys.receive_event(Filter::name("work"), Some(SECOND))?;
        match fault(work.data.as_int().unwrap() as u64) {
            Some(fault) => return Ok(fault.strike()),
            None => held.borrow_mut().push(work),
        }
    }
    Ok(held.into_inner().len() as i32)
}
