//! `sigaction` and the calls about masks: what a process may do about a signal, and when it is
//! done.

use std::cell::Cell;
use std::rc::Rc;

use hothouse::{
    Action, Errno, EventKind, ExitStatus, Filter, MaskHow, Pid, Signal, SignalNumber, SignalSet,
    Sys, program,
};
use hothouse_tests::{Notes, at_ms, child, join, ms, scenario, solo, solo_with, two_cpus};

const USR1: Signal = Signal::SIGUSR1;
const USR2: Signal = Signal::SIGUSR2;

/// A handler that notes the signal's name.
fn noting(notes: &Notes) -> Action {
    let notes = notes.clone();
    Action::handler(move |_, signal| notes.add(signal.name()))
}

#[test]
fn sigaction_returns_the_old_action() {
    solo(|sys| {
        let handler = Action::handler(|_, _| ());
        assert_eq!(sys.sigaction(USR1, handler.clone()), Ok(Action::Default));
        assert_eq!(sys.sigaction(USR1, None), Ok(handler.clone()));
        assert_eq!(sys.sigaction(USR1, Action::Ignore), Ok(handler));
        assert_eq!(sys.sigaction(USR1, Action::Event), Ok(Action::Ignore));
        assert_eq!(sys.sigaction(USR1, Action::Default), Ok(Action::Event));
        assert_eq!(sys.sigaction(USR1, None), Ok(Action::Default));
    });
}

#[test]
fn sigaction_of_kill_and_stop_is_einval() {
    solo(|sys| {
        for signal in [Signal::SIGKILL, Signal::SIGSTOP] {
            for action in [Action::Default, Action::Ignore, Action::handler(|_, _| ())] {
                assert_eq!(sys.sigaction(signal, action), Err(Errno::EINVAL));
            }
            assert_eq!(sys.sigaction(signal, None), Err(Errno::EINVAL));
        }
    });
}

#[test]
fn sigaction_out_of_range_is_einval() {
    solo(|sys| {
        for number in [0, -1, 32, i64::MAX, i64::MIN] {
            assert_eq!(sys.sigaction(number, Action::Ignore), Err(Errno::EINVAL));
        }
        assert_eq!(sys.sigaction(SignalNumber::INVALID, Action::Ignore), Err(Errno::EINVAL));
    });
}

#[test]
fn action_event_arrives_as_event_signal_from_pid_0() {
    solo(|sys| {
        sys.sigaction(USR1, Action::Event).unwrap();
        sys.kill(sys.getpid(), USR1).unwrap();
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))), Err(Errno::ETIMEDOUT));
        let event = sys.next_event(Some(ms(0))).unwrap();
        assert_eq!((event.sender, event.kind), (Pid::KERNEL, EventKind::Kernel));
        assert_eq!(event.name, "signal");
        assert_eq!(event.data.get("signal").as_int(), Some(10));
    });
}

#[test]
fn action_event_wakes_a_parked_next_event() {
    solo(|sys| {
        let target = child(sys, |sys| {
            sys.sigaction(USR1, Action::Event).unwrap();
            assert_eq!(sys.next_event(None).unwrap().name, "signal");
            assert_eq!(sys.now(), at_ms(3));
        });
        sys.sleep(ms(3)).unwrap();
        sys.kill(target, USR1).unwrap();
        join(sys, target);
    });
}

#[test]
fn action_ignore_discards_the_signal_and_what_is_pending() {
    solo(|sys| {
        let me = sys.getpid();
        sys.sigprocmask(MaskHow::Block, SignalSet::SIGTERM);
        sys.kill(me, Signal::SIGTERM).unwrap();
        sys.sigaction(Signal::SIGTERM, Action::Ignore).unwrap();
        assert_eq!(sys.sigpending(), SignalSet::empty());
        sys.kill(me, Signal::SIGTERM).unwrap();
        sys.sigprocmask(MaskHow::Unblock, SignalSet::SIGTERM);
        sys.kill(me, Signal::SIGTERM).unwrap();
        assert_eq!(sys.sigpending(), SignalSet::empty());
    });
}

