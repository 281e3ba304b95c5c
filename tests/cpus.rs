//! CPUs, costs and policies, as programs and reports see them.

use hothouse::{
    Builder, Costs, Errno, Filter, Limits, Pid, Span, Stream, StreamKind, Sys, Until, policy,
    program,
};
use hothouse_tests::{Notes, Run, at_ms, child, join, ms, scenario_with, solo, solo_with};

/// The same settings with the policy of this spec.
fn under(spec: &'static str) -> impl Fn(Builder) -> Builder {
    move |builder| {
        let stream = Stream::derive(0, StreamKind::Policy, 0);
        builder.policy(policy::policy(spec, stream).expect("a good spec"))
    }
}

/// When bursts end that are asked for at once, in milliseconds.
fn ends(settings: impl Fn(Builder) -> Builder, bursts: &'static [u64]) -> (Run, Vec<u64>) {
    let set_up = move |kernel: &mut hothouse::Kernel| {
        for &burst in bursts {
            kernel.spawn("burst", program(move |sys| sys.compute(ms(burst)))).unwrap();
        }
    };
    let run = scenario_with(settings, set_up, || Until::Idle);
    let mut exits: Vec<_> = run.report.records.iter().collect();
    exits.sort_by_key(|exit| exit.pid);
    let ends = exits.iter().map(|exit| exit.ended_at.nanos() / 1_000_000).collect();
    (run, ends)
}

#[test]
fn fifo_serves_bursts_one_after_the_other() {
    let (run, ends) = ends(|builder| builder, &[5, 3, 1]);
    assert_eq!(ends, [5, 8, 9]);
    assert_eq!(run.report.policy, "fifo");
    assert_eq!(run.report.utilisation(), 1.0);
}

#[test]
fn rr_shares_the_cpu_in_slices() {
    let (run, ends) = ends(under("rr:slice=2ms"), &[5, 3, 1]);
    assert_eq!(ends, [9, 8, 5]);
    assert_eq!(run.report.policy, "rr:slice=2ms");
    assert_eq!(run.report.counters.preemptions, 0);
}

#[test]
fn prio_preempts_for_a_lower_nice_level() {
    let run = solo_with(under("prio"), |sys| {
        let low = child(sys, |sys| sys.compute(ms(10)));
        sys.nice(5, low).unwrap();
        sys.sleep(ms(4)).unwrap();
        sys.compute(ms(3)).unwrap();
        assert_eq!(sys.now(), at_ms(7));
        assert_eq!(join(sys, low).ended_at, at_ms(13));
    });
    // When this process wakes from its sleep; and when the child that it waited for was done,
    // nobody was left to be preempted.
    assert_eq!(run.report.counters.preemptions, 1);
}

#[test]
fn prio_without_preemption_waits_for_the_cpu() {
    solo_with(under("prio:preempt=false,slice=100ms"), |sys| {
        let low = child(sys, |sys| sys.compute(ms(10)));
        sys.nice(5, low).unwrap();
        sys.sleep(ms(4)).unwrap();
        assert_eq!(sys.now(), at_ms(10));
        join(sys, low);
    });
}

#[test]
fn prio_runs_the_lowest_nice_level_first_and_equals_in_order() {
    solo_with(under("prio"), |sys| {
        let notes = Notes::default();
        let pids = [(5, "e"), (-5, "b"), (0, "c"), (0, "d"), (-20, "a")].map(|(nice, name)| {
            let notes = notes.clone();
            let pid = child(sys, move |_| notes.add(name));
            (pid, nice)
        });
        // Out of reach of preemption while the levels are set.
        sys.nice(-20, None).unwrap();
        for (pid, nice) in pids {
            sys.nice(nice, pid).unwrap();
        }
        for (pid, _) in pids {
            join(sys, pid);
        }
        assert_eq!(notes.take(), ["a", "b", "c", "d", "e"]);
    });
}

