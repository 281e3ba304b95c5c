//! The host's side: how runs are driven, injected into, inspected and reported, and how they end.

use hothouse::{
    Captured, End, Errno, ExitStatus, Filter, HostAction, Interrupt, Kernel, Pid, RunError, Signal,
    StateInfo, Sys, Tick, Until, Value, program,
};
use hothouse_tests::{Notes, at_ms, child, join, ms, scenario, scenario_with};

fn kernel() -> Kernel {
    Kernel::builder().console(Captured::default()).hash(true).build().unwrap()
}

fn forever(sys: &Sys) {
    loop {
        let _ = sys.receive_event(Filter::any(), None);
    }
}

fn ticks(sys: &Sys) {
    loop {
        let _ = sys.sleep(ms(10));
    }
}

#[test]
fn run_ends_done_when_pid_1_has_ended_and_others_live() {
    let mut kernel = kernel();
    kernel.spawn("init", program(|sys| sys.sleep(ms(25)))).unwrap();
    kernel.spawn("ticks", program(ticks)).unwrap();
    assert!(matches!(kernel.run(), End::Done));
    assert_eq!(kernel.now(), at_ms(25));
    let left = kernel.kill_all();
    assert_eq!(left.iter().map(|info| info.pid).collect::<Vec<_>>(), [Pid::new(2)]);
    assert!(kernel.processes().is_empty());
}

#[test]
fn run_until_ended_waits_for_the_one_that_is_named() {
    let mut kernel = kernel();
    kernel.spawn("init", program(|sys| sys.sleep(ms(5)))).unwrap();
    let second = kernel.spawn("second", program(|sys| sys.sleep(ms(30)))).unwrap();
    assert!(matches!(kernel.run_until(Until::Ended(second)), End::Done));
    assert_eq!(kernel.now(), at_ms(30));
    assert!(matches!(kernel.run_until(Until::Ended(second)), End::Done), "it has ended already");
}

#[test]
fn run_until_idle_goes_on_after_pid_1() {
    let run = scenario(|kernel| {
        kernel.spawn("init", program(|_| ())).unwrap();
        kernel.spawn("late", program(|sys| sys.sleep(ms(30)))).unwrap();
        kernel.spawn("waits", program(forever)).unwrap();
    });
    assert!(matches!(run.end, End::Idle), "{}", run.end);
    assert_eq!(run.report.now, at_ms(30));
    assert_eq!(run.report.processes.len(), 1);
}

#[test]
fn run_until_time_lets_happen_what_happens_then_and_stops_there() {
    let mut kernel = kernel();
    let pid = kernel.spawn("ticks", program(ticks)).unwrap();
    for (until, traps) in [(15, 2), (30, 4), (30, 4), (35, 4)] {
        assert!(matches!(kernel.run_until(Until::Time(at_ms(until))), End::Stopped));
        assert_eq!(kernel.now(), at_ms(until));
        assert_eq!(kernel.process(pid).unwrap().traps, traps);
    }
    assert!(matches!(kernel.run_until(Until::Time(at_ms(1))), End::Stopped));
    assert_eq!(kernel.now(), at_ms(35), "time never goes back");
}

#[test]
fn run_until_time_in_which_nothing_happens_reaches_it() {
    let mut kernel = kernel();
    kernel.spawn("waits", program(forever)).unwrap();
    assert!(matches!(kernel.run_until(Until::Time(at_ms(40))), End::Stopped));
    assert_eq!(kernel.now(), at_ms(40));
}

#[test]
fn run_until_time_or_ended_takes_what_comes_first() {
    let mut kernel = kernel();
    let pid = kernel.spawn("p", program(|sys| sys.sleep(ms(20)))).unwrap();
    kernel.spawn("ticks", program(ticks)).unwrap();
    assert!(matches!(kernel.run_until(Until::TimeOrEnded(at_ms(5), pid)), End::Stopped));
    assert!(matches!(kernel.run_until(Until::TimeOrEnded(at_ms(50), pid)), End::Done));
    assert_eq!(kernel.now(), at_ms(20));
}