#[test]
fn handler_of_a_parked_target_runs_when_the_policy_picks_it() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let target = child(sys, move |sys| {
            sys.sigaction(USR1, noting(&theirs)).unwrap();
            sys.sleep(ms(5)).unwrap();
        });
        sys.sleep(ms(1)).unwrap();
        let theirs = notes.clone();
        let earlier = child(sys, move |_| theirs.add("queued earlier"));
        sys.kill(target, USR1).unwrap();
        join(sys, earlier);
        join(sys, target);
        assert_eq!(notes.take(), ["queued earlier", "SIGUSR1"]);
    });
}

#[test]
fn handler_of_a_ready_target_runs_before_it_goes_on() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let target = child(sys, move |sys| {
            sys.sigaction(USR1, noting(&theirs)).unwrap();
            sys.yield_now();
            theirs.add("went on");
        });
        sys.yield_now();
        sys.kill(target, USR1).unwrap();
        join(sys, target);
        assert_eq!(notes.take(), ["SIGUSR1", "went on"]);
    });
}

#[test]
fn handler_interrupts_a_burst_and_the_rest_goes_on_afterwards() {
    solo_with(two_cpus, |sys| {
        let target = child(sys, |sys| {
            let handler = Action::handler(|sys, _| {
                assert_eq!(sys.now(), at_ms(4));
                sys.compute(ms(2)).unwrap();
                sys.sleep(ms(3)).unwrap();
            });
            sys.sigaction(USR1, handler).unwrap();
            sys.compute(ms(10)).unwrap();
            assert_eq!(sys.now(), at_ms(15));
        });
        sys.sleep(ms(4)).unwrap();
        sys.kill(target, USR1).unwrap();
        assert_eq!(join(sys, target).cpu_time, ms(12).into());
    });
}

#[test]
fn handler_runs_with_its_signal_masked() {
    solo(|sys| {
        let runs = Rc::new(Cell::new(0));
        let counted = runs.clone();
        let handler = Action::handler(move |sys, signal| {
            let run = counted.get() + 1;
            counted.set(run);
            let mask = sys.sigprocmask(MaskHow::Block, SignalSet::empty());
            assert_eq!(mask, SignalSet::from(signal));
            if run == 1 {
                sys.kill(sys.getpid(), signal).unwrap();
                assert_eq!(sys.sigpending(), SignalSet::from(signal));
                assert_eq!(counted.get(), 1);
            }
        });
        sys.sigaction(USR1, handler).unwrap();
        sys.kill(sys.getpid(), USR1).unwrap();
        assert_eq!(runs.get(), 2);
        let mask = sys.sigprocmask(MaskHow::Block, SignalSet::empty());
        assert_eq!(mask, SignalSet::empty());
    });
}

#[test]
fn handler_may_exit() {
    solo(|sys| {
        let target = child(sys, |sys| {
            sys.sigaction(USR1, Action::handler(|sys, _| sys.exit(7))).unwrap();
            sys.sleep(ms(10))
        });
        sys.sleep(ms(1)).unwrap();
        sys.kill(target, USR1).unwrap();
        let exit = sys.wait(target, None).unwrap();
        assert_eq!(exit.status, ExitStatus::Exited(7.into()));
        assert_eq!(exit.ended_at, at_ms(1));
    });
}

#[test]
fn handler_may_replace_itself_while_it_runs() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let first = Action::handler(move |sys, signal| {
            theirs.add("first");
            let second = theirs.clone();
            let second = Action::handler(move |_, _| second.add("second"));
            sys.sigaction(signal, second).unwrap();
        });
        sys.sigaction(USR1, first).unwrap();
        for _ in 0..2 {
            sys.kill(sys.getpid(), USR1).unwrap();
        }
        assert_eq!(notes.take(), ["first", "second"]);
    });
}

#[test]
fn handler_panic_ends_the_process_panicked() {
    solo(|sys| {
        let target = child(sys, |sys| {
            sys.sigaction(USR1, Action::handler(|_, _| panic!("no luck"))).unwrap();
            sys.sleep(ms(10))
        });
        sys.sleep(ms(1)).unwrap();
        sys.kill(target, USR1).unwrap();
        let status = sys.wait(target, None).unwrap().status;
        let ExitStatus::Panicked(message) = &status else { panic!("{status}") };
        assert!(message.starts_with("no luck"), "{message}");
    });
}

