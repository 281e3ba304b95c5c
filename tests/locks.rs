//! The kernel's locks.

use hothouse::{
    Ceiling, Class, Errno, LockId, LockKind, Mutex, Protocol, Scheduling, Signal, Span, Sys, policy,
};
use hothouse_tests::{Notes, at_ms, child, join, ms, scenario, solo, solo_with};

/// A child that holds the mutex for so many milliseconds, and has it already.
fn holder(sys: &Sys, mutex: Mutex, millis: u64) -> hothouse::Pid {
    let pid = child(sys, move |sys| {
        let _guard = mutex.lock(sys)?;
        sys.sleep(ms(millis))
    });
    sys.yield_now();
    pid
}

#[test]
fn mutex_is_handed_on_in_order_of_arrival() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let notes = Notes::default();
        let guard = mutex.lock(sys).unwrap();
        let pids = ["a", "b", "c"].map(|name| {
            let notes = notes.clone();
            child(sys, move |sys| {
                let _guard = mutex.lock(sys).unwrap();
                notes.add(name);
                sys.sleep(ms(1)).unwrap();
            })
        });
        sys.sleep(ms(1)).unwrap();
        drop(guard);
        // It was given to the first who waits: coming back at once is no advantage.
        assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EBUSY));
        assert!(mutex.lock(sys).is_ok());
        notes.add("me");
        for pid in pids {
            join(sys, pid);
        }
        assert_eq!(notes.take(), ["a", "b", "c", "me"]);
    });
}

#[test]
fn mutex_self_relock_is_edeadlk() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let _guard = mutex.lock(sys).unwrap();
        assert_eq!(mutex.lock(sys).map(drop), Err(Errno::EDEADLK));
        assert_eq!(mutex.lock_timeout(sys, ms(5)).map(drop), Err(Errno::EDEADLK));
        assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EDEADLK));
    });
}

#[test]
fn mutex_try_of_a_taken_one_is_ebusy() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let pid = holder(sys, mutex, 3);
        assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EBUSY));
        join(sys, pid);
        assert!(!mutex.try_lock(sys).unwrap().owner_died());
    });
}

#[test]
fn mutex_lock_times_out_exactly_and_leaves_the_queue() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let pid = holder(sys, mutex, 9);
        assert_eq!(mutex.lock_timeout(sys, ms(0)).map(drop), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(0));
        assert_eq!(mutex.lock_timeout(sys, ms(4)).map(drop), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(4));
        join(sys, pid);
        assert!(mutex.try_lock(sys).is_ok());
    });
}

#[test]
fn mutex_unlock_by_another_is_eperm() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        assert_eq!(sys.unlock(mutex.id()), Err(Errno::EPERM));
        let pid = holder(sys, mutex, 3);
        assert_eq!(sys.unlock(mutex.id()), Err(Errno::EPERM));
        assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EBUSY));
        join(sys, pid);
    });
}

#[test]
fn mutex_of_a_dead_owner_goes_on_with_the_mark_owner_died() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let owner = child(sys, move |sys| {
            sys.lock(mutex.id(), None).unwrap();
            sys.sleep(ms(50))
        });
        let waiter = child(sys, move |sys| {
            let guard = mutex.lock(sys).unwrap();
            assert!(guard.owner_died());
            assert_eq!(sys.now(), at_ms(2));
        });
        sys.sleep(ms(2)).unwrap();
        sys.kill(owner, Signal::SIGKILL).unwrap();
        join(sys, waiter);
        assert!(!mutex.lock(sys).unwrap().owner_died(), "the mark is for the next owner only");
    });
}

#[test]
fn mutex_that_nobody_waits_for_keeps_the_mark_for_the_next_owner() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let owner = child(sys, move |sys| sys.lock(mutex.id(), None).map(drop));
        join(sys, owner);
        assert!(mutex.try_lock(sys).unwrap().owner_died());
        assert!(!mutex.try_lock(sys).unwrap().owner_died());
    });
}

#[test]
fn waiter_that_dies_leaves_the_queue() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let guard = mutex.lock(sys).unwrap();
        let [first, second] = [0, 1].map(|_| child(sys, move |sys| mutex.lock(sys).map(drop)));
        sys.yield_now();
        sys.kill(first, Signal::SIGKILL).unwrap();
        drop(guard);
        join(sys, second);
        assert!(mutex.try_lock(sys).is_ok());
    });
}

