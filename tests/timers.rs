//! Time: the clock, sleeping, timers and alarms.

use std::time::Duration;

use hothouse::{Errno, EventKind, Filter, Pid, Span, Tick, TimerId};
use hothouse_tests::{Notes, at_ms, child, join, ms, scenario, solo};

fn id_of(event: &hothouse::Event) -> Option<i64> {
    event.data.get("id").as_int()
}

fn number(id: TimerId) -> Option<i64> {
    i64::try_from(id.number()).ok()
}

#[test]
fn now_starts_at_zero_and_code_takes_no_time() {
    solo(|sys| {
        for _ in 0..100 {
            sys.getpid();
        }
        assert_eq!(sys.now(), Tick::ZERO);
    });
}

#[test]
fn sleep_is_exact_and_drops_nothing_from_the_mailbox() {
    solo(|sys| {
        sys.send_event(sys.getpid(), "x", ()).unwrap();
        sys.queue_event("y", ()).unwrap();
        sys.sleep(Duration::from_nanos(1_234_567)).unwrap();
        assert_eq!(sys.now().nanos(), 1_234_567);
        assert_eq!(sys.getpinfo(sys.getpid()).unwrap().mailbox_depth, 2);
    });
}

#[test]
fn sleep_zero_and_until_the_past_do_not_park() {
    solo(|sys| {
        sys.sleep(ms(5)).unwrap();
        let other = child(sys, |sys| sys.yield_now());
        sys.sleep(ms(0)).unwrap();
        sys.sleep_until(at_ms(5)).unwrap();
        sys.sleep_until(Tick::ZERO).unwrap();
        assert_eq!(sys.now(), at_ms(5));
        assert_eq!(sys.getpinfo(other).unwrap().traps, 0, "the other has run");
        join(sys, other);
    });
}

#[test]
fn sleepers_wake_in_order_of_time_and_then_of_arming() {
    solo(|sys| {
        let notes = Notes::default();
        let pids = [(3, "c"), (1, "a"), (3, "d"), (2, "b")].map(|(millis, name)| {
            let notes = notes.clone();
            child(sys, move |sys| {
                sys.sleep(ms(millis)).unwrap();
                notes.add(name);
            })
        });
        for pid in pids {
            join(sys, pid);
        }
        assert_eq!(notes.take(), ["a", "b", "c", "d"]);
    });
}

#[test]
fn sleep_for_ever_is_a_deadlock() {
    let run = scenario(|kernel| {
        let main = hothouse::program(|sys| sys.sleep(Duration::MAX));
        kernel.spawn("init", main).unwrap();
    });
    assert_eq!(run.end.word(), "deadlock");
}

#[test]
fn timer_fires_once_as_an_event_of_the_kernel() {
    solo(|sys| {
        let id = sys.timer(ms(3)).unwrap();
        let event = sys.next_event(None).unwrap();
        assert_eq!(sys.now(), at_ms(3));
        assert_eq!((event.sender, event.kind), (Pid::KERNEL, EventKind::Kernel));
        assert_eq!((event.name.clone(), id_of(&event)), ("timer".into(), number(id)));
        assert_eq!(sys.next_event(Some(ms(50))), Err(Errno::ETIMEDOUT));
    });
}

#[test]
fn timer_of_zero_fires_at_once() {
    solo(|sys| {
        let id = sys.timer(ms(0)).unwrap();
        assert_eq!(id_of(&sys.next_event(Some(ms(1))).unwrap()), number(id));
        assert_eq!(sys.now(), Tick::ZERO);
    });
}

#[test]
fn alarm_fires_at_its_time_and_at_once_if_that_has_passed() {
    solo(|sys| {
        let id = sys.alarm(at_ms(4)).unwrap();
        let event = sys.next_event(None).unwrap();
        assert_eq!((event.name.clone(), id_of(&event)), ("alarm".into(), number(id)));
        assert_eq!(sys.now(), at_ms(4));
        let late = sys.alarm(at_ms(1)).unwrap();
        assert_eq!(id_of(&sys.next_event(Some(ms(1))).unwrap()), number(late));
        assert_eq!(sys.now(), at_ms(4));
    });
}

#[test]
fn equal_deadlines_fire_in_arming_order() {
    solo(|sys| {
        let mut armed = Vec::new();
        for i in 0..20 {
            armed.push(match i % 2 {
                0 => sys.timer(ms(7)).unwrap(),
                _ => sys.alarm(at_ms(7)).unwrap(),
            });
        }
        for id in armed {
            assert_eq!(id_of(&sys.next_event(None).unwrap()), number(id));
        }
        assert_eq!(sys.now(), at_ms(7));
    });
}