#[test]
fn several_pending_are_delivered_lowest_number_first() {
    solo(|sys| {
        let notes = Notes::default();
        let order = [Signal::SIGTERM, USR2, Signal::SIGHUP, USR1];
        let set: SignalSet = order.into_iter().collect();
        sys.sigprocmask(MaskHow::Block, set);
        for signal in order {
            sys.sigaction(signal, noting(&notes)).unwrap();
            sys.kill(sys.getpid(), signal).unwrap();
        }
        assert_eq!(sys.sigpending(), set);
        sys.sigprocmask(MaskHow::Unblock, set);
        assert_eq!(notes.take(), ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM"]);
    });
}

#[test]
fn pending_signal_is_delivered_at_a_handlers_next_trap() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let outer = Action::handler(move |sys, _| {
            theirs.add("outer");
            sys.now();
            theirs.add("outer goes on");
        });
        let set = SignalSet::SIGUSR1 | SignalSet::SIGUSR2;
        sys.sigaction(USR1, outer).unwrap();
        sys.sigaction(USR2, noting(&notes)).unwrap();
        sys.sigprocmask(MaskHow::Block, set);
        sys.kill(sys.getpid(), USR2).unwrap();
        sys.kill(sys.getpid(), USR1).unwrap();
        sys.sigprocmask(MaskHow::Unblock, set);
        assert_eq!(notes.take(), ["outer", "SIGUSR2", "outer goes on"]);
    });
}

#[test]
fn handler_that_never_returns_hurts_its_own_process_only() {
    solo(|sys| {
        let stuck = child(sys, |sys| {
            let forever = Action::handler(|sys, _| {
                loop {
                    sys.yield_now();
                    let _ = sys.sleep(ms(1));
                }
            });
            sys.sigaction(USR1, forever).unwrap();
            sys.sleep(ms(1)).unwrap();
            panic!("the handler never returns");
        });
        sys.yield_now();
        sys.kill(stuck, USR1).unwrap();
        let other = child(sys, |sys| sys.sleep(ms(20)));
        join(sys, other);
        assert_eq!(sys.now(), at_ms(20));
        assert_eq!(sys.kill(stuck, Signal::SIGKILL), Ok(()));
    });
}

#[test]
fn new_process_starts_with_default_actions_and_an_empty_mask() {
    solo(|sys| {
        sys.sigaction(USR1, Action::Ignore).unwrap();
        sys.sigaction(USR2, Action::Event).unwrap();
        sys.sigprocmask(MaskHow::Block, SignalSet::SIGTERM);
        let fresh = child(sys, |sys| {
            for signal in Signal::ALL.into_iter().filter(|signal| signal.is_catchable()) {
                assert_eq!(sys.sigaction(signal, None), Ok(Action::Default));
            }
            let mask = sys.sigprocmask(MaskHow::Block, SignalSet::empty());
            assert_eq!(mask, SignalSet::empty());
            assert_eq!(sys.sigpending(), SignalSet::empty());
        });
        join(sys, fresh);
    });
}

#[test]
fn sigprocmask_blocks_unblocks_and_sets() {
    solo(|sys| {
        let (hup, int) = (SignalSet::SIGHUP, SignalSet::SIGINT);
        assert_eq!(sys.sigprocmask(MaskHow::Block, hup), SignalSet::empty());
        assert_eq!(sys.sigprocmask(MaskHow::Block, int), hup);
        assert_eq!(sys.sigprocmask(MaskHow::Unblock, hup), hup | int);
        assert_eq!(sys.sigprocmask(MaskHow::Set, hup | SignalSet::UNMASKABLE), int);
        assert_eq!(sys.sigprocmask(MaskHow::Set, SignalSet::empty()), hup);
    });
}

#[test]
fn sigprocmask_delivers_before_it_returns() {
    solo(|sys| {
        let notes = Notes::default();
        sys.sigaction(USR1, noting(&notes)).unwrap();
        sys.sigprocmask(MaskHow::Block, SignalSet::SIGUSR1);
        sys.kill(sys.getpid(), USR1).unwrap();
        assert!(notes.take().is_empty());
        sys.sigprocmask(MaskHow::Set, SignalSet::empty());
        assert_eq!(notes.take(), ["SIGUSR1"]);
    });
}

