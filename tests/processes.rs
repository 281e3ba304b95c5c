//! Processes: how they come to be, what is known of them, and how a parent learns of their end.

use hothouse::{Errno, EventKind, ExitStatus, Filter, Pid, Signal, StateInfo, Sys, Value, program};
use hothouse_tests::{Notes, at_ms, child, join, ms, scenario, scenario_with, solo};

fn forever(sys: &Sys) {
    loop {
        let _ = sys.receive_event(Filter::any(), None);
    }
}

#[test]
fn spawn_makes_a_child_that_runs_when_the_policy_picks_it() {
    solo(|sys| {
        let notes = Notes::default();
        let (first, second) = (notes.clone(), notes.clone());
        let me = sys.getpid();
        let a = child(sys, move |sys| {
            assert_eq!(sys.getppid(), me);
            assert_eq!(sys.getuser(), "root");
            first.add("a");
        });
        let b = child(sys, move |_| second.add("b"));
        notes.add("spawned");
        join(sys, a);
        join(sys, b);
        assert_eq!(notes.take(), ["spawned", "a", "b"]);
    });
}

#[test]
fn pids_rise_by_one_and_are_never_used_again() {
    solo(|sys| {
        assert_eq!(sys.getpid(), Pid::new(1));
        for i in 2..50 {
            let pid = child(sys, |_| ());
            assert_eq!(pid, Pid::new(i));
            join(sys, pid);
        }
    });
}

#[test]
fn spawn_with_too_long_a_name_is_enametoolong_and_makes_nothing() {
    let run = solo(|sys| {
        assert_eq!(sys.spawn("n".repeat(256), |_| ()), Err(Errno::ENAMETOOLONG));
        let longest = sys.spawn("n".repeat(255), |_| ()).unwrap();
        assert_eq!(longest, Pid::new(2));
        join(sys, longest);
    });
    assert_eq!(run.report.counters.spawned, 2);
}

#[test]
fn wait_reads_an_exit_record_once() {
    solo(|sys| {
        let pid = child(sys, |sys| {
            sys.compute(ms(3)).unwrap();
            sys.sleep(ms(2)).unwrap();
            Value::from("done")
        });
        let exit = sys.wait(pid, None).unwrap();
        assert_eq!((exit.pid, exit.status), (pid, ExitStatus::Exited("done".into())));
        assert_eq!((exit.cpu_time, exit.ended_at), (ms(3).into(), at_ms(5)));
        assert_eq!(sys.wait(pid, None), Err(Errno::ECHILD));
        assert_eq!(sys.wait(None, None), Err(Errno::ECHILD));
    });
}

#[test]
fn wait_tells_every_kind_of_end() {
    solo(|sys| {
        let status = |main: fn(&Sys) -> Result<i32, String>| {
            let pid = child(sys, main);
            sys.wait(pid, None).unwrap().status
        };
        assert_eq!(status(|_| Ok(3)), ExitStatus::Exited(3.into()));
        assert_eq!(status(|sys| sys.exit(4)), ExitStatus::Exited(4.into()));
        assert_eq!(status(|_| Err("why".into())), ExitStatus::Failed("why".into()));
        let panicked = status(|_| panic!("oh"));
        assert!(matches!(&panicked, ExitStatus::Panicked(m) if m.starts_with("oh")));
        let killed =
            status(|sys| sys.kill(sys.getpid(), Signal::SIGUSR2).map_or(Ok(0), |()| Ok(1)));
        assert_eq!(killed, ExitStatus::Signaled(Signal::SIGUSR2));
    });
}

#[test]
fn wait_for_any_reads_records_in_order_of_ending() {
    solo(|sys| {
        let slow = child(sys, |sys| sys.sleep(ms(2)));
        let quick = child(sys, |sys| sys.sleep(ms(1)));
        sys.sleep(ms(5)).unwrap();
        assert_eq!(sys.wait(None, None).unwrap().pid, quick);
        assert_eq!(sys.wait(None, Some(ms(0))).unwrap().pid, slow);
    });
}

