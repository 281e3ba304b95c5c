//! Signals and conditions: a wait for a condition never returns without its mutex, and no
//! notification goes to a process that is ending.

use hothouse::{Action, LockId, LockKind, Pid, Protocol, Signal, Sys};
use hothouse_tests::{Notes, at_ms, ms, solo};

fn locks(sys: &Sys) -> (LockId, LockId) {
    let mutex = sys.create_lock(LockKind::Mutex(Protocol::None)).expect("there is room");
    (mutex, sys.create_lock(LockKind::Condition).expect("there is room"))
}

#[test]
fn interrupted_relock_still_gets_the_mutex() {
    solo(|sys| {
        let (mutex, condition) = locks(sys);
        let notes = Notes::default();
        let handled = notes.clone();
        let waiter = sys.spawn("waiter", move |sys| {
            let run = move |sys: &Sys, _| handled.add(sys.now().to_string());
            sys.sigaction(Signal::SIGINT, Action::interrupting(run)).unwrap();
            sys.lock(mutex, None).unwrap();
            assert_eq!(sys.wait_condition(condition, mutex, None), Ok(false));
            assert_eq!(sys.now(), at_ms(20));
            assert_eq!(sys.unlock(mutex), Ok(()), "the mutex is held again");
        });
        sys.sleep(ms(5)).unwrap();
        sys.lock(mutex, None).unwrap();
        sys.notify(condition, false).unwrap();
        sys.sleep(ms(5)).unwrap();
        sys.kill(waiter.unwrap(), Signal::SIGINT).unwrap();
        sys.sleep(ms(10)).unwrap();
        assert_eq!(notes.take(), ["0.010000000"]);
        sys.unlock(mutex).unwrap();
        assert!(sys.wait(None, None).unwrap().status.is_success());
    });
}

/// A process that waits for the condition and, ended by a signal, spends a while in its
/// exit hook.
fn ending(sys: &Sys, mutex: LockId, condition: LockId) -> Pid {
    let main = move |sys: &Sys| {
        sys.sigaction(Signal::SIGINT, Action::handler(|sys, _| sys.exit(3))).unwrap();
        sys.at_exit(|sys| sys.sleep(ms(100)).unwrap());
        sys.lock(mutex, None).unwrap();
        let _ = sys.wait_condition(condition, mutex, None);
    };
    sys.spawn("ending", main).expect("there is room")
}

#[test]
fn no_notification_is_lost_to_a_process_in_its_exit_hooks() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        solo(move |sys| {
            let (mutex, condition) = locks(sys);
            let first = ending(sys, mutex, condition);
            sys.sleep(ms(1)).unwrap();
            let second = sys.spawn("second", move |sys| {
                sys.lock(mutex, None).unwrap();
                sys.wait_condition(condition, mutex, Some(ms(50))).is_ok()
            });
            sys.sleep(ms(1)).unwrap();
            sys.kill(first, signal).unwrap();
            sys.sleep(ms(1)).unwrap();
            sys.lock(mutex, None).unwrap();
            sys.notify(condition, false).unwrap();
            sys.unlock(mutex).unwrap();
            assert!(sys.wait(second.unwrap(), None).unwrap().status.is_success(), "{signal}");
        });
    }
}
