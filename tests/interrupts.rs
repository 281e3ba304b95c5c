//! Handlers that run over a wait: what becomes of the wait, with and without `INTERRUPT`.

use hothouse::{Action, Condition, Errno, Filter, MaskHow, Mutex, Pid, Signal, SignalSet, Sys};
use hothouse_tests::{at_ms, child, join, ms, solo};

const USR1: Signal = Signal::SIGUSR1;
const USR2: Signal = Signal::SIGUSR2;

/// Runs `target` as a child of a process that signals it at the times in `at`, in milliseconds.
fn signalled(at: &'static [(u64, Signal)], target: impl Fn(&Sys) + Clone + 'static) {
    solo(move |sys| {
        let target = child(sys, target.clone());
        for &(millis, signal) in at {
            sys.sleep_until(at_ms(millis)).unwrap();
            sys.kill(target, signal).unwrap();
        }
        join(sys, target);
    });
}

fn quiet(sys: &Sys) {
    sys.sigaction(USR1, Action::handler(|_, _| ())).unwrap();
}

fn interrupting(sys: &Sys) {
    sys.sigaction(USR1, Action::interrupting(|_, _| ())).unwrap();
}

#[test]
fn receive_goes_on_with_its_first_deadline() {
    signalled(&[(4, USR1), (6, USR1)], |sys| {
        quiet(sys);
        let got = sys.receive_event(Filter::any(), Some(ms(10)));
        assert_eq!(got, Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(10));
    });
}

#[test]
fn sleep_goes_on_with_its_first_deadline() {
    signalled(&[(4, USR1)], |sys| {
        quiet(sys);
        assert_eq!(sys.sleep(ms(10)), Ok(()));
        assert_eq!(sys.now(), at_ms(10));
    });
}

#[test]
fn sleep_whose_deadline_passes_under_the_handler_is_over() {
    signalled(&[(4, USR1)], |sys| {
        sys.sigaction(USR1, Action::handler(|sys, _| sys.sleep(ms(20)).unwrap())).unwrap();
        assert_eq!(sys.sleep(ms(10)), Ok(()));
        assert_eq!(sys.now(), at_ms(24));
    });
}

#[test]
fn wait_goes_on_with_its_first_deadline() {
    signalled(&[(4, USR1)], |sys| {
        quiet(sys);
        let slow = child(sys, |sys| sys.sleep(ms(30)));
        assert_eq!(sys.wait(slow, Some(ms(10))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(10));
        join(sys, slow);
    });
}

#[test]
fn child_that_ends_under_the_handler_is_found_by_the_wait() {
    signalled(&[(4, USR1)], |sys| {
        sys.sigaction(USR1, Action::handler(|sys, _| sys.sleep(ms(20)).unwrap())).unwrap();
        let quick = child(sys, |sys| sys.sleep(ms(6)));
        assert_eq!(join(sys, quick).ended_at, at_ms(6));
        assert_eq!(sys.now(), at_ms(24));
    });
}

#[test]
fn matching_event_during_the_handler_is_taken_afterwards() {
    solo(|sys| {
        let target = child(sys, |sys| {
            sys.sigaction(USR1, Action::handler(|sys, _| sys.sleep(ms(20)).unwrap())).unwrap();
            // Its deadline passes under the handler, too: the event wins.
            let event = sys.receive_event(Filter::name("x"), Some(ms(10))).unwrap();
            assert_eq!(event.data.as_int(), Some(1));
            assert_eq!(sys.now(), at_ms(24));
        });
        sys.sleep(ms(4)).unwrap();
        sys.kill(target, USR1).unwrap();
        sys.sleep(ms(1)).unwrap();
        sys.send_event(target, "other", 0).unwrap();
        sys.send_event(target, "x", 1).unwrap();
        join(sys, target);
    });
}

#[test]
fn handlers_own_receive_is_served_first_and_takes_the_event() {
    solo(|sys| {
        let target = child(sys, |sys| {
            let takes = Action::handler(|sys, _| {
                let event = sys.receive_event(Filter::any(), None).unwrap();
                assert_eq!(event.data.as_int(), Some(1));
                assert_eq!(sys.now(), at_ms(6));
            });
            sys.sigaction(USR1, takes).unwrap();
            let event = sys.receive_event(Filter::any(), None).unwrap();
            assert_eq!(event.data.as_int(), Some(2));
            assert_eq!(sys.now(), at_ms(8));
        });
        sys.sleep(ms(4)).unwrap();
        sys.kill(target, USR1).unwrap();
        for i in 1..=2 {
            sys.sleep(ms(2)).unwrap();
            sys.send_event(target, "x", i).unwrap();
        }
        join(sys, target);
    });
}

#[test]
fn deadline_that_passes_under_the_handler_has_timed_out() {
    signalled(&[(4, USR1)], |sys| {
        sys.sigaction(USR1, Action::handler(|sys, _| sys.sleep(ms(20)).unwrap())).unwrap();
        let got = sys.receive_event(Filter::any(), Some(ms(10)));
        assert_eq!(got, Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(24));
    });
}

#[test]
fn interrupting_handler_makes_each_wait_return_eintr() {
    signalled(&[(1, USR1), (2, USR1), (3, USR1), (4, USR1), (5, USR1), (6, USR1)], |sys| {
        interrupting(sys);
        let idle = child(sys, |sys| sys.sleep(ms(50)));
        assert_eq!(sys.receive_event(Filter::any(), None), Err(Errno::EINTR));
        assert_eq!(sys.now(), at_ms(1));
        assert_eq!(sys.sleep(ms(50)), Err(Errno::EINTR));
        assert_eq!(sys.wait(idle, Some(ms(50))), Err(Errno::EINTR));
        assert_eq!(sys.next_event(Some(ms(50))), Err(Errno::EINTR));
        assert_eq!(sys.call(idle, "request", (), None), Err(Errno::EINTR));
        assert_eq!(sys.sigwait(SignalSet::SIGUSR2, None), Err(Errno::EINTR));
        assert_eq!(sys.now(), at_ms(6));
        sys.kill(idle, Signal::SIGKILL).unwrap();
    });
}

#[test]
fn interrupting_handler_makes_each_wait_for_a_lock_return_eintr() {
    signalled(&[(1, USR1), (2, USR1), (3, USR1)], |sys| {
        interrupting(sys);
        let mutex = sys.mutex().unwrap();
        let holder = child(sys, move |sys| {
            let _guard = mutex.lock(sys).unwrap();
            sys.sleep(ms(50))
        });
        sys.yield_now();
        assert_eq!(mutex.lock(sys).map(drop), Err(Errno::EINTR));
        assert_eq!(sys.semaphore(0).unwrap().acquire(sys).map(drop), Err(Errno::EINTR));
        assert_eq!(sys.barrier(2).unwrap().wait(sys), Err(Errno::EINTR));
        assert_eq!(sys.now(), at_ms(3));
        join(sys, holder);
        assert!(mutex.try_lock(sys).is_ok());
    });
}

#[test]
fn interrupted_receive_loses_nothing_that_is_queued() {
    solo(|sys| {
        let target = child(sys, |sys| {
            interrupting(sys);
            assert_eq!(sys.receive_event(Filter::name("x"), None), Err(Errno::EINTR));
            for name in ["other", "x"] {
                assert_eq!(sys.receive_event(Filter::any(), Some(ms(1))).unwrap().name, name);
            }
        });
        sys.sleep(ms(1)).unwrap();
        sys.send_event(target, "other", ()).unwrap();
        sys.kill(target, USR1).unwrap();
        sys.yield_now();
        sys.send_event(target, "x", ()).unwrap();
        join(sys, target);
    });
}

#[test]
fn interrupting_handler_of_a_stopped_process_returns_eintr_after_sigcont() {
    signalled(&[(1, Signal::SIGSTOP), (2, USR1), (3, Signal::SIGCONT)], |sys| {
        interrupting(sys);
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(50))), Err(Errno::EINTR));
        assert_eq!(sys.now(), at_ms(3));
    });
}

