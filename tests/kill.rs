//! `kill`: who may signal whom, and what each signal does by default.

use std::cell::Cell;
use std::rc::Rc;

use hothouse::{
    Action, Errno, ExitStatus, Filter, MaskHow, Pid, Signal, SignalNumber, SignalSet, StateInfo,
    Sys,
};
use hothouse_tests::{Notes, at_ms, child, join, ms, scenario, solo};

/// Waits until somebody ends it.
fn sleeper(sys: &Sys) {
    loop {
        let _ = sys.receive_event(Filter::any(), None);
    }
}

fn state(sys: &Sys, pid: Pid) -> StateInfo {
    sys.getpinfo(pid).expect("it is alive").state
}

#[test]
fn kill_missing_pid_is_esrch() {
    solo(|sys| {
        for pid in [2, 99, u64::MAX] {
            assert_eq!(sys.kill(Pid::new(pid), Signal::SIGTERM), Err(Errno::ESRCH));
            assert_eq!(sys.kill(Pid::new(pid), 0), Err(Errno::ESRCH));
        }
    });
}

#[test]
fn kill_dead_pid_is_esrch_before_and_after_its_record_is_read() {
    solo(|sys| {
        let dead = child(sys, |_| ());
        sys.yield_now();
        assert_eq!(sys.kill(dead, Signal::SIGTERM), Err(Errno::ESRCH));
        join(sys, dead);
        assert_eq!(sys.kill(dead, 0), Err(Errno::ESRCH));
    });
}

#[test]
fn kill_other_users_process_is_eperm() {
    solo(|sys| {
        let parent = sys.getpid();
        let other = child(sys, move |sys| {
            sys.setuser("mallory").unwrap();
            assert_eq!(sys.kill(parent, Signal::SIGTERM), Err(Errno::EPERM));
            assert_eq!(sys.kill(parent, 0), Err(Errno::EPERM));
            assert_eq!(sys.kill(parent, Signal::SIGKILL), Err(Errno::EPERM));
            assert_eq!(sys.kill(Pid::new(99), Signal::SIGTERM), Err(Errno::ESRCH));
            assert_eq!(sys.kill(Pid::new(99), 0), Err(Errno::ESRCH));
        });
        join(sys, other);
    });
}

#[test]
fn kill_same_users_process_is_allowed_without_root() {
    solo(|sys| {
        let guest = child(sys, |sys| {
            sys.setuser("guest").unwrap();
            let peer = child(sys, sleeper);
            assert_eq!(sys.kill(peer, 0), Ok(()));
            assert_eq!(sys.kill(peer, Signal::SIGTERM), Ok(()));
            let exit = sys.wait(peer, None).unwrap();
            assert_eq!(exit.status, ExitStatus::Signaled(Signal::SIGTERM));
        });
        join(sys, guest);
    });
}

#[test]
fn kill_root_may_signal_any_user() {
    solo(|sys| {
        let guest = child(sys, |sys| {
            sys.setuser("guest").unwrap();
            sleeper(sys);
        });
        sys.yield_now();
        assert_eq!(sys.getpinfo(guest).unwrap().user, "guest");
        assert_eq!(sys.kill(guest, Signal::SIGKILL), Ok(()));
    });
}

#[test]
fn kill_signal_zero_sends_nothing() {
    let run = solo(|sys| {
        let peer = child(sys, sleeper);
        sys.yield_now();
        assert_eq!(sys.kill(peer, 0), Ok(()));
        assert_eq!(sys.kill(sys.getpid(), 0), Ok(()));
        sys.sleep(ms(1)).unwrap();
        assert!(matches!(state(sys, peer), StateInfo::Waiting { .. }));
    });
    assert_eq!(run.report.counters.signals, 0);
}

#[test]
fn kill_signal_outside_0_to_31_is_einval() {
    let run = solo(|sys| {
        let me = sys.getpid();
        for number in [-1, 32, 64, i64::MAX, i64::MIN] {
            assert_eq!(sys.kill(me, number), Err(Errno::EINVAL), "signal {number}");
        }
        assert_eq!(sys.kill(me, SignalNumber::INVALID), Err(Errno::EINVAL));
    });
    assert_eq!(run.report.counters.signals, 0);
}

