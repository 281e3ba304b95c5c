use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::policy::testing::{self, Op};

const NOW: Tick = Tick::ZERO;
const CPU: CpuId = CpuId(0);

fn ticks(count: u64) -> Tick {
    Tick::ZERO + Span::from_nanos(count * TICK.nanos())
}

fn on(cpu: u32, task: &Task, ran: Span) -> Running {
    Running { cpu: CpuId(cpu), task: task.clone(), ran }
}

/// The ticks that each of some tasks gets that compute without end on one CPU, all from 0.
/// `leave_first`: a CPU whose slice ends with a tick leaves its task before the tick.
fn shares(nices: &[i8], seconds: u64, leave_first: bool) -> Vec<u64> {
    let tasks: Vec<_> = nices.iter().zip(0..).map(|(&nice, id)| testing::task(id, nice)).collect();
    let mut policy = BsdMlfq::new();
    tasks.iter().for_each(|task| policy.enqueue(task, Reason::New, NOW));
    let mut got = vec![0; tasks.len()];
    let (mut now, mut started) = (0, 0);
    let mut current = policy.pick_next(CPU, NOW).unwrap();
    while now < seconds * SECOND {
        now += 1;
        let task = &tasks[current.task.0 as usize];
        got[current.task.0 as usize] += 1;
        let ran = ticks(now) - ticks(started);
        let slice_ended = Some(ran) == current.slice;
        let mut leave = |policy: &mut BsdMlfq, stop, reason| {
            policy.put_prev(task, CPU, ran, stop, ticks(now));
            policy.enqueue(task, reason, ticks(now));
            started = now;
            policy.pick_next(CPU, ticks(now)).unwrap()
        };
        if slice_ended && leave_first {
            current = leave(&mut policy, Stop::SliceEnd, Reason::SliceEnd);
            let running = [on(0, &tasks[current.task.0 as usize], Span::ZERO)];
            if !policy.timer(&running, ticks(now)).is_empty() {
                let task = &running[0].task;
                policy.put_prev(task, CPU, Span::ZERO, Stop::Preempted, ticks(now));
                policy.enqueue(task, Reason::Preempted, ticks(now));
                current = policy.pick_next(CPU, ticks(now)).unwrap();
            }
        } else if !policy.timer(&[on(0, task, ran)], ticks(now)).is_empty() {
            current = leave(&mut policy, Stop::Preempted, Reason::Preempted);
        } else if slice_ended {
            current = leave(&mut policy, Stop::SliceEnd, Reason::SliceEnd);
        }
    }
    got
}

#[test]
fn thirty_seconds_are_shared_as_the_literature_says() {
    let ten: Vec<i8> = (0..10).collect();
    let cases: [(&[i8], &[u64]); 3] = [
        (&[0, 0], &[1500, 1500]),
        (&[0, 5], &[1904, 1096]),
        (&ten, &[672, 588, 492, 408, 316, 232, 152, 92, 40, 8]),
    ];
    for (nices, expected) in cases {
        for leave_first in [false, true] {
            let got = shares(nices, 30, leave_first);
            assert_eq!(got.iter().sum::<u64>(), 3000);
            // 0.4 % of all ticks. With the machine's order of events the difference is 8 at most.
            let near = |(got, expected): (&u64, &u64)| got.abs_diff(*expected) <= 12;
            assert!(got.iter().zip(expected).all(near), "{nices:?}: {got:?}");
        }
    }
}

/// So many ticks, a call each, while one task runs.
fn run(policy: &mut BsdMlfq, task: &Task, count: u64) {
    for _ in 0..count {
        let now = policy.next;
        policy.timer(&[on(0, task, TICK)], now);
    }
}

#[test]
fn a_second_decays_what_was_used() {
    let mut policy = BsdMlfq::new();
    let (task, nice) = (testing::task(0, 0), testing::task(1, 3));
    [&task, &nice].iter().for_each(|task| policy.enqueue(task, Reason::New, NOW));
    policy.pick_next(CPU, NOW);
    run(&mut policy, &task, 99);
    assert_eq!((policy.load, policy.tasks[0].recent, policy.tasks[1].recent), (0, 99 * ONE, 0));
    // Two are ready: the load is 2/60, which is 546 of 16384, and the factor 1092/17476 is 1023.
    run(&mut policy, &task, 1);
    assert_eq!(policy.load, 546);
    assert_eq!((policy.tasks[0].recent, policy.tasks[1].recent), (100 * 1023, 3 * ONE));
}

