//! Ties: what happens first when several things fall on one instant.
//!
//! The order is (class, sequence): the ends of bursts, events, signals, timers and sleeps, arrivals,
//! and last, when nothing else can run at that instant, timeouts, one at a time. Within a class it
//! is the order in which they were asked for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hothouse::trace::{Record, What};
use hothouse::{
    Action, Captured, Errno, Event, Filter, HostAction, Kernel, MaskHow, Pid, Signal, SignalSet,
    Sys, Tick, Until, program,
};
use hothouse_tests::{Notes, at_ms, ms, scenario, scenario_with};

/// The instant of all ties.
const THEN: Tick = at_ms(10);

/// Things that can be made to happen at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Burst,
    Event,
    Signal,
    Timer,
    Sleep,
    Arrival,
    Timeout,
}

const THINGS: [Thing; 7] = [
    Thing::Burst,
    Thing::Event,
    Thing::Signal,
    Thing::Timer,
    Thing::Sleep,
    Thing::Arrival,
    Thing::Timeout,
];

impl Thing {
    fn class(self) -> u32 {
        match self {
            Thing::Burst => 0,
            Thing::Event => 1,
            Thing::Signal => 2,
            Thing::Timer | Thing::Sleep => 3,
            Thing::Arrival => 4,
            Thing::Timeout => 5,
        }
    }

    /// Arranges for it to happen to, or by, the process started next.
    fn arrange(self, kernel: &mut Kernel, pid: Pid) {
        let main = move |sys: &Sys| {
            match self {
                Thing::Burst => sys.compute(ms(10)),
                Thing::Sleep => sys.sleep(ms(10)),
                Thing::Timeout => sys.receive_event(Filter::any(), Some(ms(10))).map(drop),
                Thing::Timer => sys.timer(ms(10)).map(drop),
                Thing::Event | Thing::Signal | Thing::Arrival => Ok(()),
            }
            .or_else(|errno| if errno == Errno::ETIMEDOUT { Ok(()) } else { Err(errno) })?;
            sys.next_event(None).map(drop)
        };
        assert_eq!(kernel.spawn("one", program(main)), Ok(pid));
        match self {
            Thing::Event => {
                kernel.at(THEN, HostAction::Send { pid, name: "tie".into(), data: ().into() })
            }
            Thing::Signal => {
                kernel.at(THEN, HostAction::Kill { pid, signal: Signal::SIGURG.into() })
            }
            Thing::Arrival => {
                let late = program(|_: &Sys| ());
                kernel.at(THEN, HostAction::Spawn { name: pid.to_string().into(), program: late });
            }
            _ => {}
        }
    }

    /// To whom it happens, if the record tells of it.
    fn happened(self, record: &Record<'_>) -> Option<Pid> {
        match (self, record.what) {
            (Thing::Burst, What::BurstEnded { .. }) => Some(record.pid),
            (Thing::Event, What::Sent { to, .. }) => Some(to),
            (Thing::Signal, What::Signaled { .. }) => Some(record.pid),
            (Thing::Timer, What::TimerFired { .. }) => Some(record.pid),
            (Thing::Timeout, What::TimedOut) => Some(record.pid),
            (Thing::Sleep, What::Woken) => Some(record.pid),
            (Thing::Arrival, What::Spawned { name, .. }) => {
                name.to_string().parse().ok().map(Pid::new)
            }
            _ => None,
        }
    }
}

/// The order in which two things happen that were asked for as they stand.
fn order(pair: [Thing; 2]) -> Vec<usize> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let heard = seen.clone();
    let listen = move |record: &Record<'_>| {
        if record.time == THEN {
            for (index, thing) in pair.into_iter().enumerate() {
                let mut seen = heard.borrow_mut();
                let it = thing.happened(record) == Some(Pid::new(index as u64 + 1));
                if it && !seen.contains(&index) {
                    seen.push(index);
                }
            }
        }
    };
    let builder = Kernel::builder().cpus(2).console(Captured::default()).listener(listen);
    let mut kernel = builder.build().expect("good settings");
    for (index, thing) in pair.into_iter().enumerate() {
        thing.arrange(&mut kernel, Pid::new(index as u64 + 1));
    }
    kernel.run_until(Until::Idle);
    seen.take()
}

