//! Stopping and continuing: what a stopped process keeps, and what waits for it.

use std::cell::Cell;
use std::rc::Rc;

use hothouse::{
    Action, Errno, ExitStatus, Filter, MaskHow, Pid, Signal, SignalSet, StateInfo, Sys,
};
use hothouse_tests::{at_ms, child, join, ms, solo, solo_with, two_cpus};

const STOPS: [Signal; 4] = [Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];

fn state(sys: &Sys, pid: Pid) -> StateInfo {
    sys.getpinfo(pid).expect("it is alive").state
}

#[test]
fn stop_signals_stop_by_default_and_show_it() {
    solo(|sys| {
        for stop in STOPS {
            let target = child(sys, |sys| sys.sleep(ms(5)));
            sys.yield_now();
            sys.kill(target, stop).unwrap();
            assert_eq!(state(sys, target), StateInfo::Stopped, "{stop}");
            sys.sleep(ms(10)).unwrap();
            assert_eq!(state(sys, target), StateInfo::Stopped, "{stop}");
            sys.kill(target, Signal::SIGCONT).unwrap();
            join(sys, target);
        }
    });
}

#[test]
fn stop_of_oneself_returns_from_kill_after_sigcont() {
    solo(|sys| {
        let target = child(sys, |sys| {
            sys.kill(sys.getpid(), Signal::SIGSTOP).unwrap();
            assert_eq!(sys.now(), at_ms(7));
        });
        sys.sleep(ms(7)).unwrap();
        assert_eq!(state(sys, target), StateInfo::Stopped);
        sys.kill(target, Signal::SIGCONT).unwrap();
        join(sys, target);
    });
}

#[test]
fn stop_keeps_what_is_left_of_a_burst() {
    solo_with(two_cpus, |sys| {
        let target = child(sys, |sys| sys.compute(ms(10)));
        sys.sleep(ms(4)).unwrap();
        sys.kill(target, Signal::SIGSTOP).unwrap();
        assert_eq!(sys.getpinfo(target).unwrap().cpu_time, ms(4).into());
        sys.sleep(ms(20)).unwrap();
        assert_eq!(sys.getpinfo(target).unwrap().cpu_time, ms(4).into());
        sys.kill(target, Signal::SIGCONT).unwrap();
        let exit = join(sys, target);
        assert_eq!(exit.ended_at, at_ms(30));
        assert_eq!(exit.cpu_time, ms(10).into());
    });
}

#[test]
fn stop_keeps_deadlines() {
    for (resumed, returns) in [(8, 10), (10, 10), (20, 20)] {
        solo(move |sys| {
            let target = child(sys, move |sys| {
                let got = sys.receive_event(Filter::any(), Some(ms(10)));
                assert_eq!(got, Err(Errno::ETIMEDOUT));
                assert_eq!(sys.now(), at_ms(returns));
            });
            sys.sleep(ms(5)).unwrap();
            sys.kill(target, Signal::SIGSTOP).unwrap();
            sys.sleep_until(at_ms(resumed)).unwrap();
            sys.kill(target, Signal::SIGCONT).unwrap();
            join(sys, target);
        });
    }
}

#[test]
fn stop_queues_events_and_signals() {
    solo(|sys| {
        let target = child(sys, |sys| {
            let hits = Rc::new(Cell::new(0));
            let counted = hits.clone();
            let count = Action::handler(move |_, _| counted.set(counted.get() + 1));
            sys.sigaction(Signal::SIGUSR1, count).unwrap();
            for i in 0..3 {
                let event = sys.receive_event(Filter::any(), Some(ms(2))).unwrap();
                assert_eq!(event.data.as_int(), Some(i));
            }
            assert_eq!(hits.get(), 1);
        });
        sys.yield_now();
        sys.kill(target, Signal::SIGSTOP).unwrap();
        for i in 0..3 {
            sys.send_event(target, "n", i).unwrap();
        }
        sys.kill(target, Signal::SIGUSR1).unwrap();
        sys.sleep(ms(10)).unwrap();
        assert_eq!(sys.getpinfo(target).unwrap().mailbox_depth, 3);
        sys.kill(target, Signal::SIGCONT).unwrap();
        join(sys, target);
    });
}