#[test]
fn kill_pid_zero_is_eperm() {
    solo(|sys| {
        assert_eq!(sys.kill(Pid::KERNEL, Signal::SIGTERM), Err(Errno::EPERM));
        assert_eq!(sys.kill(Pid::KERNEL, Signal::SIGKILL), Err(Errno::EPERM));
        assert_eq!(sys.kill(Pid::KERNEL, 0), Err(Errno::EPERM));
    });
}

#[test]
fn kill_another_returns_before_its_handler_runs() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let target = child(sys, move |sys| {
            let inner = theirs.clone();
            let action = Action::handler(move |_, _| inner.add("handler"));
            sys.sigaction(Signal::SIGUSR1, action).unwrap();
            sys.sleep(ms(5)).unwrap();
        });
        sys.yield_now();
        sys.kill(target, Signal::SIGUSR1).unwrap();
        notes.add("kill returned");
        join(sys, target);
        assert_eq!(notes.take(), ["kill returned", "handler"]);
    });
}

#[test]
fn kill_self_unmasked_runs_the_handler_to_its_end_first() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let action = Action::handler(move |sys, _| {
            sys.sleep(ms(5)).unwrap();
            theirs.add("handler");
        });
        sys.sigaction(Signal::SIGUSR1, action).unwrap();
        assert_eq!(sys.kill(sys.getpid(), Signal::SIGUSR1), Ok(()));
        notes.add("kill returned");
        assert_eq!(sys.now(), at_ms(5));
        assert_eq!(notes.take(), ["handler", "kill returned"]);
    });
}

#[test]
fn kill_self_masked_stays_pending() {
    solo(|sys| {
        sys.sigprocmask(MaskHow::Block, SignalSet::SIGTERM);
        sys.kill(sys.getpid(), Signal::SIGTERM).unwrap();
        assert_eq!(sys.sigpending(), SignalSet::SIGTERM);
    });
}

#[test]
fn kill_self_by_default_action_does_not_return() {
    let run = scenario(|kernel| {
        let main = hothouse::program(|sys| {
            sys.kill(sys.getpid(), Signal::SIGTERM).unwrap();
            sys.log("still here");
        });
        kernel.spawn("init", main).unwrap();
    });
    assert_eq!(run.exit(1).status, ExitStatus::Signaled(Signal::SIGTERM));
    assert!(run.lines.is_empty());
}

/// Notes its drop.
struct Guard(Notes);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add("unwound");
    }
}

#[test]
fn sigkill_leaves_its_target_gone_when_kill_returns() {
    solo(|sys| {
        let notes = Notes::default();
        let theirs = notes.clone();
        let target = child(sys, move |sys| {
            let _guard = Guard(theirs.clone());
            let hook = theirs.clone();
            sys.at_exit(move |_| hook.add("hook"));
            sys.register("service").unwrap();
            sleeper(sys);
        });
        sys.yield_now();
        assert_eq!(sys.lookup("service"), Some(target));
        assert_eq!(sys.kill(target, Signal::SIGKILL), Ok(()));
        assert_eq!(notes.take(), ["unwound"]);
        assert_eq!(sys.lookup("service"), None);
        assert_eq!(sys.getpinfo(target), Err(Errno::ESRCH));
        assert_eq!(sys.getplist(), [sys.getpid()]);
        let exit = sys.wait(target, Some(ms(0))).unwrap();
        assert_eq!(exit.status, ExitStatus::Signaled(Signal::SIGKILL));
    });
}

#[test]
fn sigkill_is_not_maskable() {
    solo(|sys| {
        sys.sigprocmask(MaskHow::Set, SignalSet::all());
        assert_eq!(
            sys.sigprocmask(MaskHow::Block, SignalSet::empty()),
            SignalSet::all().difference(SignalSet::UNMASKABLE)
        );
        let target = child(sys, |sys| {
            sys.sigprocmask(MaskHow::Set, SignalSet::all());
            sleeper(sys);
        });
        sys.yield_now();
        sys.kill(target, Signal::SIGKILL).unwrap();
        assert_eq!(sys.kill(target, 0), Err(Errno::ESRCH));
    });
}