#[test]
fn every_pair_of_things_at_one_instant() {
    for first in THINGS {
        for second in THINGS {
            let expected = if first.class() <= second.class() { [0, 1] } else { [1, 0] };
            assert_eq!(order([first, second]), expected, "{first:?} and {second:?}");
        }
    }
}

/// Checks that a receive with its timeout at `THEN` still gets what `sender` sends at `THEN`, after
/// the victim did `before`.
fn event_wins(before: fn(&Sys), sender: fn(&Sys)) {
    let run = scenario_with(
        |builder| builder.cpus(2),
        |kernel| {
            let main = program(move |sys: &Sys| -> Result<bool, Errno> {
                before(sys);
                let left = (THEN - sys.now()).duration();
                let event = sys.receive_event(Filter::name("tie"), Some(left))?;
                Ok(event.name == "tie" && sys.now() == THEN)
            });
            kernel.spawn("victim", main).expect("there is room");
            kernel.spawn("sender", program(sender)).expect("there is room");
        },
        || Until::Idle,
    );
    assert!(run.exit(1).status.is_success(), "{}", run.exit(1).status);
}

fn send(sys: &Sys) {
    // It is dead if the event did not win.
    let _ = sys.send_event(Pid::new(1), "tie", ());
}

#[test]
fn event_at_the_instant_of_the_timeout_wins() {
    let senders: [fn(&Sys); 6] = [
        |sys| {
            sys.sleep(ms(10)).unwrap();
            send(sys);
        },
        |sys| {
            sys.compute(ms(10)).unwrap();
            send(sys);
        },
        |sys| {
            sys.timer(ms(10)).unwrap();
            sys.next_event(None).unwrap();
            send(sys);
        },
        |sys| {
            sys.sleep(ms(10)).unwrap();
            (0..5).for_each(|_| sys.yield_now());
            send(sys);
        },
        |sys| {
            sys.sleep(ms(10)).unwrap();
            sys.spawn("grandchild", send).unwrap();
        },
        |sys| {
            sys.sleep(ms(4)).unwrap();
            sys.compute(ms(6)).unwrap();
            sys.sleep(Duration::ZERO).unwrap();
            sys.alarm(THEN).unwrap();
            sys.next_event(None).unwrap();
            send(sys);
        },
    ];
    for sender in senders {
        event_wins(|_| (), sender);
    }
}

#[test]
fn event_wins_after_a_handler_that_ends_with_the_timeout() {
    event_wins(
        |sys| {
            let handler = |sys: &Sys, _| sys.sleep_until(THEN).unwrap();
            let _ = sys.sigaction(Signal::SIGINT, Action::handler(handler)).unwrap();
        },
        |sys| {
            sys.sleep(ms(5)).unwrap();
            sys.kill(Pid::new(1), Signal::SIGINT).unwrap();
            sys.sleep(ms(5)).unwrap();
            (0..3).for_each(|_| sys.yield_now());
            send(sys);
        },
    );
}

#[test]
fn event_wins_after_a_stop_that_ends_with_the_timeout() {
    event_wins(
        |_| (),
        |sys| {
            sys.sleep(ms(5)).unwrap();
            sys.kill(Pid::new(1), Signal::SIGSTOP).unwrap();
            sys.sleep(ms(5)).unwrap();
            sys.kill(Pid::new(1), Signal::SIGCONT).unwrap();
            (0..3).for_each(|_| sys.yield_now());
            send(sys);
        },
    );
}

#[test]
fn event_from_outside_at_the_instant_of_the_timeout_wins() {
    let run = scenario(|kernel| {
        let main = |sys: &Sys| sys.receive_event(Filter::any(), Some(ms(10))).is_ok();
        kernel.spawn("victim", program(main)).unwrap();
        let (pid, name) = (Pid::new(1), "tie".into());
        kernel.at(THEN, HostAction::Send { pid, name, data: ().into() });
    });
    assert!(run.exit(1).status.is_success());
}

