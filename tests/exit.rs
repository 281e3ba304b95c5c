//! How a process ends: hooks, unwinding, what is given up, and who is told, in this order.

use std::cell::RefCell;
use std::rc::Rc;

use hothouse::{Action, Errno, ExitStatus, Filter, Pid, Signal, Sys, Value};
use hothouse_tests::{Notes, at_ms, child, join, ms, solo};

/// Notes its drop.
struct Guard(Notes);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add("unwound");
    }
}

/// Makes calls in its drop and keeps what they returned.
struct Caller<'a, F: Fn(&Sys)>(&'a Sys<'a>, F);

impl<F: Fn(&Sys)> Drop for Caller<'_, F> {
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}

fn forever(sys: &Sys) {
    loop {
        let _ = sys.receive_event(Filter::any(), None);
    }
}

/// How a process may come to its end, other than by `SIGKILL`.
const ENDS: [fn(&Sys); 4] = [
    |_| (),
    |sys| sys.exit(0),
    |_| panic!("on purpose"),
    |sys| sys.kill(sys.getpid(), Signal::SIGTERM).unwrap(),
];

#[test]
fn exit_ends_at_once_and_runs_destructors() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let pid = child(sys, move |sys| {
            let _guard = Guard(theirs.clone());
            if sys.getpid() != Pid::KERNEL {
                sys.exit(5);
            }
            theirs.add("went on");
        });
        assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Exited(5.into()));
        assert_eq!(notes.take(), ["unwound"]);
    });
}

#[test]
fn hooks_run_oldest_first_at_every_end_but_sigkill() {
    for end in ENDS {
        solo(move |sys| {
            let notes = Notes::default();
            let theirs = notes.clone();
            let pid = child(sys, move |sys| {
                let _guard = Guard(theirs.clone());
                for name in ["first", "second"] {
                    let notes = theirs.clone();
                    sys.at_exit(move |_| notes.add(name));
                }
                end(sys);
            });
            sys.wait(pid, None).unwrap();
            // What main itself drops when it returns or panics comes before its end.
            let mut seen = notes.take();
            seen.retain(|note| note != "unwound");
            assert_eq!(seen, ["first", "second"]);
        });
    }
}

#[test]
fn hooks_run_before_the_stack_is_unwound_by_a_signal() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let pid = child(sys, move |sys| {
            let _guard = Guard(theirs.clone());
            sys.at_exit(move |_| theirs.add("hook"));
            forever(sys);
        });
        sys.yield_now();
        sys.kill(pid, Signal::SIGTERM).unwrap();
        assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Signaled(Signal::SIGTERM));
        assert_eq!(notes.take(), ["hook", "unwound"]);
    });
}

#[test]
fn hooks_may_make_calls_and_park_and_add_hooks() {
    solo(|sys| {
        let me = sys.getpid();
        let pid = child(sys, move |sys| {
            sys.at_exit(move |sys| {
                sys.sleep(ms(5)).unwrap();
                sys.compute(ms(2)).unwrap();
                sys.at_exit(move |sys| sys.send_event(me, "added", ()).unwrap());
            });
        });
        assert_eq!(sys.receive_event(Filter::sender(pid), None).unwrap().name, "added");
        assert_eq!(join(sys, pid).ended_at, at_ms(7));
    });
}

#[test]
fn hooks_may_take_one_virtual_second_together() {
    let run = solo(|sys| {
        let pid = child(sys, |sys| {
            for _ in 0..3 {
                sys.at_exit(|sys| sys.sleep(ms(400)).unwrap());
            }
            sys.at_exit(|_| panic!("there is no time for this one"));
            3
        });
        let exit = sys.wait(pid, None).unwrap();
        assert_eq!((exit.status, exit.ended_at), (ExitStatus::Exited(3.into()), at_ms(1_000)));
    });
    assert!(run.diagnostics[0].contains("too long"), "{:?}", run.diagnostics);
}

#[test]
fn hook_that_panics_is_reported_and_does_not_stop_the_others() {
    let run = solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let pid = child(sys, move |sys| {
            sys.at_exit(|_| panic!("no luck"));
            sys.at_exit(move |_| theirs.add("second"));
        });
        join(sys, pid);
        assert_eq!(notes.take(), ["second"]);
    });
    assert!(run.diagnostics[0].contains("no luck"), "{:?}", run.diagnostics);
}

