//! `receive_event`: filters, timeouts, and what never comes.

use std::time::Duration;

use hothouse::{Errno, Filter, Pid, Signal, Value};
use hothouse_tests::{at_ms, child, join, ms, scenario, solo};

#[test]
fn receive_filters_by_sender_name_and_both_and_keeps_the_rest_in_order() {
    solo(|sys| {
        let me = sys.getpid();
        let [a, b] = [1, 2].map(|who| {
            child(sys, move |sys| {
                for name in ["x", "y", "x"] {
                    sys.send_event(me, name, who).unwrap();
                }
            })
        });
        join(sys, a);
        join(sys, b);
        let take = |filter: Filter| {
            let event = sys.receive_event(filter, Some(ms(0))).unwrap();
            (event.sender, event.name.to_string())
        };
        assert_eq!(take(Filter::sender(b)), (b, "x".into()));
        assert_eq!(take(Filter::name("y")), (a, "y".into()));
        assert_eq!(take(Filter::name("x").from(b)), (b, "x".into()));
        assert_eq!(take(Filter::any()), (a, "x".into()));
        assert_eq!(take(Filter::any()), (a, "x".into()));
        assert_eq!(take(Filter::any()), (b, "y".into()));
    });
}

#[test]
fn receive_of_a_deep_mailbox_takes_the_oldest_match() {
    solo(|sys| {
        let me = sys.getpid();
        for i in 0..500 {
            sys.send_event(me, format!("n{}", i % 7), i).unwrap();
        }
        let mut left: Vec<i64> = (0..500).collect();
        while let Some(&last) = left.last() {
            let name = last % 7;
            let at = left.iter().position(|i| i % 7 == name).unwrap();
            let event = sys.receive_event(Filter::name(format!("n{name}")), Some(ms(0))).unwrap();
            assert_eq!(event.data.as_int(), Some(left.remove(at)));
        }
    });
}

#[test]
fn receive_takes_only_sent_events() {
    solo(|sys| {
        sys.timer(ms(1)).unwrap();
        sys.queue_event("queued", ()).unwrap();
        sys.monitor(Pid::new(99)).unwrap();
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(2))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.receive_event(Filter::name("timer"), Some(ms(0))), Err(Errno::ETIMEDOUT));
        for name in ["queued", "down", "timer"] {
            assert_eq!(sys.next_event(Some(ms(0))).unwrap().name, name);
        }
    });
}

#[test]
fn receive_timeout_none_waits_for_ever() {
    solo(|sys| {
        let me = sys.getpid();
        let year = Duration::from_secs(365 * 24 * 3600);
        let late = child(sys, move |sys| {
            sys.sleep(year).unwrap();
            sys.send_event(me, "x", ())
        });
        sys.receive_event(Filter::any(), None).unwrap();
        assert_eq!(sys.now().nanos(), year.as_nanos() as u64);
        join(sys, late);
    });
}

#[test]
fn receive_timeout_longer_than_time_is_for_ever() {
    let run = scenario(|kernel| {
        let main = hothouse::program(|sys| {
            sys.receive_event(Filter::any(), Some(Duration::MAX)).map(drop)
        });
        kernel.spawn("init", main).unwrap();
    });
    assert_eq!(run.end.word(), "deadlock");
}

#[test]
fn receive_timeout_zero_does_not_park() {
    solo(|sys| {
        let other = child(sys, |sys| sys.log("ran"));
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(0))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.getpinfo(other).unwrap().traps, 0, "the other has run");
        sys.send_event(sys.getpid(), "x", ()).unwrap();
        assert!(sys.receive_event(Filter::any(), Some(ms(0))).is_ok());
        assert_eq!(sys.getpinfo(other).unwrap().traps, 0, "the other has run");
        join(sys, other);
    });
}

#[test]
fn receive_timeout_is_exact_to_the_nanosecond() {
    solo(|sys| {
        for nanos in [1, 999, 1_000_001] {
            let before = sys.now().nanos();
            let got = sys.receive_event(Filter::any(), Some(Duration::from_nanos(nanos)));
            assert_eq!(got, Err(Errno::ETIMEDOUT));
            assert_eq!(sys.now().nanos() - before, nanos);
        }
    });
}

#[test]
fn event_at_the_instant_of_the_timeout_wins() {
    solo(|sys| {
        let target = child(sys, |sys| {
            let event = sys.receive_event(Filter::any(), Some(ms(10))).unwrap();
            assert_eq!((event.data, sys.now()), (1.into(), at_ms(10)));
        });
        sys.sleep(ms(10)).unwrap();
        // However long the chain of others that run at this instant is.
        for _ in 0..10 {
            sys.yield_now();
            let link = child(sys, |_| ());
            join(sys, link);
        }
        sys.send_event(target, "x", 1).unwrap();
        join(sys, target);
    });
}

