//! What happens to a wait while its process is stopped or runs a handler: nothing is lost, and
//! what came meanwhile is found.

use hothouse::{Action, Errno, ExitStatus, Filter, Pid, Signal, Sys};
use hothouse_tests::{at_ms, child, join, ms, solo, solo_with, two_cpus};

/// How a wait is suspended.
#[derive(Clone, Copy)]
enum By {
    Stop,
    Handler,
}

/// Runs `target`, whose wait begins at once, and suspends it from 1 ms to 10 ms; `meanwhile` runs at
/// 5 ms, with the target's pid.
fn suspended(
    target: impl Fn(&Sys) + Clone + 'static,
    meanwhile: impl Fn(&Sys, Pid) + Clone + 'static,
) {
    for by in [By::Stop, By::Handler] {
        let (target, meanwhile) = (target.clone(), meanwhile.clone());
        solo(move |sys| {
            let target = target.clone();
            let pid = child(sys, move |sys| {
                let nap = Action::handler(|sys, _| sys.sleep_until(at_ms(10)).unwrap());
                sys.sigaction(Signal::SIGUSR1, nap).unwrap();
                target(sys);
            });
            sys.sleep_until(at_ms(1)).unwrap();
            match by {
                By::Stop => sys.kill(pid, Signal::SIGSTOP).unwrap(),
                By::Handler => sys.kill(pid, Signal::SIGUSR1).unwrap(),
            }
            sys.sleep_until(at_ms(5)).unwrap();
            meanwhile(sys, pid);
            sys.sleep_until(at_ms(10)).unwrap();
            if let By::Stop = by {
                sys.kill(pid, Signal::SIGCONT).unwrap();
            }
            join(sys, pid);
        });
    }
}

#[test]
fn event_that_came_meanwhile_is_received() {
    suspended(
        |sys| {
            let event = sys.receive_event(Filter::name("x"), None).unwrap();
            assert_eq!((event.data, sys.now()), (1.into(), at_ms(10)));
        },
        |sys, pid| sys.send_event(pid, "x", 1).unwrap(),
    );
}

#[test]
fn event_of_any_kind_that_came_meanwhile_is_next() {
    suspended(
        |sys| {
            sys.timer(ms(3)).unwrap();
            assert_eq!(sys.filter_event(["timer", "x"], None).unwrap().name, "timer");
            assert_eq!(sys.next_event(Some(ms(0))).unwrap().name, "x");
        },
        |sys, pid| sys.send_event(pid, "x", 1).unwrap(),
    );
}

#[test]
fn sender_that_died_meanwhile_is_esrch() {
    suspended(
        |sys| {
            let sender = child(sys, |sys| sys.sleep(ms(7)));
            assert_eq!(sys.receive_event(Filter::sender(sender), None), Err(Errno::ESRCH));
            assert_eq!(sys.now(), at_ms(10));
        },
        |_, _| (),
    );
}

#[test]
fn peer_of_a_call_that_died_meanwhile_is_esrch() {
    suspended(
        |sys| {
            let peer = child(sys, |sys| sys.sleep(ms(7)));
            assert_eq!(sys.call(peer, "x", (), None), Err(Errno::ESRCH));
            assert_eq!(sys.now(), at_ms(10));
        },
        |_, _| (),
    );
}

#[test]
fn reply_that_came_meanwhile_is_taken_though_the_peer_has_died_and_the_time_is_over() {
    suspended(
        |sys| {
            let server = child(sys, |sys| {
                let asked = sys.receive_event(Filter::any(), None).unwrap();
                sys.sleep(ms(6)).unwrap();
                sys.reply(&asked, 3).unwrap();
                assert_eq!(sys.reply(&asked, 4), Err(Errno::EALREADY));
            });
            assert_eq!(sys.call(server, "x", (), Some(ms(8))).unwrap().data, 3.into());
            assert_eq!(sys.now(), at_ms(10));
        },
        |_, _| (),
    );
}

#[test]
fn child_that_ended_meanwhile_is_waited_for() {
    suspended(
        |sys| {
            let pid = child(sys, |sys| sys.sleep(ms(7)));
            assert_eq!(sys.wait(None, Some(ms(8))).map(|exit| exit.pid), Ok(pid));
            assert_eq!(sys.now(), at_ms(10));
        },
        |_, _| (),
    );
}

#[test]
fn signal_that_came_meanwhile_ends_sigwait() {
    suspended(
        |sys| {
            let set = hothouse::SignalSet::SIGUSR2;
            sys.sigprocmask(hothouse::MaskHow::Block, set);
            assert_eq!(sys.sigwait(set, Some(ms(8))), Ok(Signal::SIGUSR2));
            assert_eq!(sys.now(), at_ms(10));
        },
        |sys, pid| sys.kill(pid, Signal::SIGUSR2).unwrap(),
    );
}

#[test]
fn locks_granted_meanwhile_are_held() {
    suspended(
        |sys| {
            let (mutex, seats) = (sys.mutex().unwrap(), sys.semaphore(0).unwrap());
            let owner = child(sys, move |sys| {
                let guard = mutex.lock(sys).unwrap();
                sys.sleep(ms(6)).unwrap();
                drop(guard);
                seats.release(sys, 1).unwrap();
                // It went to the one that waited, stopped or not.
                assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EBUSY));
            });
            sys.yield_now();
            let _guard = mutex.lock_timeout(sys, ms(8)).unwrap();
            assert_eq!(sys.now(), at_ms(10));
            seats.try_acquire(sys).unwrap().keep();
            join(sys, owner);
        },
        |_, _| (),
    );
}

