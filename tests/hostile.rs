//! Programs that do their worst. Whatever they do hurts their own process only: bystanders go on,
//! and nothing is left behind.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use hothouse::{
    Action, Errno, ExitStatus, Filter, LockKind, MaskHow, Pid, Protocol, Signal, SignalSet, Sys,
    Tick, program,
};
use hothouse_tests::{Notes, Run, scenario};

use crate::fault;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const VICTIM: u64 = 3;

/// Runs its closure when it is dropped.
struct Defer<F: FnMut()>(F);

impl<F: FnMut()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Recurses until the stack is used up.
#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let local = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + local[depth as usize % 64]
}

/// Runs a victim as pid 3, beside two bystanders that talk to each other for half a second, and a
/// child of the kernel, pid 4, that does `then`. The bystanders must not notice.
fn beside(
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
fn kill(sys: &Sys, pid: Pid, signal: Signal) {
    let _ = sys.kill(pid, signal);
}

fn alone(victim: impl Fn(&Sys) -> i32 + Clone + 'static) -> Run {
    beside(victim, |_| ())
}

/// Kills the victim with this signal after 10 ms.
fn killed_by(signal: Signal, victim: impl Fn(&Sys) -> i32 + Clone + 'static) -> Run {
    beside(victim, move |sys| {
        sys.sleep(10 * MS).unwrap();
        sys.kill(Pid::new(VICTIM), signal).unwrap();
    })
}

fn panicked(run: &Run, text: &str) {
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

/// Makes every call that parks and gives the names of those that did anything but `EINTR`.
fn parking_calls(sys: &Sys, locks: &[hothouse::LockId]) -> Vec<String> {
    let [mutex, semaphore, condition, barrier] = locks else { panic!("four locks") };
    let peer = Pid::new(1);
    let mut wrong = Vec::new();
    let mut check = |name: &str, result: Result<(), Errno>| {
        if result != Err(Errno::EINTR) {
            wrong.push(format!("{name} {result:?}"));
        }
    };
    for timeout in [None, Some(Duration::ZERO), Some(MS)] {
        check("receive", sys.receive_event(Filter::any(), timeout).map(drop));
        check("next", sys.next_event(timeout).map(drop));
        check("filter", sys.filter_event(["word"], timeout).map(drop));
        check("call", sys.call(peer, "ask", (), timeout).map(drop));
        check("wait", sys.wait(None, timeout).map(drop));
        check("sigwait", sys.sigwait(SignalSet::SIGUSR1, timeout).map(drop));
        check("lock", sys.lock(*mutex, timeout).map(drop));
        check("acquire", sys.acquire(*semaphore, timeout));
        check("condition", sys.wait_condition(*condition, *mutex, timeout).map(drop));
        check("barrier", sys.wait_barrier(*barrier, timeout).map(drop));
    }
    check("sleep", sys.sleep(MS));
    check("sleep_until", sys.sleep_until(Tick::MAX));
    check("compute", sys.compute(MS));
    sys.yield_now();
    wrong
}

/// Makes every call that does not park, and checks those that must still work.
fn other_calls(sys: &Sys, notes: &Notes) {
    let other = Pid::new(4);
    assert_eq!(sys.getpid(), Pid::new(VICTIM));
    assert_eq!(sys.now(), Tick::from_nanos(10_000_000));
    sys.log("dying");
    assert_eq!(sys.send_event(other, "farewell", 7), Ok(()));
    assert_eq!(sys.kill(other, 0), Ok(()));
    let _ = (sys.getppid(), sys.getuser(), sys.getname(), sys.getplist(), sys.random());
    let _ = (sys.getpinfo(other), sys.nice(3, None), sys.setuser("root"));
    let _ = sys.sigaction(Signal::SIGINT, Action::handler(|_, _| ()));
    let _ = (sys.sigprocmask(MaskHow::Block, SignalSet::all()), sys.sigpending());
    let _ = (sys.queue_event("own", ()), sys.peek_event());
    let _ = (sys.register("dying"), sys.register("dying2"), sys.unregister("dying2"));
    let _ = sys.lookup("dying");
    let _ = (sys.monitor(other), sys.monitor(sys.getpid()), sys.demonitor(other));
    let _ = (sys.timer(MS), sys.alarm(Tick::MAX));
    let lock = sys.create_lock(LockKind::Mutex(Protocol::Inherit));
    let _ = lock.map(|id| sys.try_lock(id));
    sys.notices(true);
    sys.at_exit(|_| panic!("hooks of the dead do not run"));
    sys.diagnose("dying");
    notes.add("done");
}

fn traps_of_the_dying(end: impl Fn(&Sys) + Clone + 'static, signal: Signal) -> Run {
    let notes = Notes::default();
    let noted = notes.clone();
    let victim = move |sys: &Sys| {
        let kinds = [
            LockKind::Mutex(Protocol::None),
            LockKind::Semaphore(1),
            LockKind::Condition,
            LockKind::Barrier(1),
        ];
        let locks: Vec<_> = kinds.map(|kind| sys.create_lock(kind).unwrap()).into();
        sys.lock(locks[0], None).unwrap();
        let _defer = Defer(|| {
            let wrong = parking_calls(sys, &locks);
            noted.add(wrong.join(", "));
            other_calls(sys, &noted);
        });
        end(sys);
        0
    };
    let run = beside(victim, move |sys| {
        sys.sleep(10 * MS).unwrap();
        kill(sys, Pid::new(VICTIM), signal);
        let farewell = sys.receive_event(Filter::name("farewell"), Some(SECOND)).unwrap();
        assert_eq!(farewell.data.as_int(), Some(7));
        assert_eq!(sys.lookup("dying"), None);
    });
    // Twice, for the scenario runs twice.
    assert_eq!(notes.take(), ["", "done", "", "done"]);
    assert_eq!(run.report.counters.abandoned, 0, "{:?}", run.diagnostics);
    run
}

#[test]
fn traps_of_a_killed_process() {
    let run = traps_of_the_dying(|sys| _ = sys.sleep(SECOND), Signal::SIGKILL);
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
}

#[test]
fn traps_of_a_terminated_process() {
    let run = traps_of_the_dying(|sys| drop(sys.next_event(None)), Signal::SIGTERM);
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGTERM));
}

