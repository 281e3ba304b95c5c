//! The classes above the machine's policy, and the admission test.

use hothouse::policy::{POLICIES, policy};
use hothouse::{
    Class, Errno, Kernel, Mutex, Protocol, Scheduling, Signal, Span, Stream, StreamKind, Sys,
    Until, program,
};
use hothouse_tests::{Notes, join, ms, scenario_with, solo_with};
use proptest::prelude::*;

fn span(ms: u64) -> Option<Span> {
    Some(Span::from_millis(ms))
}

fn of(class: Class) -> Scheduling {
    Scheduling { class, ..Scheduling::default() }
}

/// A runtime every period, both in milliseconds.
fn reserved(runtime: u64, period: u64) -> Scheduling {
    Scheduling { runtime: span(runtime), period: span(period), ..of(Class::Deadline) }
}

fn named(id: &str) -> Box<dyn hothouse::policy::Policy> {
    policy(id, Stream::derive(1, StreamKind::Policy, 0)).unwrap()
}

/// What a process does, in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Do {
    Compute(u64),
    Sleep(u64),
}
use Do::{Compute, Sleep};

/// When each process came to the end of each of its computations, in milliseconds: `"0 at 20"`.
fn ends(id: &str, tasks: &[(Scheduling, &[Do])]) -> Vec<String> {
    let notes = Notes::default();
    scenario_with(
        |builder| builder.policy(named(id)),
        |kernel: &mut Kernel| {
            notes.take();
            for (index, (scheduling, steps)) in tasks.iter().enumerate() {
                let (notes, steps) = (notes.clone(), steps.to_vec());
                let main = program(move |sys: &Sys| {
                    for &step in &steps {
                        match step {
                            Compute(millis) => {
                                sys.compute(ms(millis))?;
                                let now = sys.now().nanos() / 1_000_000;
                                notes.add(format!("{index} at {now}"));
                            }
                            Sleep(millis) => sys.sleep(ms(millis))?,
                        }
                    }
                    Ok::<(), Errno>(())
                });
                kernel.spawn("task", main.scheduled(scheduling.clone())).unwrap();
            }
        },
        || Until::Idle,
    );
    notes.take()
}

#[test]
fn classes_run_in_order_over_every_policy() {
    let nice = Scheduling { nice: -20, ..Scheduling::default() };
    let tasks: [(Scheduling, &[Do]); 6] = [
        (nice, &[Compute(10)]),
        (of(Class::Fifo(1)), &[Compute(10)]),
        (of(Class::Fifo(50)), &[Compute(10)]),
        (of(Class::RoundRobin(50)), &[Compute(10)]),
        (of(Class::RoundRobin(99)), &[Compute(10)]),
        (reserved(10, 20), &[Compute(10)]),
    ];
    for (id, ..) in POLICIES {
        let order = ["5 at 10", "4 at 20", "2 at 30", "3 at 40", "1 at 50", "0 at 60"];
        assert_eq!(ends(id, &tasks), order, "{id}");
    }
}

#[test]
fn round_robin_takes_turns_among_equals_and_fifo_does_not() {
    let slice = |class| Scheduling { slice: span(4), ..of(class) };
    let both = |class| ends("fifo", &[(slice(class), &[Compute(10)]), (of(class), &[Compute(10)])]);
    // 0 has slices of 4 ms, 1 those of 100 ms.
    assert_eq!(both(Class::RoundRobin(7)), ["1 at 14", "0 at 20"]);
    assert_eq!(both(Class::Fifo(7)), ["0 at 10", "1 at 20"]);
}

#[test]
fn a_preempted_round_robin_task_keeps_the_rest_of_its_slice() {
    let slice = Scheduling { slice: span(10), ..of(Class::RoundRobin(7)) };
    let tasks: [(Scheduling, &[Do]); 3] = [
        (slice.clone(), &[Compute(10)]),
        (slice, &[Compute(10)]),
        (of(Class::Fifo(8)), &[Sleep(4), Compute(2)]),
    ];
    assert_eq!(ends("rr", &tasks), ["2 at 6", "0 at 12", "1 at 22"]);
}

#[test]
fn a_higher_class_preempts_and_a_lower_one_does_not() {
    for (id, ..) in POLICIES {
        let tasks: [(Scheduling, &[Do]); 4] = [
            (Scheduling::default(), &[Compute(10)]),
            (of(Class::Fifo(1)), &[Sleep(1), Compute(5)]),
            (reserved(3, 10), &[Sleep(2), Compute(3)]),
            (Scheduling { nice: -20, ..Scheduling::default() }, &[Sleep(3), Compute(1)]),
        ];
        let ends = ends(id, &tasks);
        assert_eq!(ends[..2], ["2 at 5", "1 at 9"], "{id}");
        assert_eq!(ends.len(), 4, "{id}");
    }
}