#[test]
fn lock_whose_time_is_over_meanwhile_has_timed_out() {
    suspended(
        |sys| {
            let mutex = sys.mutex().unwrap();
            let owner = child(sys, move |sys| {
                let _guard = mutex.lock(sys).unwrap();
                sys.sleep(ms(20)).unwrap();
            });
            sys.yield_now();
            assert_eq!(mutex.lock_timeout(sys, ms(6)).map(drop), Err(Errno::ETIMEDOUT));
            assert_eq!(sys.now(), at_ms(10));
            join(sys, owner);
            assert!(mutex.try_lock(sys).is_ok(), "it stood in the queue");
        },
        |_, _| (),
    );
}

#[test]
fn barrier_that_opened_meanwhile_is_open() {
    suspended(
        |sys| {
            let barrier = sys.barrier(2).unwrap();
            let other = child(sys, move |sys| {
                sys.sleep(ms(6)).unwrap();
                assert_eq!(barrier.wait(sys), Ok(true));
            });
            assert_eq!(barrier.wait(sys), Ok(false));
            assert_eq!(sys.now(), at_ms(10));
            join(sys, other);
        },
        |_, _| (),
    );
}

#[test]
fn condition_that_was_notified_meanwhile_has_its_mutex() {
    suspended(
        |sys| {
            let (mutex, condition) = (sys.mutex().unwrap(), sys.condition().unwrap());
            let other = child(sys, move |sys| {
                sys.sleep(ms(6)).unwrap();
                condition.notify_all(sys).unwrap();
                assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EBUSY));
            });
            let mut guard = mutex.lock(sys).unwrap();
            assert_eq!(condition.wait_timeout(&mut guard, ms(8)), Ok(()));
            assert_eq!(sys.now(), at_ms(10));
            assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EDEADLK));
            join(sys, other);
        },
        |_, _| (),
    );
}

#[test]
fn killed_meanwhile_it_is_in_no_queue() {
    for suspend in [Signal::SIGSTOP, Signal::SIGUSR1] {
        solo(move |sys| {
            let mutex = sys.mutex().unwrap();
            let guard = mutex.lock(sys).unwrap();
            let victim = child(sys, move |sys| {
                let nap = Action::handler(|sys, _| sys.sleep(ms(90)).unwrap());
                sys.sigaction(Signal::SIGUSR1, nap).unwrap();
                mutex.lock(sys).map(drop)
            });
            sys.sleep(ms(1)).unwrap();
            sys.kill(victim, suspend).unwrap();
            sys.sleep(ms(1)).unwrap();
            sys.kill(victim, Signal::SIGKILL).unwrap();
            drop(guard);
            assert!(mutex.try_lock(sys).is_ok());
        });
    }
}

#[test]
fn ending_signal_meanwhile_runs_the_hooks_out_of_the_handler() {
    solo(|sys| {
        let me = sys.getpid();
        let pid = child(sys, move |sys| {
            sys.at_exit(move |sys| sys.send_event(me, "hook", ()).unwrap());
            sys.sigaction(Signal::SIGUSR1, Action::handler(|sys, _| sys.sleep(ms(90)).unwrap()))
                .unwrap();
            sys.sleep(ms(50)).unwrap();
        });
        sys.sleep(ms(1)).unwrap();
        sys.kill(pid, Signal::SIGUSR1).unwrap();
        sys.sleep(ms(1)).unwrap();
        sys.kill(pid, Signal::SIGTERM).unwrap();
        let exit = sys.wait(pid, None).unwrap();
        assert_eq!(exit.status, ExitStatus::Signaled(Signal::SIGTERM));
        assert_eq!(exit.ended_at, at_ms(2));
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))).unwrap().name, "hook");
    });
}

#[test]
fn ending_signal_in_a_burst_breaks_it_off_for_the_hooks() {
    solo_with(two_cpus, |sys| {
        let me = sys.getpid();
        let pid = child(sys, move |sys| {
            sys.at_exit(move |sys| sys.send_event(me, "hook", ()).unwrap());
            sys.compute(ms(50)).unwrap();
        });
        sys.sleep(ms(2)).unwrap();
        sys.kill(pid, Signal::SIGTERM).unwrap();
        let exit = sys.wait(pid, None).unwrap();
        assert_eq!(exit.status, ExitStatus::Signaled(Signal::SIGTERM));
        assert_eq!((exit.cpu_time, exit.ended_at), (ms(2).into(), at_ms(2)));
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))).unwrap().name, "hook");
    });
}

#[test]
fn kill_ends_a_burst_on_another_cpu_at_once() {
    solo_with(two_cpus, |sys| {
        let pid = child(sys, |sys| sys.compute(ms(50)));
        sys.sleep(ms(2)).unwrap();
        sys.kill(pid, Signal::SIGKILL).unwrap();
        let exit = sys.wait(pid, None).unwrap();
        assert_eq!((exit.cpu_time, exit.ended_at), (ms(2).into(), at_ms(2)));
        let next = child(sys, |sys| sys.compute(ms(1)));
        assert_eq!(join(sys, next).ended_at, at_ms(3));
    });
}

#[test]
fn stop_and_continue_of_a_ready_process_keeps_its_answer() {
    solo(|sys| {
        let pid = child(sys, |sys| {
            let got = sys.receive_event(Filter::any(), Some(ms(5))).unwrap();
            assert_eq!((got.data, sys.now()), (9.into(), at_ms(10)));
        });
        sys.sleep(ms(1)).unwrap();
        // It is ready, with the event for an answer, when the stop comes.
        sys.send_event(pid, "x", 9).unwrap();
        sys.kill(pid, Signal::SIGSTOP).unwrap();
        sys.sleep_until(at_ms(10)).unwrap();
        sys.kill(pid, Signal::SIGCONT).unwrap();
        join(sys, pid);
    });
}