#[test]
fn locks_of_the_wrong_kind_and_missing_ones_are_einval() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap().id();
        let semaphore = sys.semaphore(1).unwrap().id();
        let condition = sys.condition().unwrap().id();
        let barrier = sys.barrier(1).unwrap().id();
        let missing = LockId::new(99);
        for id in [semaphore, condition, barrier, missing] {
            assert_eq!(sys.lock(id, None), Err(Errno::EINVAL));
            assert_eq!(sys.try_lock(id), Err(Errno::EINVAL));
            assert_eq!(sys.unlock(id), Err(Errno::EINVAL));
            assert_eq!(sys.wait_condition(condition, id, None), Err(Errno::EINVAL));
        }
        for id in [mutex, condition, barrier, missing] {
            assert_eq!(sys.acquire(id, None), Err(Errno::EINVAL));
            assert_eq!(sys.try_acquire(id), Err(Errno::EINVAL));
            assert_eq!(sys.release(id, 1), Err(Errno::EINVAL));
        }
        for id in [mutex, semaphore, barrier, missing] {
            assert_eq!(sys.notify(id, true), Err(Errno::EINVAL));
            assert_eq!(sys.wait_condition(id, mutex, None), Err(Errno::EINVAL));
        }
        for id in [mutex, semaphore, condition, missing] {
            assert_eq!(sys.wait_barrier(id, None), Err(Errno::EINVAL));
        }
        assert_eq!(sys.destroy_lock(missing), Err(Errno::EINVAL));
    });
}

#[test]
fn semaphore_gives_its_permits_in_order_of_arrival() {
    solo(|sys| {
        let seats = sys.semaphore(2).unwrap();
        let ends = [0, 1, 2, 3, 4].map(|_| {
            child(sys, move |sys| {
                let _seat = seats.acquire(sys)?;
                sys.sleep(ms(1))
            })
        });
        let ends = ends.map(|pid| join(sys, pid).ended_at);
        assert_eq!(ends, [1, 1, 2, 2, 3].map(at_ms));
    });
}

#[test]
fn semaphore_without_permits_is_eagain_to_try_and_times_out_to_wait() {
    solo(|sys| {
        let semaphore = sys.semaphore(1).unwrap();
        let permit = semaphore.try_acquire(sys).unwrap();
        assert_eq!(semaphore.try_acquire(sys).map(drop), Err(Errno::EAGAIN));
        let timed_out = semaphore.acquire_timeout(sys, ms(3)).map(drop);
        assert_eq!((timed_out, sys.now()), (Err(Errno::ETIMEDOUT), at_ms(3)));
        drop(permit);
        semaphore.acquire(sys).unwrap().keep();
        assert_eq!(semaphore.try_acquire(sys).map(drop), Err(Errno::EAGAIN));
        semaphore.release(sys, 2).unwrap();
        semaphore.try_acquire(sys).unwrap().keep();
        semaphore.try_acquire(sys).unwrap().keep();
    });
}

#[test]
fn semaphore_release_that_overflows_is_einval_and_changes_nothing() {
    solo(|sys| {
        let semaphore = sys.semaphore(u64::MAX).unwrap();
        assert_eq!(semaphore.release(sys, 1), Err(Errno::EINVAL));
        semaphore.try_acquire(sys).unwrap().keep();
        assert_eq!(semaphore.release(sys, 2), Err(Errno::EINVAL));
        assert_eq!(semaphore.release(sys, 1), Ok(()));
    });
}

#[test]
fn condition_wakes_one_in_order_or_all() {
    solo(|sys| {
        let (mutex, condition) = (sys.mutex().unwrap(), sys.condition().unwrap());
        let notes = Notes::default();
        let pids = ["a", "b", "c"].map(|name| {
            let notes = notes.clone();
            child(sys, move |sys| {
                let mut guard = mutex.lock(sys).unwrap();
                condition.wait(&mut guard).unwrap();
                notes.add(name);
            })
        });
        sys.sleep(ms(1)).unwrap();
        condition.notify_one(sys).unwrap();
        sys.sleep(ms(1)).unwrap();
        assert_eq!(notes.take(), ["a"]);
        condition.notify_all(sys).unwrap();
        for pid in pids {
            join(sys, pid);
        }
        assert_eq!(notes.take(), ["b", "c"]);
        condition.notify_all(sys).unwrap();
    });
}

#[test]
fn condition_times_out_with_its_mutex_locked_again() {
    solo(|sys| {
        let (mutex, condition) = (sys.mutex().unwrap(), sys.condition().unwrap());
        let mut guard = mutex.lock(sys).unwrap();
        for millis in [0, 3] {
            let timed_out = condition.wait_timeout(&mut guard, ms(millis));
            assert_eq!(timed_out, Err(Errno::ETIMEDOUT));
            assert_eq!(sys.now(), at_ms(millis));
            assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EDEADLK));
        }
        drop(guard);
        assert_eq!(sys.wait_condition(condition.id(), mutex.id(), None), Err(Errno::EPERM));
    });
}