#[test]
fn a_budget_that_is_used_up_throttles_until_the_next_period() {
    let tasks: [(Scheduling, &[Do]); 2] =
        [(reserved(2, 10), &[Compute(5)]), (Scheduling::default(), &[Compute(30)])];
    assert_eq!(ends("fifo", &tasks), ["0 at 21", "1 at 35"]);
    // Nobody else wants the CPU, and yet it is throttled.
    assert_eq!(ends("fifo", &tasks[..1]), ["0 at 21"]);
    // The deadline is before the end of the period.
    let early = Scheduling { deadline: span(5), ..reserved(2, 10) };
    assert_eq!(ends("fifo", &[(early, &[Compute(5)])]), ["0 at 21"]);
}

#[test]
fn a_task_that_wakes_keeps_its_budget_only_if_the_rate_allows_it() {
    let server = |sleep| {
        let steps = [Compute(1), Sleep(sleep), Compute(4)];
        ends("fifo", &[(reserved(4, 10), &steps)]).pop().unwrap()
    };
    // At 2 it has 3 of 8 ms: it uses them and waits for 10.
    assert_eq!(server(1), "0 at 11");
    // At 3 it would have 3 of 7, more than 4 of 10: a new budget.
    assert_eq!(server(2), "0 at 7");
    assert_eq!(server(30), "0 at 35");
}

#[test]
fn a_throttled_process_can_be_stopped_continued_and_killed() {
    for end in [Signal::SIGKILL, Signal::SIGTERM] {
        solo_with(
            |builder| builder.policy(named("rr")),
            move |sys: &Sys| {
                let main = program(|sys: &Sys| sys.compute(ms(100)));
                let pid = sys.spawn_program("hog", main.scheduled(reserved(1, 50))).unwrap();
                sys.sleep(ms(5)).unwrap();
                sys.kill(pid, Signal::SIGSTOP).unwrap();
                sys.sleep(ms(100)).unwrap();
                assert_eq!(sys.getpinfo(pid).unwrap().cpu_time, Span::from_millis(1));
                sys.kill(pid, Signal::SIGCONT).unwrap();
                sys.sleep(ms(5)).unwrap();
                assert_eq!(sys.getpinfo(pid).unwrap().cpu_time, Span::from_millis(2));
                sys.kill(pid, end).unwrap();
                assert!(!sys.wait(pid, None).unwrap().status.is_success());
            },
        );
    }
}

#[test]
fn a_mutex_lends_the_class_of_its_waiter() {
    let end_of_high = |protocol| {
        let notes = Notes::default();
        scenario_with(
            |builder| builder.policy(named("fifo")),
            |kernel: &mut Kernel| {
                notes.take();
                let notes = notes.clone();
                let main = move |sys: &Sys| -> Result<(), Errno> {
                    let mutex = Mutex::with_protocol(sys, protocol)?;
                    let low = program(move |sys: &Sys| {
                        let guard = mutex.lock(sys)?;
                        sys.compute(ms(10))?;
                        drop(guard);
                        sys.compute(ms(10))
                    });
                    let low = sys.spawn_program("low", low.scheduled(of(Class::Normal)))?;
                    let middle = program(|sys: &Sys| {
                        sys.sleep(ms(2))?;
                        sys.compute(ms(100))
                    });
                    sys.spawn_program("middle", middle.scheduled(of(Class::Fifo(5))))?;
                    let high = program(move |sys: &Sys| {
                        sys.sleep(ms(4))?;
                        let _guard = mutex.lock(sys)?;
                        sys.compute(ms(1))
                    });
                    let high = sys.spawn_program("high", high.scheduled(of(Class::Fifo(9))))?;
                    notes.add(join(sys, high).ended_at.to_string());
                    notes.add(join(sys, low).ended_at.to_string());
                    Ok(())
                };
                kernel.spawn("main", program(main).scheduled(of(Class::Fifo(99)))).unwrap();
            },
            || Until::Idle,
        );
        notes.take()
    };
    assert_eq!(end_of_high(Protocol::None), ["0.111000000", "0.121000000"]);
    assert_eq!(end_of_high(Protocol::Inherit), ["0.013000000", "0.121000000"]);
}