#[test]
fn run_until_a_predicate_holds() {
    let mut kernel = kernel();
    let pid = kernel.spawn("ticks", program(ticks)).unwrap();
    let many = move |kernel: &Kernel| kernel.process(pid).is_some_and(|info| info.traps >= 7);
    assert!(matches!(kernel.run_until(Until::Predicate(Box::new(many))), End::Stopped));
    assert_eq!(kernel.process(pid).unwrap().traps, 7);
}

#[test]
fn run_goes_on_where_it_stopped_and_the_whole_is_as_one() {
    let traced = |stops: &[u64]| {
        let mut kernel = kernel();
        kernel
            .spawn(
                "init",
                program(|sys| {
                    for _ in 0..5 {
                        sys.sleep(ms(7)).unwrap();
                        sys.compute(ms(3)).unwrap();
                    }
                }),
            )
            .unwrap();
        for &stop in stops {
            kernel.run_until(Until::Time(at_ms(stop)));
        }
        kernel.run();
        (kernel.report().hash, kernel.now())
    };
    assert_eq!(traced(&[]), traced(&[1, 8, 20, 20, 33]));
}

#[test]
fn step_lets_one_process_run_at_a_time() {
    let mut kernel = kernel();
    let notes = Notes::default();
    for name in ["a", "b"] {
        let notes = notes.clone();
        let main = program(move |sys| {
            notes.add(name);
            sys.sleep(ms(1)).unwrap();
            notes.add(name);
        });
        kernel.spawn(name, main).unwrap();
    }
    let mut seen = Vec::new();
    let end = loop {
        match kernel.step() {
            Some(end) => break end,
            None => seen.push(notes.take().concat()),
        }
    };
    assert_eq!(seen, ["a", "b", "a", "b"]);
    assert!(matches!(end, End::Done));
}

#[test]
fn machine_without_processes_is_done() {
    assert!(matches!(kernel().run(), End::Done));
    assert!(matches!(kernel().run_until(Until::Idle), End::Done));
    assert!(kernel().step().is_some());
}

#[test]
fn at_one_instant_events_come_before_signals_timers_and_arrivals() {
    let run = scenario(|kernel| {
        let main = program(|sys| {
            sys.sigaction(Signal::SIGUSR1, hothouse::Action::Event).unwrap();
            sys.timer(ms(5)).unwrap();
            for _ in 0..4 {
                let event = sys.next_event(None).unwrap();
                sys.log(format!("{} from {}", event.name, event.sender));
            }
        });
        let pid = kernel.spawn("init", main).unwrap();
        let at = at_ms(5);
        let late = program(move |sys| sys.send_event(pid, "spawned", ()));
        kernel.at(at, HostAction::Spawn { name: "late".into(), program: late });
        kernel.at(at, HostAction::Kill { pid, signal: Signal::SIGUSR1.into() });
        kernel.at(at, HostAction::Send { pid, name: "sent".into(), data: Value::Nil });
    });
    let order = ["sent from 0", "signal from 0", "timer from 0", "spawned from 2"];
    assert_eq!(run.lines, order.map(|what| format!("[0.005000000] 1 init: {what}")));
}

#[test]
fn at_of_the_past_happens_now_and_failures_are_counted() {
    let mut kernel = kernel();
    let pid = kernel
        .spawn("init", program(|sys| sys.receive_event(Filter::any(), None).map(drop)))
        .unwrap();
    kernel.run_until(Until::Time(at_ms(9)));
    let missing = Pid::new(9);
    kernel.at(at_ms(3), HostAction::Kill { pid: missing, signal: 15.into() });
    kernel.at(at_ms(3), HostAction::Kill { pid, signal: 77.into() });
    kernel.at(at_ms(3), HostAction::Send { pid: missing, name: "x".into(), data: Value::Nil });
    kernel.at(at_ms(3), HostAction::Send { pid, name: "x".into(), data: Value::Nil });
    assert!(matches!(kernel.run(), End::Done));
    assert_eq!(kernel.now(), at_ms(9));
    assert_eq!(kernel.report().counters.failed_actions, 3);
}