#[test]
fn condition_that_times_out_waits_for_the_mutex() {
    solo(|sys| {
        let (mutex, condition) = (sys.mutex().unwrap(), sys.condition().unwrap());
        let waiter = child(sys, move |sys| {
            let mut guard = mutex.lock(sys).unwrap();
            assert_eq!(condition.wait_timeout(&mut guard, ms(2)), Err(Errno::ETIMEDOUT));
            assert_eq!(sys.now(), at_ms(9));
        });
        sys.yield_now();
        let _guard = mutex.lock(sys).unwrap();
        sys.sleep(ms(9)).unwrap();
        drop(_guard);
        join(sys, waiter);
    });
}

#[test]
fn barrier_opens_for_all_and_tells_the_last() {
    solo(|sys| {
        let barrier = sys.barrier(3).unwrap();
        for round in 1..=2 {
            let pids =
                [0, 1].map(|_| child(sys, move |sys| assert_eq!(barrier.wait(sys), Ok(false))));
            sys.sleep(ms(1)).unwrap();
            assert_eq!(barrier.wait(sys), Ok(true));
            assert_eq!(pids.map(|pid| join(sys, pid).ended_at), [at_ms(round); 2]);
        }
    });
}

#[test]
fn barrier_that_times_out_counts_one_less() {
    solo(|sys| {
        let barrier = sys.barrier(2).unwrap();
        assert_eq!(barrier.wait_timeout(sys, ms(2)), Err(Errno::ETIMEDOUT));
        let other = child(sys, move |sys| assert_eq!(barrier.wait(sys), Ok(false)));
        sys.yield_now();
        assert_eq!(barrier.wait(sys), Ok(true));
        join(sys, other);
        assert_eq!(sys.create_lock(LockKind::Barrier(0)), Err(Errno::EINVAL));
    });
}

#[test]
fn destroy_of_a_lock_in_use_is_ebusy() {
    solo(|sys| {
        let mutex = sys.mutex().unwrap();
        let guard = mutex.lock(sys).unwrap();
        assert_eq!(sys.destroy_lock(mutex.id()), Err(Errno::EBUSY));
        drop(guard);
        assert_eq!(sys.destroy_lock(mutex.id()), Ok(()));
        assert_eq!(sys.destroy_lock(mutex.id()), Err(Errno::EINVAL));
        assert_eq!(mutex.lock(sys).map(drop), Err(Errno::EINVAL));
        let semaphore = sys.semaphore(0).unwrap();
        let waiter = child(sys, move |sys| semaphore.acquire(sys).map(drop));
        sys.yield_now();
        assert_eq!(sys.destroy_lock(semaphore.id()), Err(Errno::EBUSY));
        semaphore.release(sys, 1).unwrap();
        join(sys, waiter);
    });
}

#[test]
fn locks_live_as_long_as_somebody_who_knows_them() {
    let run = solo(|sys| {
        let me = sys.getpid();
        let maker = child(sys, move |sys| {
            let mutex = sys.mutex().unwrap();
            child(sys, move |sys| {
                sys.sleep(ms(5)).unwrap();
                let alive = mutex.lock(sys).is_ok();
                sys.send_event(me, "inherited", alive)
            });
        });
        join(sys, maker);
        let told = sys.receive_event(hothouse::Filter::any(), None).unwrap();
        assert_eq!(told.data, true.into());
    });
    assert_eq!(run.report.held.locks, 0);
}

/// When the urgent process gets the lock that one of low priority holds while one of middle
/// priority computes.
fn inversion(protocol: Protocol) -> hothouse::Tick {
    let run = solo_with(
        |builder| builder.policy(Box::new(policy::Prio::default())),
        move |sys| {
            let mutex = Mutex::with_protocol(sys, protocol).unwrap();
            let low = child(sys, move |sys| {
                let _guard = mutex.lock(sys)?;
                sys.compute(ms(10))
            });
            let middle = child(sys, |sys| {
                sys.sleep(ms(2))?;
                sys.compute(ms(100))
            });
            let high = child(sys, move |sys| {
                sys.sleep(ms(4))?;
                let _guard = mutex.lock(sys)?;
                Ok::<(), Errno>(())
            });
            sys.nice(19, low).unwrap();
            sys.nice(10, middle).unwrap();
            sys.nice(-10, high).unwrap();
            let end = join(sys, high).ended_at;
            sys.log(format!("{end}"));
            join(sys, low);
            join(sys, middle);
        },
    );
    let nanos = run.lines[0].rsplit(": ").next().unwrap().replace('.', "").parse().unwrap();
    hothouse::Tick::from_nanos(nanos)
}