#[test]
fn of_several_timeouts_at_one_instant_a_later_one_is_served_by_the_first_to_wake() {
    solo(|sys| {
        let second = child(sys, |sys| {
            let event = sys.receive_event(Filter::any(), Some(ms(10))).unwrap();
            assert_eq!(sys.now(), at_ms(10));
            assert_eq!(event.name, "woken");
        });
        // Its wait begins later, so that its timeout is the later one of the two.
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(10))), Err(Errno::ETIMEDOUT));
        sys.send_event(second, "woken", ()).unwrap();
        join(sys, second);
    });
}

#[test]
fn timed_out_receive_consumes_nothing_and_leaves_no_timer() {
    let run = solo(|sys| {
        sys.send_event(sys.getpid(), "other", 1).unwrap();
        let got = sys.receive_event(Filter::name("x"), Some(ms(3)));
        assert_eq!(got, Err(Errno::ETIMEDOUT));
        let other = sys.receive_event(Filter::any(), Some(ms(5))).unwrap();
        assert_eq!(other.data, 1.into());
        assert_eq!(sys.now(), at_ms(3));
    });
    assert_eq!(run.report.now, at_ms(3), "a stray timer moved the clock");
}

#[test]
fn served_receive_leaves_no_timer() {
    let run = solo(|sys| {
        let me = sys.getpid();
        let sender = child(sys, move |sys| sys.send_event(me, "x", ()));
        sys.receive_event(Filter::any(), Some(ms(60_000))).unwrap();
        join(sys, sender);
    });
    assert_eq!(run.report.now, at_ms(0));
}

#[test]
fn receive_from_a_dead_sender_is_esrch_with_or_without_timeout() {
    solo(|sys| {
        let dead = child(sys, |_| ());
        join(sys, dead);
        for timeout in [None, Some(ms(0)), Some(ms(5))] {
            assert_eq!(sys.receive_event(Filter::sender(dead), timeout), Err(Errno::ESRCH));
        }
        let never = Filter::name("x").from(Pid::new(99));
        assert_eq!(sys.receive_event(never, None), Err(Errno::ESRCH));
        assert_eq!(sys.now(), at_ms(0));
    });
}

#[test]
fn receive_from_a_sender_that_dies_meanwhile_is_esrch() {
    solo(|sys| {
        let dies = child(sys, |sys| sys.sleep(ms(4)));
        let timeout = Some(ms(9));
        assert_eq!(sys.receive_event(Filter::sender(dies), timeout), Err(Errno::ESRCH));
        assert_eq!(sys.now(), at_ms(4));
        let killed = child(sys, |sys| sys.receive_event(Filter::any(), None).map(drop));
        let killer = child(sys, move |sys| {
            sys.sleep(ms(1)).unwrap();
            sys.kill(killed, Signal::SIGKILL)
        });
        assert_eq!(sys.receive_event(Filter::name("x").from(killed), None), Err(Errno::ESRCH));
        assert_eq!(sys.now(), at_ms(5));
        join(sys, killer);
    });
}

#[test]
fn receive_takes_what_a_sender_left_before_it_died() {
    solo(|sys| {
        let me = sys.getpid();
        let dies = child(sys, move |sys| {
            sys.sleep(ms(1)).unwrap();
            sys.send_event(me, "wrong", ()).unwrap();
            sys.send_event(me, "right", ())
        });
        let right = Filter::name("right").from(dies);
        assert_eq!(sys.receive_event(right.clone(), None).unwrap().name, "right");
        assert_eq!(sys.receive_event(right, None), Err(Errno::ESRCH));
        assert_eq!(sys.receive_event(Filter::sender(dies), None).unwrap().name, "wrong");
    });
}

#[test]
fn receive_from_pid_zero_waits_for_the_host() {
    let run = scenario(|kernel| {
        let main = hothouse::program(|sys| {
            let event = sys.receive_event(Filter::sender(Pid::KERNEL), None).unwrap();
            assert_eq!((event.sender, sys.now()), (Pid::KERNEL, at_ms(5)));
        });
        let pid = kernel.spawn("init", main).unwrap();
        let (name, data) = ("x".into(), Value::Nil);
        kernel.at(at_ms(5), hothouse::HostAction::Send { pid, name, data });
    });
    assert!(run.exit(1).status.is_success(), "{}", run.exit(1).status);
}