#[test]
fn send_and_kill_from_outside_have_the_errnos_of_the_calls() {
    let mut kernel = kernel();
    let pid = kernel.spawn("init", program(forever)).unwrap();
    assert_eq!(kernel.send(Pid::new(9), "x", ()), Err(Errno::ESRCH));
    assert_eq!(kernel.send(Pid::KERNEL, "x", ()), Err(Errno::ESRCH));
    assert_eq!(kernel.send(pid, "x".repeat(256), ()), Err(Errno::ENAMETOOLONG));
    assert_eq!(kernel.kill(Pid::new(9), 15), Err(Errno::ESRCH));
    assert_eq!(kernel.kill(Pid::KERNEL, 15), Err(Errno::EPERM));
    assert_eq!(kernel.kill(pid, 32), Err(Errno::EINVAL));
    assert_eq!(kernel.kill(pid, 0), Ok(()));
    assert_eq!(kernel.send(pid, "x", 1), Ok(()));
    assert_eq!(kernel.process(pid).unwrap().mailbox_depth, 1);
    assert_eq!(kernel.kill(pid, Signal::SIGTERM), Ok(()));
    assert_eq!(kernel.process(pid), None);
    let status = kernel.report().exit(pid).unwrap().status.clone();
    assert_eq!(status, ExitStatus::Signaled(Signal::SIGTERM));
}

#[test]
fn report_tells_what_the_run_came_to() {
    let run = scenario_with(
        |builder| builder.seed(77),
        |kernel| {
            kernel
                .spawn(
                    "init",
                    program(|sys| {
                        let peer =
                            child(sys, |sys| sys.receive_event(Filter::any(), None).map(drop));
                        sys.send_event(peer, "x", ()).unwrap();
                        join(sys, peer);
                        sys.compute(ms(4)).unwrap();
                        sys.sleep(ms(4)).unwrap();
                        12
                    }),
                )
                .unwrap();
        },
        || Until::Idle,
    );
    let report = &run.report;
    assert_eq!((report.seed, report.now), (77, at_ms(8)));
    assert_eq!(report.records.len(), 1);
    assert_eq!(run.exit(1).status, ExitStatus::Exited(12.into()));
    let counters = report.counters;
    assert_eq!((counters.spawned, counters.ended, counters.events), (2, 2, 1));
    assert_eq!(counters.traps, 6);
    assert_eq!(report.utilisation(), 0.5);
    assert!(report.hash.is_some());
    assert_eq!(report.unrepeatable, None);
}