#[test]
fn traps_of_an_exiting_process() {
    let end = |sys: &Sys| {
        let _ = sys.sleep(10 * MS);
        sys.exit(9)
    };
    let run = traps_of_the_dying(end, Signal::SIGCHLD);
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(9.into()));
}

/// A victim that catches its unwinding `times` times.
fn swallows(times: u32) -> Run {
    killed_by(Signal::SIGKILL, move |sys| {
        for _ in 0..times {
            let _ = catch_unwind(AssertUnwindSafe(|| sys.sleep(SECOND)));
        }
        let _ = sys.sleep(SECOND);
        1
    })
}

#[test]
fn swallowed_unwinding() {
    for (times, abandoned) in [(1, 0), (3, 0), (1000, 1)] {
        let run = swallows(times);
        assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
        assert_eq!(run.report.counters.abandoned, abandoned, "after {times} times");
        assert_eq!(run.exit(VICTIM).ended_at, Tick::from_nanos(10_000_000));
    }
}

#[test]
fn exit_in_a_destructor() {
    let run = killed_by(Signal::SIGTERM, |sys| {
        let _defer = Defer(|| sys.exit(77));
        let _ = sys.sleep(SECOND);
        0
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGTERM));
}

#[test]
fn exit_in_a_destructor_runs_no_hook_after_sigkill() {
    let run = killed_by(Signal::SIGKILL, |sys| {
        sys.at_exit(|sys| sys.log("hook"));
        let _defer = Defer(|| sys.exit(77));
        let _ = sys.sleep(SECOND);
        0
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
    assert_eq!(run.lines, Vec::<String>::new());
}

#[test]
fn kills_in_a_destructor() {
    let seen = Notes::default();
    let noted = seen.clone();
    let victim = move |sys: &Sys| {
        let child = sys.spawn("child", |sys| sys.sleep(SECOND)).unwrap();
        let _defer = Defer(|| {
            noted.add(format!("{:?}", sys.kill(sys.getpid(), Signal::SIGKILL)));
            noted.add(format!("{:?}", sys.kill(child, Signal::SIGKILL)));
            noted.add(format!("{:?}", sys.kill(child, 0)));
        });
        let _ = sys.sleep(SECOND);
        0
    };
    let run = killed_by(Signal::SIGTERM, victim);
    assert_eq!(seen.take()[..3], ["Err(ESRCH)", "Ok(())", "Err(ESRCH)"]);
    assert_eq!(run.report.counters.ended, 5);
    assert_eq!(run.report.now, Tick::from_nanos(500_000_000));
}

#[test]
fn kill_of_oneself_while_panicking() {
    let run = alone(|sys| {
        let _defer = Defer(|| kill(sys, sys.getpid(), Signal::SIGKILL));
        panic!("first");
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
}

#[test]
fn chain_of_kills_in_destructors() {
    const LINKS: u64 = 1000;
    let run = beside(
        |sys| {
            for _ in 0..LINKS {
                sys.spawn("link", |sys| {
                    let next = Pid::new(sys.getpid().number() + 1);
                    let _defer = Defer(|| kill(sys, next, Signal::SIGKILL));
                    sys.sleep(SECOND)
                })
                .unwrap();
            }
            sys.sleep(10 * MS).unwrap();
            sys.kill(Pid::new(5), Signal::SIGKILL).unwrap();
            let all = sys.getplist();
            assert!(all.iter().all(|pid| pid.number() < 5), "{} are left", all.len());
            0
        },
        |sys| sys.sleep(SECOND).unwrap(),
    );
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(0.into()));
    assert_eq!(run.report.counters.ended, LINKS + 4);
}

#[test]
fn chain_of_kills_while_panicking() {
    let run = alone(|sys| {
        for _ in 0..100 {
            sys.spawn("link", |sys| {
                let next = Pid::new(sys.getpid().number() + 1);
                let _defer = Defer(|| kill(sys, next, Signal::SIGTERM));
                sys.sleep(SECOND)
            })
            .unwrap();
        }
        sys.sleep(10 * MS).unwrap();
        let _defer = Defer(|| kill(sys, Pid::new(5), Signal::SIGTERM));
        panic!("starts the chain");
    });
    panicked(&run, "starts the chain");
    assert_eq!(run.report.counters.ended, 104);
    assert!(run.report.now < Tick::from_nanos(1_000_000_000));
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
fn fault_in_a_destructor_of_the_dying() {
    let run = killed_by(Signal::SIGKILL, |sys| {
        let _defer = Defer(|| assert_eq!(fault::read(0), 0));
        let _ = sys.sleep(SECOND);
        0
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Signaled(Signal::SIGKILL));
    assert_eq!(run.report.counters.abandoned, 1);
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
fn spawns_in_destructors() {
    let run = killed_by(Signal::SIGKILL, |sys| {
        let _defer = Defer(|| {
            for _ in 0..10 {
                let late = |sys: &Sys| sys.log(format!("child of {}", sys.getppid()));
                sys.spawn("late", late).unwrap();
            }
        });
        let _ = sys.sleep(SECOND);
        0
    });
    assert_eq!(run.lines.len(), 10);
    assert!(run.lines.iter().all(|line| line.ends_with("late: child of 0")));
}

#[test]
fn captured_values_that_panic_when_dropped_before_the_first_run() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let run = alone(|sys| {
        let bombs = vec![Bomb, Bomb];
        let child = sys.spawn("bomb", move |_| drop(bombs)).unwrap();
        sys.kill(child, Signal::SIGKILL).unwrap();
        let exit = sys.wait(child, None).unwrap();
        assert_eq!(exit.status, ExitStatus::Signaled(Signal::SIGKILL));
        let bomb = Bomb;
        let child = sys.spawn("bomb", move |_| drop(bomb)).unwrap();
        sys.kill(child, Signal::SIGTERM).unwrap();
        let exit = sys.wait(child, None).unwrap();
        assert_eq!(exit.status, ExitStatus::Signaled(Signal::SIGTERM));
        3
    });
    assert_eq!(run.exit(VICTIM).status, ExitStatus::Exited(3.into()), "{:?}", run.diagnostics);
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
        assert_eq!((runs.get(), depth.get()), (200, (0, 64)));
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
fn ten_thousand_processes_of_which_a_third_fault() {
    const COUNT: i32 = 10_000;
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

/// Starts `count` workers, sends each three messages, and checks what became of them.
fn spawn_many(sys: &Sys, count: i32, faults: &Cell<i32>) {
    let mut workers = Vec::new();
    for _ in 0..count {
        workers.push((sys.spawn("worker", worker).unwrap(), sys.random() % 9));
    }
    for number in 0..3 {
        for (pid, fate) in &workers {
            // Those that have faulted get no more.
            let sent = sys.send_event(*pid, "work", if number == 1 { *fate } else { 9 });
            assert!(sent.is_ok() || *fate < 3);
        }
        sys.sleep(MS).unwrap();
    }
    for (pid, fate) in workers {
        let status = sys.wait(pid, None).unwrap().status;
        match (fate, &status) {
            (0, ExitStatus::Panicked(text)) => assert!(text.starts_with("worker")),
            (1 | 2, ExitStatus::Signaled(Signal::SIGSEGV)) => {}
            (3.., ExitStatus::Exited(value)) => assert_eq!(value.as_int(), Some(3)),
            _ => panic!("{pid} with fate {fate}: {status}"),
        }
        faults.set(faults.get() + i32::from(fate < 3));
    }
}

fn worker(sys: &Sys) -> Result<i32, Errno> {
    let held = RefCell::new(Vec::new());
    for _ in 0..3 {
        let work = sys.receive_event(Filter::name("work"), Some(SECOND))?;
        match work.data.as_int() {
            Some(0) => panic!("worker"),
            Some(1) => return Ok(overflow(0) as i32),
            Some(2) => return Ok(fault::read(64)),
            _ => held.borrow_mut().push(work),
        }
    }
    Ok(held.into_inner().len() as i32)
}
