use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use super::*;

fn resume_with(native: &mut Native, answer: Resume) -> Came {
    native.frame().resume = answer;
    native.resume()
}

#[test]
fn destructors_run_innermost_first() {
    let mut arena = arena();
    let log = Log::default();
    let [outer, inner] = ["outer", "inner"].map(|name| log.guard(name));
    let mut native = start(&mut arena, move |gate| {
        let _outer = outer;
        let _inner = inner;
        trap(gate);
        unreachable!("the trap does not return")
    });
    assert!(matches!(native.resume(), Came::Trapped));
    assert!(matches!(resume_with(&mut native, Resume::Unwind), Came::Ended(_)));
    assert_eq!(log.entries(), ["inner", "outer"]);
    native.finish(&mut arena);
    assert_eq!((arena.in_use(), arena.abandoned()), (0, 0));
    assert!(!thread::panicking());
}

#[test]
fn a_trap_of_a_destructor_is_marked_and_answered() {
    let mut arena = arena();
    let log = Log::default();
    let told = log.clone();
    let mut native = start(&mut arena, move |gate| {
        let _first = TrapOnDrop { gate, log: told.clone() };
        let _second = TrapOnDrop { gate, log: told.clone() };
        trap(gate);
        exited(0)
    });
    assert!(matches!(native.resume(), Came::Trapped));
    assert!(!native.frame().unwinding);
    assert!(matches!(resume_with(&mut native, Resume::Unwind), Came::Trapped));
    assert!(native.frame().unwinding);
    assert!(matches!(resume_with(&mut native, Resume::Unit), Came::Trapped));
    assert!(native.frame().unwinding);
    // An unwinding out of a destructor would abort: it becomes an error.
    assert!(matches!(resume_with(&mut native, Resume::Unwind), Came::Ended(_)));
    assert_eq!(log.entries(), ["answered", "refused"]);
    native.finish(&mut arena);
    assert_eq!((arena.in_use(), arena.abandoned()), (0, 0));
}

/// Kills a process as the driver does; whether it had to be abandoned.
fn kill(mut native: Native, arena: &mut Arena) -> bool {
    native.frame().resume = Resume::Unwind;
    let mut tries = 3;
    while let Came::Trapped = native.resume() {
        if native.frame().unwinding {
            native.frame().resume = Resume::Unit;
            continue;
        }
        if tries == 0 {
            native.abandon(arena);
            return true;
        }
        tries -= 1;
        native.frame().resume = Resume::Unwind;
    }
    native.finish(arena);
    false
}

fn swallows(times: u32) -> impl FnOnce(&dyn Gate) -> ExitStatus {
    move |gate| {
        for _ in 0..times {
            let _ = panic::catch_unwind(AssertUnwindSafe(|| trap(gate)));
        }
        trap(gate);
        exited(0)
    }
}

#[test]
fn a_swallowed_unwinding_gets_three_more_tries() {
    for (times, abandoned) in [(0, false), (3, false), (4, true), (u32::MAX, true)] {
        let mut arena = arena();
        let mut native = start(&mut arena, swallows(times));
        assert!(matches!(native.resume(), Came::Trapped));
        assert_eq!(kill(native, &mut arena), abandoned, "{times} times");
        assert_eq!(arena.abandoned(), usize::from(abandoned));
        assert_eq!(arena.in_use(), 0);
        assert!(!thread::panicking());
    }
}

#[test]
fn killed_in_the_middle_of_another_unwinding() {
    let mut arena = arena();
    let log = Log::default();
    let killed = log.clone();
    // The first's destructor traps; the kernel kills the others before it answers.
    let mut killer = start(&mut arena, {
        let log = log.clone();
        move |gate| {
            let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                let _guard = TrapOnDrop { gate, log };
                panic!("the killer's")
            }));
            assert!(caught.is_err());
            trap(gate);
            exited(1)
        }
    });
    let mut victim = start(&mut arena, move |gate| {
        let _guard = TrapOnDrop { gate, log: killed };
        trap(gate);
        exited(0)
    });
    let mut swallower = start(&mut arena, swallows(u32::MAX));
    assert!(matches!(victim.resume(), Came::Trapped));
    assert!(matches!(swallower.resume(), Came::Trapped));
    assert!(matches!(killer.resume(), Came::Trapped));
    assert!(killer.frame().unwinding && thread::panicking());
    assert!(!kill(victim, &mut arena));
    assert_eq!(log.entries(), ["answered"]);
    assert!(kill(swallower, &mut arena), "ends although the thread panics all the while");
    assert!(matches!(resume_with(&mut killer, Resume::Unit), Came::Trapped));
    assert!(!killer.frame().unwinding);
    assert!(matches!(end(&mut killer), Came::Ended(status) if status == exited(1)));
    assert!(!thread::panicking());
}

#[test]
fn on_a_thread_that_panics_anyway_a_process_runs_as_ever() {
    struct Late<'a>(&'a Cell<bool>);
    impl Drop for Late<'_> {
        fn drop(&mut self) {
            let mut arena = arena();
            let mut native = start(&mut arena, |gate| {
                trap(gate);
                exited(3)
            });
            assert!(matches!(native.resume(), Came::Trapped));
            assert!(!native.frame().unwinding);
            assert!(matches!(end(&mut native), Came::Ended(status) if status == exited(3)));
            native.finish(&mut arena);
            self.0.set(true);
        }
    }
    let ran = Cell::new(false);
    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
        let _late = Late(&ran);
        panic!("the host's own, printed by its hook")
    }));
    assert!(caught.is_err() && ran.get());
}