#[test]
fn timeouts_expire_one_at_a_time() {
    // The first to time out sends to the second, whose timeout is at the same instant.
    let run = scenario(|kernel| {
        let first = |sys: &Sys| {
            let out = sys.receive_event(Filter::any(), Some(ms(10))) == Err(Errno::ETIMEDOUT);
            sys.send_event(Pid::new(2), "tie", ()).is_ok() && out
        };
        kernel.spawn("first", program(first)).unwrap();
        let second = |sys: &Sys| sys.receive_event(Filter::any(), Some(ms(10))).is_ok();
        kernel.spawn("second", program(second)).unwrap();
    });
    assert!(run.exit(1).status.is_success() && run.exit(2).status.is_success());
}

#[test]
fn sleepers_wake_in_the_order_in_which_they_fell_asleep() {
    let notes = Notes::default();
    let noted = notes.clone();
    scenario(move |kernel| {
        for start in [3, 1, 2, 0] {
            let notes = noted.clone();
            let main = move |sys: &Sys| {
                sys.sleep(ms(start)).unwrap();
                sys.sleep_until(THEN).unwrap();
                notes.add(start.to_string());
            };
            kernel.spawn("sleeper", program(main)).unwrap();
        }
    });
    assert_eq!(notes.take().join(" "), "0 1 2 3 0 1 2 3");
}

#[test]
fn code_at_one_instant_runs_in_order_of_cpus() {
    let notes = Notes::default();
    let noted = notes.clone();
    scenario_with(
        |builder| builder.cpus(3),
        move |kernel| {
            for name in ["a", "b", "c"] {
                let notes = noted.clone();
                let main = move |sys: &Sys| {
                    for _ in 0..3 {
                        sys.compute(ms(1)).unwrap();
                        notes.add(name);
                    }
                };
                kernel.spawn(name, program(main)).unwrap();
            }
        },
        || Until::Idle,
    );
    assert_eq!(notes.take().concat(), "abcabcabc".repeat(2));
}

#[test]
fn pending_signals_are_delivered_lowest_first() {
    let notes = Notes::default();
    let noted = notes.clone();
    hothouse_tests::solo(move |sys| {
        let signals = [Signal::SIGUSR2, Signal::SIGHUP, Signal::SIGALRM, Signal::SIGUSR1];
        sys.sigprocmask(MaskHow::Block, SignalSet::all());
        for signal in signals {
            let notes = noted.clone();
            let run = move |_: &Sys, signal: Signal| notes.add(signal.number().to_string());
            sys.sigaction(signal, Action::handler(run)).unwrap();
            sys.kill(sys.getpid(), signal).unwrap();
        }
        sys.sigprocmask(MaskHow::Set, SignalSet::empty());
    });
    assert_eq!(notes.take().join(" "), "1 10 12 14 1 10 12 14");
}

#[test]
fn arrivals_have_one_global_order() {
    // Three senders, three receivers; what a receiver sees of two senders is in the order of
    // sending.
    let notes = Notes::default();
    let noted = notes.clone();
    scenario(move |kernel| {
        for _ in 0..3 {
            let notes = noted.clone();
            let main = move |sys: &Sys| {
                let all = (0..9).map(|_| sys.receive_event(Filter::any(), None).unwrap());
                let show = |event: Event| format!("{}{}", event.sender, event.data);
                notes.add(all.map(show).collect::<Vec<_>>().join(" "));
            };
            kernel.spawn("receiver", program(main)).unwrap();
        }
        for _ in 0..3 {
            let main = |sys: &Sys| {
                for number in 0..3 {
                    for to in 1..=3 {
                        sys.send_event(Pid::new(to), "n", number).unwrap();
                    }
                    sys.yield_now();
                }
            };
            kernel.spawn("sender", program(main)).unwrap();
        }
    });
    assert_eq!(notes.take(), vec!["40 50 60 41 51 61 42 52 62"; 6]);
}