#[test]
fn sigkill_works_on_a_stopped_process() {
    solo(|sys| {
        let target = child(sys, sleeper);
        sys.yield_now();
        sys.kill(target, Signal::SIGSTOP).unwrap();
        sys.kill(target, Signal::SIGKILL).unwrap();
        assert_eq!(sys.kill(target, 0), Err(Errno::ESRCH));
    });
}

#[test]
fn sigkill_works_inside_a_handler() {
    solo(|sys| {
        let target = child(sys, |sys| {
            sys.sigaction(Signal::SIGUSR1, Action::handler(|sys, _| sleeper(sys))).unwrap();
            sleeper(sys);
        });
        sys.yield_now();
        sys.kill(target, Signal::SIGUSR1).unwrap();
        sys.sleep(ms(1)).unwrap();
        sys.kill(target, Signal::SIGKILL).unwrap();
        assert_eq!(sys.kill(target, 0), Err(Errno::ESRCH));
    });
}

#[test]
fn sigkill_of_one_that_never_ran_drops_its_program() {
    solo(|sys| {
        let notes = Notes::default();
        let guard = Guard(notes.clone());
        let target = child(sys, move |_| drop(guard));
        sys.kill(target, Signal::SIGKILL).unwrap();
        assert_eq!(notes.take(), ["unwound"]);
        assert_eq!(sys.wait(target, None).unwrap().status, ExitStatus::Signaled(Signal::SIGKILL));
    });
}

#[test]
fn ending_signals_end_by_default_with_their_status() {
    use Signal::*;
    let ends = [
        SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGUSR1, SIGSEGV,
        SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,
        SIGPWR, SIGSYS, SIGKILL,
    ];
    solo(move |sys| {
        for signal in ends {
            let target = child(sys, sleeper);
            sys.yield_now();
            sys.kill(target, signal).unwrap();
            assert_eq!(sys.wait(target, None).unwrap().status, ExitStatus::Signaled(signal));
        }
    });
}

#[test]
fn sigquit_and_sigabrt_log_where_the_process_was() {
    let run = solo(|sys| {
        for signal in [Signal::SIGQUIT, Signal::SIGABRT, Signal::SIGTERM] {
            let target = child(sys, |sys| sys.receive_event(Filter::name("never"), None).map(drop));
            sys.yield_now();
            sys.kill(target, signal).unwrap();
        }
    });
    let [quit, abrt] = &run.diagnostics[..] else { panic!("{:?}", run.diagnostics) };
    for (line, signal) in [(quit, "SIGQUIT"), (abrt, "SIGABRT")] {
        assert!(line.contains(signal) && line.contains("an event \"never\""), "{line}");
    }
}

#[test]
fn chld_urg_winch_are_ignored_by_default() {
    solo(|sys| {
        for signal in [Signal::SIGCHLD, Signal::SIGURG, Signal::SIGWINCH] {
            sys.kill(sys.getpid(), signal).unwrap();
        }
        assert_eq!(sys.sigpending(), SignalSet::empty());
    });
}

#[test]
fn sigchld_is_never_sent_by_the_kernel() {
    let run = solo(|sys| {
        sys.sigaction(Signal::SIGCHLD, Action::handler(|_, _| panic!("nobody sent it"))).unwrap();
        let ended = child(sys, |_| ());
        join(sys, ended);
    });
    assert_eq!(run.report.counters.signals, 0);
}

#[test]
fn same_signal_twice_while_pending_is_one_delivery() {
    solo(|sys| {
        let hits = Rc::new(Cell::new(0));
        let counted = hits.clone();
        let count = Action::handler(move |_, _| counted.set(counted.get() + 1));
        sys.sigaction(Signal::SIGUSR1, count).unwrap();
        sys.sigprocmask(MaskHow::Block, SignalSet::SIGUSR1);
        for _ in 0..5 {
            sys.kill(sys.getpid(), Signal::SIGUSR1).unwrap();
        }
        assert_eq!(hits.get(), 0);
        sys.sigprocmask(MaskHow::Unblock, SignalSet::SIGUSR1);
        assert_eq!(hits.get(), 1);
        sys.kill(sys.getpid(), Signal::SIGUSR1).unwrap();
        assert_eq!(hits.get(), 2);
    });
}