#[test]
fn cancel_gives_the_time_left_and_the_timer_never_fires() {
    solo(|sys| {
        let id = sys.timer(ms(10)).unwrap();
        sys.sleep(ms(4)).unwrap();
        assert_eq!(sys.cancel(id), Ok(ms(6)));
        assert_eq!(sys.cancel(id), Err(Errno::EINVAL));
        assert_eq!(sys.next_event(Some(ms(20))), Err(Errno::ETIMEDOUT));
    });
}

#[test]
fn cancel_of_anothers_unknown_or_fired_timer_is_einval() {
    solo(|sys| {
        let mine = sys.timer(ms(5)).unwrap();
        let other = child(sys, move |sys| assert_eq!(sys.cancel(mine), Err(Errno::EINVAL)));
        join(sys, other);
        assert_eq!(sys.cancel(TimerId::new(0)), Err(Errno::EINVAL));
        assert_eq!(sys.cancel(TimerId::new(u64::MAX)), Err(Errno::EINVAL));
        sys.sleep(ms(5)).unwrap();
        assert_eq!(sys.cancel(mine), Err(Errno::EINVAL));
        assert_eq!(sys.next_event(Some(ms(0))).unwrap().name, "timer");
        assert_eq!(sys.cancel(mine), Err(Errno::EINVAL));
    });
}

#[test]
fn timers_are_gone_with_their_owner() {
    let run = solo(|sys| {
        let owner = child(sys, |sys| {
            for _ in 0..10 {
                sys.timer(ms(1_000)).unwrap();
            }
        });
        join(sys, owner);
    });
    assert_eq!(run.report.held.timers, 0);
    assert_eq!(run.report.now, Tick::ZERO, "a timer of the dead moved the clock");
}

#[test]
fn timer_that_fires_over_a_receive_waits_for_next_event() {
    solo(|sys| {
        sys.timer(ms(1)).unwrap();
        assert_eq!(sys.receive_event(Filter::any(), Some(ms(5))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.next_event(Some(ms(0))).unwrap().name, "timer");
    });
}

#[test]
fn time_saturates_at_its_end() {
    solo(|sys| {
        sys.sleep_until(Tick::from_nanos(u64::MAX - 2)).unwrap();
        let id = sys.timer(Duration::from_secs(5)).unwrap();
        assert_eq!(sys.cancel(id), Ok(Duration::from_nanos(2)));
        assert_eq!(sys.now() + Span::from_secs(1), Tick::MAX);
    });
}

#[test]
fn compute_takes_its_time_on_the_cpu() {
    solo(|sys| {
        let peer = child(sys, |sys| sys.compute(ms(4)));
        sys.compute(ms(3)).unwrap();
        assert_eq!(sys.now(), at_ms(3));
        sys.compute(ms(0)).unwrap();
        assert_eq!(sys.now(), at_ms(3));
        assert_eq!(join(sys, peer).ended_at, at_ms(7));
    });
}

#[test]
fn timeout_zero_never_parks_in_any_call() {
    solo(|sys| {
        let none = Some(ms(0));
        let holder = child(sys, |sys| sys.receive_event(Filter::name("end"), None).map(drop));
        let (mutex, condition) = (sys.mutex().unwrap(), sys.condition().unwrap());
        let owner = child(sys, move |sys| {
            sys.lock(mutex.id(), None)?;
            sys.receive_event(Filter::name("end"), None).map(drop)
        });
        sys.yield_now();
        let other = child(sys, |sys| sys.yield_now());
        assert_eq!(sys.receive_event(Filter::any(), none), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.next_event(none), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.filter_event(["x"], none), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.wait(None, none), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.call(holder, "x", (), none), Err(Errno::ETIMEDOUT));
        let set = hothouse::SignalSet::SIGUSR1;
        assert_eq!(sys.sigwait(set, none), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.lock(mutex.id(), none), Err(Errno::ETIMEDOUT));
        let empty = sys.semaphore(0).unwrap();
        assert_eq!(sys.acquire(empty.id(), none), Err(Errno::ETIMEDOUT));
        let barrier = sys.barrier(2).unwrap();
        assert_eq!(sys.wait_barrier(barrier.id(), none), Err(Errno::ETIMEDOUT));
        let own = sys.mutex().unwrap();
        sys.lock(own.id(), None).unwrap();
        let timed_out = sys.wait_condition(condition.id(), own.id(), none);
        assert_eq!(timed_out, Err(Errno::ETIMEDOUT));
        assert_eq!(sys.getpinfo(other).unwrap().traps, 0, "the other has run");
        for pid in [holder, owner] {
            sys.send_event(pid, "end", ()).unwrap();
            join(sys, pid);
        }
        join(sys, other);
    });
}