#[test]
fn signals_but_sigkill_are_held_while_hooks_run() {
    solo(|sys| {
        let slow = |sys: &Sys| {
            sys.sigaction(Signal::SIGUSR1, Action::handler(|_, _| panic!("held"))).unwrap();
            sys.at_exit(|sys| sys.sleep(ms(10)).unwrap());
        };
        let pid = child(sys, slow);
        sys.sleep(ms(1)).unwrap();
        for signal in [Signal::SIGUSR1, Signal::SIGTERM, Signal::SIGSTOP] {
            assert_eq!(sys.kill(pid, signal), Ok(()));
        }
        assert_eq!(join(sys, pid).ended_at, at_ms(10));
        let pid = child(sys, slow);
        sys.sleep(ms(1)).unwrap();
        sys.kill(pid, Signal::SIGKILL).unwrap();
        assert_eq!(sys.kill(pid, 0), Err(Errno::ESRCH));
    });
}

#[test]
fn exit_in_a_hook_keeps_the_first_status() {
    solo(|sys| {
        let pid = child(sys, |sys| {
            sys.at_exit(|sys| sys.exit(9));
            sys.exit(4);
        });
        assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Exited(4.into()));
    });
}

#[test]
fn the_dying_may_send_log_and_ask_but_not_park() {
    let run = solo(|sys| {
        let me = sys.getpid();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let theirs = seen.clone();
        let pid = child(sys, move |sys| {
            let _caller = Caller(sys, move |sys| {
                theirs.borrow_mut().push(sys.sleep(ms(5)));
                theirs.borrow_mut().push(sys.compute(ms(5)));
                theirs.borrow_mut().push(sys.receive_event(Filter::any(), None).map(drop));
                theirs.borrow_mut().push(sys.next_event(Some(ms(0))).map(drop));
                theirs.borrow_mut().push(sys.wait(None, None).map(drop));
                theirs.borrow_mut().push(sys.call(me, "x", (), None).map(drop));
                sys.yield_now();
                sys.log(format!("last words of {} at {}", sys.getpid(), sys.now()));
                sys.send_event(me, "last words", ()).unwrap();
                assert_eq!(sys.kill(sys.getpid(), 0), Err(Errno::ESRCH));
            });
            forever(sys);
        });
        sys.sleep(ms(3)).unwrap();
        sys.kill(pid, Signal::SIGKILL).unwrap();
        assert_eq!(*seen.borrow(), [Err(Errno::EINTR); 6]);
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))).unwrap().name, "last words");
    });
    assert_eq!(run.lines, ["[0.003000000] 2 child: last words of 2 at 0.003000000"]);
    assert_eq!(run.report.counters.abandoned, 0);
}

#[test]
fn the_dead_are_nobody_while_they_unwind() {
    solo(|sys| {
        let pid = child(sys, |sys| {
            let victim = sys.getpid();
            let _caller = Caller(sys, move |sys| {
                assert!(sys.getpinfo(victim).is_err());
                assert!(!sys.getplist().contains(&victim));
                assert_eq!(sys.send_event(victim, "x", ()), Err(Errno::ESRCH));
            });
            forever(sys);
        });
        sys.yield_now();
        sys.kill(pid, Signal::SIGKILL).unwrap();
        assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Signaled(Signal::SIGKILL));
    });
}

#[test]
fn names_timers_locks_and_events_are_given_up_before_anybody_is_told() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let pid = child(sys, move |sys| {
            sys.register("service").unwrap();
            sys.timer(ms(50)).unwrap();
            sys.lock(mutex.id(), None).unwrap();
            sys.sleep(ms(2))
        });
        sys.monitor(pid).unwrap();
        assert_eq!(sys.next_event(None).unwrap().name, "down");
        assert_eq!(sys.lookup("service"), None);
        assert!(mutex.try_lock(sys).unwrap().owner_died());
        join(sys, pid);
        assert_eq!(sys.now(), at_ms(2));
    });
}

#[test]
fn parent_is_told_before_the_monitors_and_those_in_order_of_pid() {
    solo(|sys| {
        let notes = Notes::default();
        let target = child(sys, |sys| sys.sleep(ms(5)));
        let watchers = ["a", "b"].map(|name| {
            let notes = notes.clone();
            child(sys, move |sys| {
                sys.sleep(ms(if name == "a" { 2 } else { 1 })).unwrap();
                sys.monitor(target).unwrap();
                sys.next_event(None).unwrap();
                notes.add(name);
            })
        });
        join(sys, target);
        notes.add("parent");
        for watcher in watchers {
            join(sys, watcher);
        }
        assert_eq!(notes.take(), ["parent", "a", "b"]);
    });
}