#[test]
fn levels_are_recomputed_every_fourth_tick() {
    let mut policy = BsdMlfq::new();
    let task = testing::task(0, 3);
    policy.enqueue(&task, Reason::New, NOW);
    policy.pick_next(CPU, NOW);
    let levels: Vec<_> = (0..9)
        .map(|_| {
            run(&mut policy, &task, 1);
            policy.level(task.id)
        })
        .collect();
    assert_eq!(levels, [6, 6, 6, 7, 7, 7, 7, 8, 8]);
    policy.changed(&testing::task(0, 5), false, NOW);
    assert_eq!(policy.level(task.id), 12);
}

#[test]
fn only_who_used_the_cpu_up_to_the_tick_is_charged() {
    let mut policy = BsdMlfq::new();
    let tasks = [testing::task(0, 0), testing::task(1, 0), testing::task(2, 0)];
    tasks.iter().for_each(|task| policy.enqueue(task, Reason::New, NOW));
    tasks.iter().for_each(|_| assert!(policy.pick_next(CPU, NOW).is_some()));
    policy.put_prev(&tasks[0], CPU, TICK, Stop::Blocked, ticks(1));
    policy.put_prev(&tasks[1], CPU, Span::from_millis(9), Stop::Blocked, Tick::ZERO);
    policy.timer(&[on(0, &tasks[2], Span::ZERO)], ticks(1));
    let recent: Vec<_> = policy.tasks.iter().map(|kept| kept.recent).collect();
    assert_eq!(recent, [ONE, 0, 0]);
}

#[test]
fn a_task_runs_on_its_cpus_and_for_its_slice() {
    let mut policy = BsdMlfq::new();
    let mut tied = testing::task(0, -20);
    let slice = Some(Span::from_millis(3));
    let scheduling = Rc::make_mut(&mut tied.scheduling);
    scheduling.cpus = [1].into_iter().collect();
    scheduling.slice = slice;
    policy.enqueue(&tied, Reason::New, NOW);
    assert_eq!(policy.pick_next(CPU, NOW), None);
    let worse = testing::task(1, 5);
    policy.enqueue(&worse, Reason::New, NOW);
    let other = Pick { task: worse.id, slice: Some(BsdMlfq::SLICE) };
    assert_eq!(policy.pick_next(CPU, NOW), Some(other));
    assert_eq!(policy.timer(&[on(0, &worse, TICK)], ticks(1)), []);
    assert_eq!(policy.timer(&[on(1, &worse, TICK)], ticks(2)), [CpuId(1)]);
    assert_eq!(policy.pick_next(CpuId(1), NOW), Some(Pick { task: tied.id, slice }));
}

#[test]
fn a_number_used_again_has_used_nothing() {
    let mut policy = BsdMlfq::new();
    let task = testing::task(0, 0);
    policy.enqueue(&task, Reason::New, NOW);
    policy.pick_next(CPU, NOW);
    run(&mut policy, &task, 6);
    policy.put_prev(&task, CPU, TICK, Stop::Ended, ticks(6));
    policy.forget(task.id);
    policy.enqueue(&task, Reason::New, NOW);
    assert_eq!((policy.tasks[0].recent, policy.level(task.id)), (0, 0));
}