#[test]
fn ceiling_of_a_more_urgent_process_is_einval() {
    solo(|sys| {
        let ceiling = Ceiling {
            class: Class::Fifo(5),
            nice: Some(0),
            deadline: Some(Span::from_millis(10)),
            period: Some(Span::from_millis(20)),
        };
        let mutex = Mutex::with_protocol(sys, Protocol::Ceiling(ceiling)).unwrap();
        let plain = sys.sched_getattr(None).unwrap();
        let millis = |millis| Some(Span::from_millis(millis));
        let more_urgent = [
            Scheduling { class: Class::RoundRobin(6), ..plain.clone() },
            Scheduling { nice: -1, ..plain.clone() },
            Scheduling { deadline: millis(9), ..plain.clone() },
            Scheduling { deadline: millis(15), period: millis(19), ..plain.clone() },
        ];
        for scheduling in more_urgent {
            sys.sched_setattr(None, scheduling).unwrap();
            assert_eq!(mutex.lock(sys).map(drop), Err(Errno::EINVAL));
            assert_eq!(mutex.try_lock(sys).map(drop), Err(Errno::EINVAL));
        }
        let at_the_ceiling =
            Scheduling { class: Class::Fifo(5), deadline: millis(10), period: millis(20), ..plain };
        sys.sched_setattr(None, at_the_ceiling).unwrap();
        assert!(mutex.lock(sys).is_ok());
    });
}

/// When the task of the early deadline gets the lock, under `edf`: one of a late deadline holds it
/// and has 10 ms to compute, another computes for 100 ms.
fn deadline_inversion(protocol: Protocol) -> hothouse::Tick {
    let run = solo_with(
        |builder| builder.policy(Box::new(policy::Edf::new())),
        move |sys| {
            let mutex = Mutex::with_protocol(sys, protocol).unwrap();
            let job = |sys: &Sys, release, deadline| {
                let deadline = Some(Span::from_millis(deadline));
                let wanted = Scheduling { deadline, ..sys.sched_getattr(None)? };
                sys.sched_setattr(None, wanted)?;
                sys.begin_job(at_ms(release), None)
            };
            let late = child(sys, move |sys| {
                job(sys, 1, 500)?;
                let guard = mutex.lock(sys)?;
                sys.compute(ms(10))?;
                drop(guard);
                sys.compute(ms(1))
            });
            child(sys, move |sys| {
                job(sys, 2, 300)?;
                sys.compute(ms(100))
            });
            let early = child(sys, move |sys| {
                job(sys, 4, 50)?;
                let guard = mutex.lock(sys)?;
                sys.log(format!("{}", sys.now()));
                drop(guard);
                Ok::<(), Errno>(())
            });
            join(sys, early);
            // What was lent is given back with the mutex.
            assert!(join(sys, late).ended_at > at_ms(100));
        },
    );
    let nanos = run.lines[0].rsplit(": ").next().unwrap().replace('.', "").parse().unwrap();
    hothouse::Tick::from_nanos(nanos)
}

#[test]
fn protocols_bound_deadline_inversion_and_none_does_not() {
    assert_eq!(deadline_inversion(Protocol::None), at_ms(111));
    assert_eq!(deadline_inversion(Protocol::Inherit), at_ms(13));
    let deadline = Some(Span::from_millis(50));
    let ceiling = Ceiling { deadline, ..Ceiling::default() };
    assert_eq!(deadline_inversion(Protocol::Ceiling(ceiling)), at_ms(11));
}

#[test]
fn protocols_bound_priority_inversion_and_none_does_not() {
    assert_eq!(inversion(Protocol::Inherit), at_ms(12));
    let ceiling = Ceiling { nice: Some(-10), ..Ceiling::default() };
    assert_eq!(inversion(Protocol::Ceiling(ceiling)), at_ms(10));
    assert_eq!(inversion(Protocol::None), at_ms(110));
}

#[test]
fn waiting_for_a_lock_shows_who_holds_it() {
    let run = scenario(|kernel| {
        let main = hothouse::program(|sys| {
            let mutex = sys.mutex().unwrap();
            sys.spawn("holder", move |sys| {
                sys.lock(mutex.id(), None)?;
                sys.receive_event(hothouse::Filter::any(), None).map(drop)
            })?;
            sys.yield_now();
            mutex.lock(sys).map(drop)
        });
        kernel.spawn("init", main).unwrap();
    });
    let text = run.end.to_string();
    assert!(text.contains("1 init waits for mutex 1 held by 2 since 0.000000000"), "{text}");
}