#[test]
fn random_is_the_same_for_a_seed_and_differs_between_seeds() {
    let order = |seed: u64| {
        let notes = Notes::default();
        let kept = notes.clone();
        scenario_with(
            move |builder| builder.policy(Box::new(policy::Random::seeded(seed))),
            move |kernel| {
                kept.take();
                for i in 0..20 {
                    let kept = kept.clone();
                    kernel.spawn("p", program(move |_| kept.add(format!("{i}")))).unwrap();
                }
            },
            || Until::Idle,
        );
        notes.take()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    let mut sorted = order(1);
    sorted.sort_by_key(|i| i.parse::<u32>().unwrap());
    assert_eq!(sorted, (0..20).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_policy_serves_all_bursts_without_idling() {
    for spec in ["fifo", "rr:slice=1ms", "prio", "random"] {
        for cpus in [1, 3] {
            let settings = move |builder| under(spec)(builder).cpus(cpus);
            let (run, _) = ends(settings, &[6, 6, 6, 6, 6, 6]);
            assert_eq!(run.report.now, at_ms(36 / u64::from(cpus)), "{spec} on {cpus}");
            assert_eq!(run.report.utilisation(), 1.0);
        }
    }
}

#[test]
fn two_cpus_serve_two_bursts_at_a_time() {
    let (run, ends) = ends(|builder| builder.cpus(2), &[4, 6, 4, 2]);
    assert_eq!(ends, [4, 6, 8, 8]);
    let busy: Vec<_> = run.report.cpus.iter().map(|cpu| cpu.busy).collect();
    assert_eq!(busy, [Span::from_millis(8); 2]);
}

#[test]
fn code_of_several_cpus_runs_in_order_of_time_and_cpu() {
    let notes = Notes::default();
    let kept = notes.clone();
    scenario_with(
        |builder| builder.cpus(3),
        move |kernel| {
            kept.take();
            for name in ["a", "b", "c"] {
                let kept = kept.clone();
                let main = program(move |sys: &Sys| {
                    for _ in 0..2 {
                        sys.compute(ms(1)).unwrap();
                        kept.add(name);
                    }
                });
                kernel.spawn(name, main).unwrap();
            }
        },
        || Until::Idle,
    );
    assert_eq!(notes.take(), ["a", "b", "c", "a", "b", "c"]);
}

#[test]
fn more_cpus_than_processes_are_idle() {
    let (run, ends) = ends(|builder| builder.cpus(4), &[8, 8]);
    assert_eq!(ends, [8, 8]);
    assert_eq!(run.report.utilisation(), 0.5);
    assert_eq!(run.report.cpus[3].busy, Span::ZERO);
}

#[test]
fn trap_cost_is_cpu_time_of_the_process() {
    let costs = Costs { trap: Span::from_millis(1), ..Costs::default() };
    let run = solo_with(
        move |builder| builder.costs(costs),
        |sys| {
            for _ in 0..5 {
                sys.getpid();
            }
            assert_eq!(sys.now(), at_ms(5));
        },
    );
    assert_eq!(run.exit(1).cpu_time, Span::from_millis(6));
    assert_eq!(run.report.cpus[0].busy, Span::from_millis(6));
}

#[test]
fn switch_cost_is_overhead_of_the_cpu() {
    let costs = Costs { switch: Span::from_millis(1), ..Costs::default() };
    let settings = move |builder: Builder| under("rr:slice=2ms")(builder).costs(costs);
    let (run, ends) = ends(settings, &[4, 4]);
    // The first use of a CPU is no switch; each of the three others costs.
    assert_eq!(ends, [8, 11]);
    assert_eq!(run.report.counters.switches, 3);
    assert_eq!(run.report.cpus[0].overhead, Span::from_millis(3));
    assert_eq!(run.exit(1).cpu_time, Span::from_millis(4));
}

#[test]
fn migration_costs_when_the_last_cpu_was_another() {
    let costs = Costs { migration: Span::from_millis(1), ..Costs::default() };
    let settings = move |builder: Builder| builder.cpus(2).costs(costs);
    let run = scenario_with(
        settings,
        |kernel| {
            kernel.spawn("long", program(|sys| sys.compute(ms(2)))).unwrap();
            let moves = program(|sys| {
                sys.compute(ms(1))?;
                sys.sleep(ms(5))?;
                sys.compute(ms(1))
            });
            kernel.spawn("moves", moves).unwrap();
        },
        || Until::Idle,
    );
    assert_eq!(run.report.counters.migrations, 1);
    assert_eq!(run.exit(2).ended_at, at_ms(8));
    assert_eq!(run.exit(2).cpu_time, Span::from_millis(2));
}

#[test]
fn dispatch_that_takes_no_time_counts_as_no_switch() {
    let costs = Costs { switch: Span::from_millis(1), ..Costs::default() };
    let run = solo_with(
        move |builder| builder.costs(costs),
        |sys| {
            let peer = child(sys, |sys| {
                for _ in 0..10 {
                    sys.yield_now();
                }
            });
            for _ in 0..10 {
                sys.yield_now();
            }
            join(sys, peer);
            assert_eq!(sys.now(), at_ms(0));
        },
    );
    assert_eq!(run.report.counters.switches, 0);
}

#[test]
fn wait_time_is_the_time_spent_ready() {
    solo(|sys| {
        let first = child(sys, |sys| sys.compute(ms(4)));
        let second = child(sys, |sys| {
            sys.compute(ms(1))?;
            sys.receive_event(Filter::any(), None).map(drop)
        });
        join(sys, first);
        sys.sleep(ms(2)).unwrap();
        assert_eq!(sys.getpinfo(second).unwrap().wait_time, ms(4).into());
        sys.send_event(second, "end", ()).unwrap();
        join(sys, second);
    });
}

#[test]
fn slice_preempts_one_that_only_makes_traps_that_cost() {
    let costs = Costs { trap: Span::from_millis(1), ..Costs::default() };
    let settings = move |builder: Builder| under("rr:slice=2ms")(builder).costs(costs);
    let run = scenario_with(
        settings,
        |kernel| {
            let busy = program(|sys| {
                for _ in 0..10 {
                    sys.getpid();
                }
            });
            kernel.spawn("busy", busy).unwrap();
            kernel.spawn("other", program(|sys| assert_eq!(sys.getpid(), Pid::new(2)))).unwrap();
        },
        || Until::Idle,
    );
    assert_eq!(run.exit(2).ended_at, at_ms(3));
    assert_eq!(run.exit(1).ended_at, at_ms(11));
}

#[test]
fn burst_of_the_end_of_time_is_bounded_by_the_host() {
    let run = scenario_with(
        |builder| builder.limits(Limits { steps: 1_000, ..Limits::default() }),
        |kernel| {
            let main =
                program(|sys| -> Result<(), Errno> { sys.compute(std::time::Duration::MAX) });
            kernel.spawn("endless", main).unwrap();
        },
        || Until::Time(at_ms(50)),
    );
    assert_eq!((run.end.word(), run.report.now), ("stopped", at_ms(50)));
}