#[test]
fn interrupting_handler_beside_a_quiet_one_returns_eintr() {
    for first in [USR1, USR2] {
        solo(move |sys| {
            let target = child(sys, |sys| {
                interrupting(sys);
                sys.sigaction(USR2, Action::handler(|_, _| ())).unwrap();
                assert_eq!(sys.receive_event(Filter::any(), Some(ms(50))), Err(Errno::EINTR));
                assert_eq!(sys.now(), at_ms(1));
            });
            sys.sleep(ms(1)).unwrap();
            let second = if first == USR1 { USR2 } else { USR1 };
            sys.kill(target, first).unwrap();
            sys.kill(target, second).unwrap();
            join(sys, target);
        });
    }
}

#[test]
fn interrupting_handler_does_not_shorten_a_burst() {
    let run = solo(|sys| {
        interrupting(sys);
        let me = sys.getpid();
        let killer = child(sys, move |sys| sys.kill(me, USR1));
        assert_eq!(sys.compute(ms(10)), Ok(()));
        assert_eq!(sys.now(), at_ms(10));
        join(sys, killer);
    });
    assert_eq!(run.report.counters.signals, 1);
}

/// A process that waits for a condition, and one that holds the mutex from 2 ms to 10 ms.
fn waits_for_condition(sys: &Sys, expected: Result<(), Errno>) -> Pid {
    let mutex = sys.mutex().unwrap();
    let condition = sys.condition().unwrap();
    let waiter = child(sys, move |sys| {
        interrupting(sys);
        let mut guard = mutex.lock(sys).unwrap();
        assert_eq!(condition.wait(&mut guard), expected);
        assert_eq!(sys.now(), at_ms(10));
        // It owns the mutex again, whatever happened.
        assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EDEADLK));
    });
    child(sys, move |sys| holds(sys, mutex, condition, expected.is_ok()));
    waiter
}

fn holds(sys: &Sys, mutex: Mutex, condition: Condition, notify: bool) -> Result<(), Errno> {
    sys.sleep(ms(2))?;
    let _guard = mutex.lock(sys)?;
    if notify {
        condition.notify_one(sys)?;
    }
    sys.sleep(ms(8))
}

#[test]
fn interrupted_condition_locks_its_mutex_again_before_it_returns() {
    solo(|sys| {
        let waiter = waits_for_condition(sys, Err(Errno::EINTR));
        for millis in [4, 6] {
            sys.sleep_until(at_ms(millis)).unwrap();
            sys.kill(waiter, USR1).unwrap();
        }
        join(sys, waiter);
    });
}

#[test]
fn notified_process_gets_its_mutex_even_if_it_is_interrupted_meanwhile() {
    solo(|sys| {
        let waiter = waits_for_condition(sys, Ok(()));
        sys.sleep_until(at_ms(4)).unwrap();
        sys.kill(waiter, USR1).unwrap();
        join(sys, waiter);
    });
}

#[test]
fn signal_that_is_masked_during_a_wait_does_not_interrupt_it() {
    signalled(&[(1, USR1)], |sys| {
        interrupting(sys);
        sys.sigprocmask(MaskHow::Block, SignalSet::SIGUSR1);
        assert_eq!(sys.sleep(ms(5)), Ok(()));
        assert_eq!(sys.sigpending(), SignalSet::SIGUSR1);
    });
}