#[test]
fn stop_holds_an_ending_signal_back_until_sigcont() {
    solo(|sys| {
        let target = child(sys, |sys| sys.sleep(ms(100)));
        sys.yield_now();
        sys.kill(target, Signal::SIGSTOP).unwrap();
        sys.kill(target, Signal::SIGTERM).unwrap();
        sys.sleep(ms(1)).unwrap();
        assert_eq!(state(sys, target), StateInfo::Stopped);
        sys.kill(target, Signal::SIGCONT).unwrap();
        assert_eq!(sys.wait(target, None).unwrap().status, ExitStatus::Signaled(Signal::SIGTERM));
    });
}

#[test]
fn sigcont_resumes_even_if_ignored_or_masked() {
    fn ignores(sys: &Sys) {
        sys.sigaction(Signal::SIGCONT, Action::Ignore).unwrap();
    }
    fn masks(sys: &Sys) {
        sys.sigprocmask(MaskHow::Block, SignalSet::SIGCONT);
    }
    for prepare in [ignores, masks] {
        solo(move |sys| {
            let target = child(sys, move |sys| {
                prepare(sys);
                sys.sleep(ms(5)).unwrap();
            });
            sys.yield_now();
            sys.kill(target, Signal::SIGSTOP).unwrap();
            assert_eq!(state(sys, target), StateInfo::Stopped);
            sys.kill(target, Signal::SIGCONT).unwrap();
            assert_ne!(state(sys, target), StateInfo::Stopped);
            assert_eq!(join(sys, target).ended_at, at_ms(5));
        });
    }
}

#[test]
fn sigcont_discards_pending_stops() {
    solo(|sys| {
        let me = sys.getpid();
        let stops: SignalSet = STOPS[1..].iter().copied().collect();
        sys.sigprocmask(MaskHow::Block, stops);
        for stop in STOPS[1..].iter().copied() {
            sys.kill(me, stop).unwrap();
        }
        assert_eq!(sys.sigpending(), stops);
        sys.kill(me, Signal::SIGCONT).unwrap();
        assert_eq!(sys.sigpending(), SignalSet::empty());
    });
}

#[test]
fn stop_discards_a_pending_sigcont() {
    for stop in STOPS[1..].iter().copied() {
        solo(move |sys| {
            let me = sys.getpid();
            sys.sigaction(Signal::SIGCONT, Action::handler(|_, _| panic!("it is gone"))).unwrap();
            sys.sigprocmask(MaskHow::Block, SignalSet::SIGCONT | stop.into());
            sys.kill(me, Signal::SIGCONT).unwrap();
            assert_eq!(sys.sigpending(), SignalSet::SIGCONT);
            sys.kill(me, stop).unwrap();
            assert_eq!(sys.sigpending(), stop.into());
            sys.sigprocmask(MaskHow::Unblock, SignalSet::SIGCONT);
        });
    }
}

#[test]
fn sigcont_resumes_and_then_runs_its_action() {
    solo(|sys| {
        let target = child(sys, |sys| {
            let me = sys.getpid();
            let act = Action::handler(move |sys, _| sys.send_event(me, "continued", ()).unwrap());
            sys.sigaction(Signal::SIGCONT, act).unwrap();
            sys.receive_event(Filter::name("continued"), Some(ms(50))).unwrap();
            assert_eq!(sys.now(), at_ms(10));
        });
        sys.yield_now();
        sys.kill(target, Signal::SIGSTOP).unwrap();
        sys.sleep(ms(10)).unwrap();
        sys.kill(target, Signal::SIGCONT).unwrap();
        join(sys, target);
    });
}