proptest! {
    #[test]
    fn the_lowest_level_runs_first_in_order_of_being_queued(attempts in testing::attempts()) {
        let mut queued: Vec<(i8, TaskId)> = Vec::new();
        // Nobody has used CPU time, so that the nice level is all that counts.
        let level = |task: &Task| 2 * task.nice.max(0);
        testing::drive(&mut BsdMlfq::new(), &attempts, |op| match op {
            Op::Enqueue(task, _) => queued.push((level(&task), task.id)),
            Op::Dequeue(task) => queued.retain(|&(_, id)| id != task.id),
            Op::Changed(task, true) if !queued.contains(&(level(&task), task.id)) => {
                queued.retain(|&(_, id)| id != task.id);
                queued.push((level(&task), task.id));
            }
            Op::Changed(..) => {}
            Op::Pick(pick) => {
                let first = (0..queued.len()).min_by_key(|&at| queued[at].0);
                let expected = first.map(|at| Pick {
                    task: queued.remove(at).1,
                    slice: Some(Span::from_millis(40)),
                });
                assert_eq!(pick, expected);
            }
        });
    }

    #[test]
    fn a_woken_task_takes_the_worst_level_if_that_is_worse(
        nices in prop::collection::vec(-1..4i8, 1..5),
        nice in -1..4i8,
    ) {
        let mut policy = BsdMlfq::new();
        let running: Vec<_> =
            nices.iter().zip(0..).map(|(&nice, n)| testing::running(n, n + 1, nice)).collect();
        for running in &running {
            policy.enqueue(&running.task, Reason::New, NOW);
            policy.pick_next(CPU, NOW);
        }
        let woken = testing::task(0, nice);
        policy.enqueue(&woken, Reason::Wakeup, NOW);
        let worst = nices.iter().map(|nice| nice.max(&0)).max().unwrap();
        let last = nices.iter().rposition(|nice| nice.max(&0) == worst).unwrap();
        let expected = (*worst > nice.max(0)).then_some(CpuId(last as u32));
        prop_assert_eq!(policy.wakeup_preempt(&woken, &running, NOW), expected);
    }

    #[test]
    fn after_a_tick_nobody_queued_is_better_than_who_runs(
        on_cpus in prop::collection::vec(0..19i8, 1..5),
        waiting in prop::collection::vec(0..19i8, 0..6),
    ) {
        let mut policy = BsdMlfq::new();
        let nices = on_cpus.iter().chain(&waiting);
        let tasks: Vec<_> = nices.zip(0..).map(|(&nice, id)| testing::task(id, nice)).collect();
        let (first, rest) = tasks.split_at(on_cpus.len());
        for task in first {
            policy.enqueue(task, Reason::New, NOW);
            policy.pick_next(CPU, NOW);
        }
        rest.iter().for_each(|task| policy.enqueue(task, Reason::New, NOW));
        let mut running: Vec<_> =
            first.iter().zip(0..).map(|(task, cpu)| on(cpu, task, TICK)).collect();
        let taken = policy.timer(&running, ticks(1));
        let distinct: BTreeSet<_> = taken.iter().collect();
        prop_assert_eq!(distinct.len(), taken.len());
        let level = |running: &Running| policy.level(running.task.id);
        let worst = running.iter().map(level).max().unwrap();
        let is_better = rest.iter().any(|task| policy.level(task.id) < worst);
        prop_assert_eq!(taken.is_empty(), !is_better);
        for cpu in taken {
            let left = running[cpu.0 as usize].task.clone();
            policy.put_prev(&left, cpu, TICK, Stop::Preempted, ticks(1));
            policy.enqueue(&left, Reason::Preempted, ticks(1));
            let task = policy.pick_next(cpu, ticks(1)).unwrap().task;
            prop_assert!(policy.level(task) < policy.level(left.id));
            running[cpu.0 as usize].task = tasks[task.0 as usize].clone();
        }
        let worst = running.iter().map(|running| policy.level(running.task.id)).max();
        let best = policy.queued().next().map(|id| policy.level(id));
        prop_assert!(best.is_none_or(|best| Some(best) >= worst));
    }

    #[test]
    fn ticks_go_on_while_the_machine_is_idle(
        used in 0..500u64,
        idle in 1..3_000u64,
        nice in -20..20i8,
    ) {
        let task = testing::task(0, nice);
        let mut policies = [BsdMlfq::new(), BsdMlfq::new()];
        for policy in &mut policies {
            policy.enqueue(&task, Reason::New, NOW);
            policy.pick_next(CPU, NOW);
            run(policy, &task, used);
            policy.put_prev(&task, CPU, Span::from_nanos(1), Stop::Blocked, NOW);
        }
        policies[0].timer(&[], ticks(used + idle));
        (1..=idle).for_each(|n| drop(policies[1].timer(&[], ticks(used + n))));
        let state = |policy: &BsdMlfq| {
            (policy.load, policy.ticks, policy.next, policy.level(task.id), policy.tasks[0].recent)
        };
        prop_assert_eq!(state(&policies[0]), state(&policies[1]));
    }
}