#[test]
fn hash_tells_different_runs_apart() {
    let hash = |data: i32| {
        scenario(move |kernel| {
            let main = program(move |sys| sys.send_event(sys.getpid(), "x", data));
            kernel.spawn("init", main).unwrap();
        })
        .report
        .hash
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn deadlock_names_who_waits_for_what_since_when_and_the_cycle() {
    let run = scenario(|kernel| {
        kernel
            .spawn(
                "init",
                program(|sys| {
                    let forks = [sys.mutex()?, sys.mutex()?];
                    for (i, name) in ["plato", "kant"].into_iter().enumerate() {
                        sys.spawn(name, move |sys| -> Result<(), Errno> {
                            let _left = forks[i].lock(sys)?;
                            sys.sleep(ms(1))?;
                            let _right = forks[1 - i].lock(sys)?;
                            Ok(())
                        })?;
                    }
                    sys.wait(None, None).map(drop)
                }),
            )
            .unwrap();
    });
    let End::Deadlock(deadlock) = &run.end else { panic!("{}", run.end) };
    assert_eq!(deadlock.at, at_ms(1));
    assert_eq!(deadlock.cycles, [[Pid::new(2), Pid::new(3)]]);
    assert_eq!(
        deadlock.to_string(),
        "\
deadlock at 0.001000000: nobody can ever run again
  1 init waits for a child to end since 0.000000000
  2 plato waits for mutex 2 held by 3 since 0.001000000
  3 kant waits for mutex 1 held by 2 since 0.001000000
  cycle: 2 plato -> 3 kant -> 2"
    );
}

#[test]
fn deadlock_of_calls_and_receives_has_its_cycle() {
    let run = scenario(|kernel| {
        kernel.spawn("a", program(|sys| sys.call(Pid::new(2), "x", (), None).map(drop))).unwrap();
        kernel
            .spawn(
                "b",
                program(|sys| {
                    sys.receive_event(Filter::name("y").from(Pid::new(1)), None).map(drop)
                }),
            )
            .unwrap();
    });
    let text = run.end.to_string();
    assert!(text.contains("1 a waits for a reply from 2"), "{text}");
    assert!(text.contains("2 b waits for an event \"y\" from 1"), "{text}");
    assert!(text.ends_with("cycle: 1 a -> 2 b -> 1"), "{text}");
}

#[test]
fn deadlock_shows_the_stopped() {
    let run = scenario(|kernel| {
        let main = program(|sys| sys.kill(sys.getpid(), Signal::SIGSTOP));
        let pid = kernel.spawn("init", main).unwrap();
        assert_eq!(kernel.process(pid).unwrap().state, StateInfo::Ready);
    });
    let text = run.end.to_string();
    assert!(text.contains("1 init waits for SIGCONT (it is stopped)"), "{text}");
}

#[test]
fn deadlock_is_over_when_the_host_helps() {
    let mut kernel = kernel();
    let main = program(|sys| sys.receive_event(Filter::any(), None).map(drop));
    let pid = kernel.spawn("init", main).unwrap();
    assert!(matches!(kernel.run(), End::Deadlock(_)));
    kernel.send(pid, "help", ()).unwrap();
    assert!(matches!(kernel.run(), End::Done));
}

#[test]
fn interrupt_ends_a_run_in_virtual_time() {
    let interrupt = Interrupt::default();
    let mut kernel = Kernel::builder().interrupt(interrupt.clone()).build().unwrap();
    kernel.spawn("init", program(ticks)).unwrap();
    interrupt.raise();
    assert!(matches!(kernel.run(), End::Interrupted));
    assert!(matches!(kernel.run_until(Until::Time(at_ms(5))), End::Stopped), "it is taken");
}

#[test]
fn console_that_fails_ends_the_run() {
    struct Broken;
    impl hothouse::Console for Broken {
        fn line(&mut self, _: Tick, _: Pid, _: &hothouse::Name, _: &[u8]) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn diagnostic(
            &mut self,
            _: Tick,
            _: Pid,
            _: &hothouse::Name,
            _: &str,
        ) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut kernel = Kernel::builder().console(Broken).build().unwrap();
    kernel
        .spawn(
            "init",
            program(|sys| {
                loop {
                    sys.log("x");
                    let _ = sys.sleep(ms(1));
                }
            }),
        )
        .unwrap();
    let End::Failed(RunError::Console(error)) = kernel.run() else { panic!("it ran on") };
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn real_time_keeps_the_order_of_virtual_time() {
    let mut kernel = Kernel::builder().real_time(true).hash(true).build().unwrap();
    let notes = Notes::default();
    for (millis, name) in [(3, "c"), (1, "a"), (2, "b")] {
        let notes = notes.clone();
        let main = program(move |sys| {
            sys.sleep(ms(millis)).unwrap();
            notes.add(name);
        });
        kernel.spawn(name, main).unwrap();
    }
    assert!(matches!(kernel.run_until(Until::Idle), End::Done));
    assert_eq!(notes.take(), ["a", "b", "c"]);
    assert_eq!(kernel.now(), at_ms(3));
}

#[test]
fn real_time_makes_an_interrupt_sigint_to_pid_1() {
    let interrupt = Interrupt::default();
    let builder = Kernel::builder().real_time(true).interrupt(interrupt.clone());
    let mut kernel = builder.console(Captured::default()).build().unwrap();
    let pid = kernel.spawn("init", program(ticks)).unwrap();
    interrupt.raise();
    assert!(matches!(kernel.run(), End::Done));
    let status = kernel.report().exit(pid).unwrap().status.clone();
    assert_eq!(status, ExitStatus::Signaled(Signal::SIGINT));
}
