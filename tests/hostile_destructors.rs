//! Destructors that do their worst while their process is dying.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use hothouse::{
    Action, Errno, ExitStatus, Filter, LockKind, MaskHow, Pid, Protocol, Signal, SignalSet, Sys,
    Tick,
};
use hothouse_tests::{Notes, Run};

use crate::fault;
use crate::hostile::{Defer, MS, SECOND, VICTIM, alone, beside, kill, killed_by, panicked};

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