#[test]
fn admission_refuses_what_does_not_fit() {
    let spawn = |sys: &Sys, scheduling: Scheduling| {
        sys.spawn_program(
            "task",
            program(|sys: &Sys| sys.sleep(ms(1_000_000))).scheduled(scheduling),
        )
    };
    solo_with(
        |builder| builder.admission_test(true).policy(named("edf")),
        move |sys: &Sys| {
            let thirds = [reserved(1, 3), reserved(1, 3), reserved(1, 3)];
            let pids = thirds.map(|third| spawn(sys, third).unwrap());
            assert_eq!(spawn(sys, reserved(1, 1000)), Err(Errno::EBUSY));
            assert_eq!(sys.sched_setattr(pids[0], reserved(2, 5)), Err(Errno::EBUSY));
            sys.sched_setattr(pids[0], reserved(1, 4)).unwrap();
            spawn(sys, reserved(1, 12)).unwrap();
            // Any that says how much it needs counts, and a shorter deadline is more.
            let normal = Scheduling { class: Class::Normal, ..reserved(1, 1000) };
            assert_eq!(spawn(sys, normal), Err(Errno::EBUSY));
            spawn(sys, Scheduling::default()).unwrap();
            sys.kill(pids[1], Signal::SIGKILL).unwrap();
            let short = Scheduling { deadline: span(3), ..reserved(1, 100) };
            spawn(sys, short).unwrap();
            assert_eq!(spawn(sys, reserved(1, 1000)), Err(Errno::EBUSY));
        },
    );
    solo_with(
        |builder| builder,
        move |sys: &Sys| {
            spawn(sys, reserved(9, 10)).unwrap();
            spawn(sys, reserved(9, 10)).unwrap();
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The order of jobs that are there from the start is that of their ranks.
    #[test]
    fn ranks_decide_before_the_policy(
        ranks in prop::collection::vec((0..4u8, any::<bool>()), 1..8),
        id in prop::sample::select(POLICIES.iter().map(|policy| policy.0).collect::<Vec<_>>()),
    ) {
        let class = |&(rank, fifo): &(u8, bool)| match rank {
            0 => Class::Normal,
            _ if fifo => Class::Fifo(rank),
            _ => Class::RoundRobin(rank),
        };
        let step: &[Do] = &[Compute(10)];
        let tasks: Vec<_> = ranks.iter().map(|rank| (of(class(rank)), step)).collect();
        let ended: Vec<usize> = ends(id, &tasks)
            .iter()
            .map(|line| line.split_once(' ').unwrap().0.parse().unwrap())
            .collect();
        let mut expected: Vec<_> = (0..ranks.len()).collect();
        expected.sort_by_key(|&index| std::cmp::Reverse(ranks[index].0));
        let classed = ranks.iter().filter(|rank| rank.0 > 0).count();
        prop_assert_eq!(&ended[..classed], &expected[..classed]);
    }

    /// Who stays within what it reserved misses nothing, whatever the others do.
    #[test]
    fn servers_isolate(
        honest in prop::collection::vec((1..4u64, 1..4u64), 1..4),
        greedy in 1..4usize,
    ) {
        let used: f64 = honest.iter().map(|&(run, more)| run as f64 / (run * 4 + more) as f64).sum();
        let rest = ((1.0 - used) / greedy as f64 * 20.0).floor() as u64;
        let notes = Notes::default();
        scenario_with(
            |builder| builder.policy(named("rr")),
            |kernel: &mut Kernel| {
                notes.take();
                let hog = || program(|sys: &Sys| sys.compute(ms(10_000)));
                for _ in 0..greedy {
                    let scheduling = if rest > 0 { reserved(rest, 20) } else { of(Class::Fifo(99)) };
                    kernel.spawn("greedy", hog().scheduled(scheduling)).unwrap();
                }
                kernel.spawn("hog", hog()).unwrap();
                for &(run, more) in &honest {
                    let period = run * 4 + more;
                    let notes = notes.clone();
                    let main = program(move |sys: &Sys| {
                        for round in 0..20 {
                            let release = hothouse_tests::at_ms(round * period);
                            sys.begin_job(release, None)?;
                            sys.compute(ms(run))?;
                            if sys.now() > release + Span::from_millis(period) {
                                notes.add(format!("{run} of {period} missed in round {round}"));
                            }
                        }
                        Ok::<(), Errno>(())
                    });
                    kernel.spawn("honest", main.scheduled(reserved(run, period))).unwrap();
                }
            },
            || Until::Time(hothouse_tests::at_ms(400)),
        );
        prop_assert_eq!(notes.take(), Vec::<String>::new());
    }
}