#[test]
fn wait_without_such_a_child_is_echild() {
    solo(|sys| {
        let me = sys.getpid();
        assert_eq!(sys.wait(None, None), Err(Errno::ECHILD));
        assert_eq!(sys.wait(me, None), Err(Errno::ECHILD));
        assert_eq!(sys.wait(Pid::new(99), Some(ms(5))), Err(Errno::ECHILD));
        assert_eq!(sys.wait(Pid::KERNEL, None), Err(Errno::ECHILD));
        let middle = child(sys, |sys| {
            child(sys, |sys| sys.sleep(ms(1)));
            sys.sleep(ms(2))
        });
        sys.yield_now();
        let grandchild = Pid::new(middle.number() + 1);
        assert_eq!(sys.kill(grandchild, 0), Ok(()));
        assert_eq!(sys.wait(grandchild, None), Err(Errno::ECHILD));
        join(sys, middle);
    });
}

#[test]
fn wait_times_out_exactly_and_the_child_lives_on() {
    solo(|sys| {
        let pid = child(sys, |sys| sys.sleep(ms(9)));
        assert_eq!(sys.wait(pid, Some(ms(0))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(0));
        assert_eq!(sys.wait(None, Some(ms(4))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.now(), at_ms(4));
        assert_eq!(join(sys, pid).ended_at, at_ms(9));
    });
}

#[test]
fn wait_whose_child_ends_at_the_instant_of_the_timeout_gets_it() {
    solo(|sys| {
        let pid = child(sys, |sys| sys.sleep(ms(4)));
        assert_eq!(sys.wait(pid, Some(ms(4))).map(|exit| exit.pid), Ok(pid));
    });
}

#[test]
fn notice_comes_only_to_a_parent_that_asked_and_takes_the_record_along() {
    solo(|sys| {
        let quiet = child(sys, |_| ());
        sys.yield_now();
        assert_eq!(sys.peek_event(), None);
        join(sys, quiet);
        sys.notices(true);
        let told = child(sys, |_| 5);
        let event = sys.next_event(None).unwrap();
        assert_eq!((event.name, event.kind), ("process_complete".into(), EventKind::Kernel));
        assert_eq!(event.data, Value::map([("id", Value::from(told)), ("value", 5.into())]));
        assert_eq!(sys.wait(told, None), Err(Errno::ECHILD));
        sys.notices(false);
        let quiet = child(sys, |_| ());
        join(sys, quiet);
        assert_eq!(sys.peek_event(), None);
    });
}

#[test]
fn notice_has_the_value_the_error_or_the_signal() {
    solo(|sys| {
        sys.notices(true);
        let told = |main: fn(&Sys) -> Result<i32, String>| {
            child(sys, main);
            sys.filter_event(["process_complete"], None).unwrap().data
        };
        assert_eq!(told(|_| Ok(7)).get("value").as_int(), Some(7));
        assert_eq!(told(|_| Err("why".into())).get("error").as_str(), Some("why"));
        let panicked = told(|_| panic!("oh"));
        assert!(panicked.get("error").as_str().unwrap().starts_with("oh"));
        let killed = told(|sys| sys.kill(sys.getpid(), 15).map_or(Ok(0), |()| Ok(1)));
        assert_eq!(killed.get("signal").as_int(), Some(15));
    });
}

#[test]
fn record_that_wait_reads_takes_its_notice_along() {
    solo(|sys| {
        sys.notices(true);
        let pid = child(sys, |_| ());
        sys.yield_now();
        assert_eq!(sys.peek_event().unwrap().name, "process_complete");
        join(sys, pid);
        assert_eq!(sys.peek_event(), None);
    });
}

#[test]
fn orphans_are_adopted_by_the_kernel() {
    let run = solo(|sys| {
        let middle = child(sys, |sys| {
            sys.spawn("orphan", |sys| {
                sys.sleep(ms(5)).unwrap();
                assert_eq!(sys.getppid(), Pid::KERNEL);
                77
            })
            .map(drop)
        });
        assert_eq!(join(sys, middle).ended_at, at_ms(0));
        sys.sleep(ms(10)).unwrap();
        assert_eq!(sys.wait(None, None), Err(Errno::ECHILD));
    });
    assert_eq!(run.exit(3).status, ExitStatus::Exited(77.into()));
}

#[test]
fn getplist_is_all_live_pids_ascending() {
    solo(|sys| {
        let pids = [0, 1, 2].map(|_| child(sys, forever));
        sys.kill(pids[1], Signal::SIGKILL).unwrap();
        let newest = child(sys, forever);
        assert_eq!(sys.getplist(), [sys.getpid(), pids[0], pids[2], newest]);
    });
}

#[test]
fn getpinfo_tells_what_is_known() {
    solo(|sys| {
        sys.sleep(ms(1)).unwrap();
        let main = |sys: &Sys| {
            sys.compute(ms(2)).unwrap();
            forever(sys);
        };
        let pid = sys.spawn("worker", main).unwrap();
        let fresh = sys.getpinfo(pid).unwrap();
        assert_eq!((fresh.pid, fresh.name, fresh.user), (pid, "worker".into(), "root".into()));
        assert_eq!((fresh.parent, fresh.state), (sys.getpid(), StateInfo::Ready));
        assert_eq!((fresh.traps, fresh.nice, fresh.started_at), (0, 0, at_ms(1)));
        sys.compute(ms(4)).unwrap();
        sys.sleep(ms(5)).unwrap();
        let info = sys.getpinfo(pid).unwrap();
        assert_eq!((info.cpu_time, info.wait_time), (ms(2).into(), ms(4).into()));
        assert_eq!(info.traps, 2);
        let StateInfo::Waiting { what, since } = info.state else { panic!("{:?}", info.state) };
        assert_eq!((&what[..], since), ("an event", at_ms(7)));
        sys.kill(pid, Signal::SIGSTOP).unwrap();
        for _ in 0..3 {
            sys.send_event(pid, "x", ()).unwrap();
        }
        let info = sys.getpinfo(pid).unwrap();
        assert_eq!((info.state, info.mailbox_depth), (StateInfo::Stopped, 3));
        sys.kill(pid, Signal::SIGCONT).unwrap();
        sys.yield_now();
        let info = sys.getpinfo(pid).unwrap();
        assert_eq!((info.mailbox_depth, info.mailbox_peak), (0, 3));
        assert_eq!(sys.getpinfo(sys.getpid()).unwrap().state, StateInfo::Running);
    });
}

#[test]
fn getpinfo_of_a_missing_process_is_esrch() {
    solo(|sys| {
        for pid in [Pid::KERNEL, Pid::new(99), Pid::new(u64::MAX)] {
            assert_eq!(sys.getpinfo(pid), Err(Errno::ESRCH));
        }
    });
}

#[test]
fn nice_is_set_read_back_and_inherited_by_children() {
    solo(|sys| {
        assert_eq!(sys.getnice(None), Ok(0));
        for level in [19, -20, 5] {
            sys.nice(level, None).unwrap();
            assert_eq!(sys.getnice(None), Ok(level as i8));
        }
        let pid = child(sys, |sys| assert_eq!(sys.getnice(None), Ok(5)));
        sys.nice(7, pid).unwrap();
        assert_eq!(sys.getpinfo(pid).unwrap().nice, 7);
        sys.nice(5, pid).unwrap();
        join(sys, pid);
    });
}

#[test]
fn nice_outside_its_range_is_einval_and_of_nobody_esrch() {
    solo(|sys| {
        for level in [-21, 20, i64::MIN, i64::MAX, 256] {
            assert_eq!(sys.nice(level, None).map(drop), Err(Errno::EINVAL), "{level}");
        }
        assert_eq!(sys.getnice(None), Ok(0));
        assert_eq!(sys.nice(1, Pid::new(99)).map(drop), Err(Errno::ESRCH));
        assert_eq!(sys.getnice(Pid::new(99)), Err(Errno::ESRCH));
        assert_eq!(sys.getnice(Pid::KERNEL), Err(Errno::ESRCH));
    });
}

#[test]
fn monitor_tells_of_an_end_exactly_once() {
    solo(|sys| {
        let pid = child(sys, |sys| sys.sleep(ms(3)).map(|()| 9));
        sys.monitor(pid).unwrap();
        sys.monitor(pid).unwrap();
        let down = sys.next_event(None).unwrap();
        assert_eq!((down.name, down.sender, sys.now()), ("down".into(), Pid::KERNEL, at_ms(3)));
        assert_eq!(down.data.get("id").as_pid(), Some(pid));
        assert_eq!(down.data.get("status").as_str(), Some("exited"));
        assert_eq!(down.data.get("value").as_int(), Some(9));
        assert_eq!(sys.next_event(Some(ms(5))), Err(Errno::ETIMEDOUT));
        assert_eq!(sys.wait(pid, None).unwrap().status, ExitStatus::Exited(9.into()));
    });
}

#[test]
fn monitor_of_nobody_tells_at_once_with_status_unknown() {
    solo(|sys| {
        let dead = child(sys, |_| ());
        join(sys, dead);
        for pid in [dead, Pid::new(99), Pid::KERNEL] {
            sys.monitor(pid).unwrap();
            let down = sys.next_event(Some(ms(0))).unwrap();
            assert_eq!(down.data.get("id").as_pid(), Some(pid));
            assert_eq!(down.data.get("status").as_str(), Some("unknown"));
        }
    });
}

#[test]
fn demonitor_takes_a_monitor_back() {
    solo(|sys| {
        let pid = child(sys, |sys| sys.sleep(ms(3)));
        sys.monitor(pid).unwrap();
        sys.demonitor(pid);
        sys.demonitor(pid);
        sys.demonitor(Pid::new(99));
        assert_eq!(sys.next_event(Some(ms(5))), Err(Errno::ETIMEDOUT));
        join(sys, pid);
    });
}

#[test]
fn yield_now_lets_all_others_run_once() {
    solo(|sys| {
        let notes = Notes::default();
        let pids = ["a", "b"].map(|name| {
            let notes = notes.clone();
            child(sys, move |sys| {
                for _ in 0..2 {
                    notes.add(name);
                    sys.yield_now();
                }
            })
        });
        sys.yield_now();
        notes.add("me");
        sys.yield_now();
        assert_eq!(notes.take(), ["a", "b", "me", "a", "b"]);
        assert_eq!(sys.now(), at_ms(0));
        for pid in pids {
            join(sys, pid);
        }
    });
}

#[test]
fn log_writes_one_line_with_time_and_pid() {
    let run = solo(|sys| {
        sys.sleep(ms(1_500)).unwrap();
        sys.log("hello");
    });
    assert_eq!(run.lines, ["[1.500000000] 1 solo: hello"]);
}

#[test]
fn random_comes_from_the_seed_and_the_pid_alone() {
    let draws = |seed: u64, disturb: bool| {
        let run = scenario_with(
            move |builder| builder.seed(seed),
            move |kernel| {
                for _ in 0..2 {
                    let main = program(move |sys| {
                        if disturb && sys.getpid() == Pid::new(1) {
                            sys.random();
                        }
                        sys.log(format!("{}", sys.random()));
                    });
                    kernel.spawn("draws", main).unwrap();
                }
            },
            || hothouse::Until::Idle,
        );
        run.lines
    };
    let base = draws(1, false);
    assert_ne!(base[0][base[0].len() - 8..], base[1][base[1].len() - 8..]);
    assert_ne!(base, draws(2, false));
    let disturbed = draws(1, true);
    assert_ne!(base[0], disturbed[0]);
    assert_eq!(base[1], disturbed[1], "a draw of one shifted the other's");
}

#[test]
fn program_may_return_a_result_whose_error_fails_it() {
    let run = scenario(|kernel| {
        let main = program(|sys| sys.kill(Pid::new(9), 15));
        kernel.spawn("fails", main).unwrap();
    });
    assert_eq!(run.exit(1).status, ExitStatus::Failed("No such process".into()));
}