#[test]
fn children_go_to_the_kernel_before_the_parent_is_told() {
    solo(|sys| {
        let middle = child(sys, |sys| {
            child(sys, |sys| sys.sleep(ms(9)));
        });
        join(sys, middle);
        let orphan = Pid::new(middle.number() + 1);
        assert_eq!(sys.getpinfo(orphan).unwrap().parent, Pid::KERNEL);
    });
}

#[test]
fn death_takes_no_time() {
    solo(|sys| {
        for end in ENDS {
            let pid = child(sys, end);
            assert_eq!(sys.wait(pid, None).unwrap().ended_at, at_ms(0));
        }
    });
}

#[test]
fn process_that_swallows_its_unwinding_is_given_up_and_counted() {
    let run = solo(|sys| {
        let pid = child(sys, |sys| {
            loop {
                let caught = std::panic::AssertUnwindSafe(|| forever(sys));
                let _ = std::panic::catch_unwind(caught);
            }
        });
        sys.yield_now();
        sys.kill(pid, Signal::SIGKILL).unwrap();
        assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Signaled(Signal::SIGKILL));
    });
    assert_eq!(run.report.counters.abandoned, 1);
}

#[test]
fn process_that_swallows_its_unwinding_three_times_ends_on_the_next() {
    let run = solo(|sys| {
        let pid = child(sys, |sys| {
            for _ in 0..3 {
                let caught = std::panic::AssertUnwindSafe(|| forever(sys));
                let _ = std::panic::catch_unwind(caught);
            }
            forever(sys);
        });
        sys.yield_now();
        sys.kill(pid, Signal::SIGKILL).unwrap();
    });
    assert_eq!(run.report.counters.abandoned, 0);
}

#[test]
fn panic_runs_destructors_that_may_send() {
    solo(|sys| {
        let me = sys.getpid();
        let pid = child(sys, move |sys| {
            let _caller = Caller(sys, move |sys| sys.send_event(me, "unwound", ()).unwrap());
            panic!("on purpose");
        });
        assert_eq!(sys.receive_event(Filter::sender(pid), None).unwrap().data, Value::Nil);
        assert!(matches!(sys.wait(pid, None).unwrap().status, ExitStatus::Panicked(_)));
    });
}

#[test]
fn destructor_of_the_dying_may_kill_another() {
    solo(|sys| {
        let other = child(sys, forever);
        let pid = child(sys, move |sys| {
            let _caller = Caller(sys, move |sys| {
                sys.kill(other, Signal::SIGKILL).unwrap();
            });
            forever(sys);
        });
        sys.yield_now();
        sys.kill(pid, Signal::SIGKILL).unwrap();
        assert_eq!(sys.kill(other, 0), Err(Errno::ESRCH));
        for pid in [pid, other] {
            assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Signaled(Signal::SIGKILL));
        }
    });
}

#[test]
fn error_whose_text_panics_is_a_panic_of_its_process() {
    struct Bad;
    impl std::fmt::Display for Bad {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text")
        }
    }
    solo(|sys| {
        let pid = child(sys, |_| Err::<(), Bad>(Bad));
        assert!(matches!(sys.wait(pid, None).unwrap().status, ExitStatus::Panicked(_)));
    });
}

#[test]
fn what_the_dying_take_is_given_up_with_the_rest() {
    solo(|sys| {
        let other = child(sys, forever);
        let pid = child(sys, move |sys| {
            let _caller = Caller(sys, move |sys| {
                sys.register("late").unwrap();
                sys.timer(ms(5)).unwrap();
                sys.monitor(other).unwrap();
                sys.queue_event("x", ()).unwrap();
                let mutex = sys.mutex().unwrap();
                sys.try_lock(mutex.id()).unwrap();
                sys.sigaction(Signal::SIGTERM, Action::Ignore).unwrap();
                sys.at_exit(|_| panic!("it is too late for hooks"));
            });
            forever(sys);
        });
        sys.yield_now();
        sys.kill(pid, Signal::SIGKILL).unwrap();
        assert_eq!(sys.lookup("late"), None);
        sys.kill(other, Signal::SIGKILL).unwrap();
    });
}