#[test]
fn sigwait_takes_the_lowest_pending_and_runs_no_action() {
    solo(|sys| {
        let both = SignalSet::SIGUSR1 | SignalSet::SIGTERM;
        sys.sigprocmask(MaskHow::Block, both);
        sys.kill(sys.getpid(), Signal::SIGTERM).unwrap();
        sys.kill(sys.getpid(), USR1).unwrap();
        assert_eq!(sys.sigwait(both, None), Ok(USR1));
        assert_eq!(sys.sigwait(both, Some(ms(0))), Ok(Signal::SIGTERM));
        assert_eq!(sys.sigpending(), SignalSet::empty());
        sys.sigprocmask(MaskHow::Set, SignalSet::empty());
    });
}

#[test]
fn sigwait_waits_for_a_signal_and_leaves_others_pending() {
    solo(|sys| {
        let target = child(sys, |sys| {
            let both = SignalSet::SIGUSR1 | SignalSet::SIGUSR2;
            sys.sigprocmask(MaskHow::Block, both);
            assert_eq!(sys.sigwait(SignalSet::SIGUSR2, None), Ok(USR2));
            assert_eq!(sys.now(), at_ms(2));
            assert_eq!(sys.sigpending(), SignalSet::SIGUSR1);
        });
        sys.sleep(ms(1)).unwrap();
        sys.kill(target, USR1).unwrap();
        sys.sleep(ms(1)).unwrap();
        sys.kill(target, USR2).unwrap();
        join(sys, target);
    });
}

#[test]
fn sigwait_times_out_exactly() {
    solo(|sys| {
        let set = SignalSet::SIGUSR1;
        assert_eq!(sys.sigwait(set, Some(ms(0))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(0));
        assert_eq!(sys.sigwait(set, Some(ms(3))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(3));
    });
}

#[test]
fn sigwait_for_nothing_that_can_be_waited_for_is_einval() {
    solo(|sys| {
        for set in [SignalSet::empty(), SignalSet::UNMASKABLE] {
            assert_eq!(sys.sigwait(set, Some(ms(1))), Err(Errno::EINVAL));
        }
    });
}

#[test]
fn sigwait_in_a_process_with_a_handler_of_another_signal_goes_on() {
    solo(|sys| {
        let hits = Rc::new(Cell::new(0));
        let counted = hits.clone();
        let target = child(sys, move |sys| {
            let count = Action::handler(move |_, _| counted.set(counted.get() + 1));
            sys.sigaction(USR2, count).unwrap();
            sys.sigprocmask(MaskHow::Block, SignalSet::SIGUSR1);
            assert_eq!(sys.sigwait(SignalSet::SIGUSR1, Some(ms(9))), Ok(USR1));
        });
        for signal in [USR2, USR1] {
            sys.sleep(ms(1)).unwrap();
            sys.kill(target, signal).unwrap();
        }
        join(sys, target);
        assert_eq!(hits.get(), 1);
    });
}

#[test]
fn handler_gets_a_full_sys_to_make_any_call() {
    solo(|sys| {
        let handler = Action::handler(|sys: &Sys, _| {
            let helper = child(sys, |_| 5);
            assert_eq!(sys.wait(helper, None).unwrap().status, ExitStatus::Exited(5.into()));
            sys.register("from handler").unwrap();
            sys.compute(ms(1)).unwrap();
        });
        sys.sigaction(USR1, handler).unwrap();
        sys.kill(sys.getpid(), USR1).unwrap();
        assert_eq!(sys.lookup("from handler"), Some(sys.getpid()));
        assert_eq!(sys.now(), at_ms(1));
    });
}

#[test]
fn handler_panic_that_the_program_catches_ends_it_all_the_same() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    for traps_again in [true, false] {
        let run = scenario(|kernel| {
            let main = program(move |sys: &Sys| {
                let handler = |_: &Sys, _: Signal| panic!("in the handler");
                sys.sigaction(Signal::SIGUSR1, Action::handler(handler)).unwrap();
                let me = sys.getpid();
                let kill = || sys.kill(me, Signal::SIGUSR1);
                assert!(catch_unwind(AssertUnwindSafe(kill)).is_err());
                if traps_again {
                    sys.getpid();
                    unreachable!("the process is over");
                }
            });
            kernel.spawn("catches", main).unwrap();
        });
        assert_eq!(run.exit(1).status, ExitStatus::Panicked("in the handler".into()));
    }
}
