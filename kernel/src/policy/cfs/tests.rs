use std::collections::BTreeSet as Set;

use proptest::prelude::*;

use super::super::testing::{self, Op};
use super::*;

const CPU: CpuId = CpuId(0);
const MS: u64 = 1_000_000;

fn at(ms: u64) -> Tick {
    Tick::from_nanos(ms * MS)
}

fn runtime(cfs: &Cfs, id: u32) -> Virtual {
    cfs.tasks[id as usize].runtime
}

/// Lets the next task use all of its slice; returns its number and the slice.
fn run(cfs: &mut Cfs, tasks: &[Task], now: &mut Tick) -> (usize, Span) {
    let pick = cfs.pick_next(CPU, *now).expect("somebody is queued");
    let slice = pick.slice.expect("a slice");
    *now += slice;
    let task = &tasks[pick.task.0 as usize];
    cfs.put_prev(task, CPU, slice, Stop::SliceEnd, *now);
    cfs.enqueue(task, Reason::SliceEnd, *now);
    (pick.task.0 as usize, slice)
}

proptest! {
    #[test]
    fn one_of_those_queued_is_picked(attempts in testing::attempts()) {
        let mut model = Set::new();
        testing::drive(&mut Cfs::default(), &attempts, |op| match op {
            Op::Enqueue(task, _) => assert!(model.insert(task.id)),
            Op::Dequeue(task) => assert!(model.remove(&task.id)),
            Op::Changed(..) => {}
            Op::Pick(None) => assert!(model.is_empty()),
            Op::Pick(Some(pick)) => assert!(model.remove(&pick.task)),
        });
    }

    /// Rule 1, and what follows of it: each has its share, to within what the virtual runtimes
    /// differed by at the start and the longest slice.
    #[test]
    fn shares_are_those_of_the_weights(nices in prop::collection::vec(-20..20i8, 1..6)) {
        let tasks: Vec<_> = (0..).zip(&nices).map(|(id, nice)| testing::task(id, *nice)).collect();
        let mut cfs = Cfs::default();
        let mut now = Tick::ZERO;
        tasks.iter().for_each(|task| cfs.enqueue(task, Reason::New, now));
        let runtimes = |cfs: &Cfs| (0..).take(nices.len()).map(|id| runtime(cfs, id)).collect::<Vec<_>>();
        let start = runtimes(&cfs);
        let apart = start.iter().max().unwrap() - start.iter().min().unwrap();
        let mut used = vec![0; tasks.len()];
        let mut longest = 0;
        for _ in 0..3_000 {
            let before = runtimes(&cfs);
            let (id, slice) = run(&mut cfs, &tasks, &mut now);
            prop_assert_eq!(Some(&before[id]), before.iter().min());
            used[id] += i128::from(slice.nanos());
            longest = longest.max(runtime(&cfs, id as u32) - before[id]);
        }
        let all = used.iter().sum::<i128>();
        let weights: Vec<_> = nices.iter().map(|nice| i128::from(super::super::weight(*nice))).collect();
        let fair = virtual_time(all, weights.iter().sum());
        // A nanosecond for what each division rounds off.
        let bound = apart + apart.max(longest) + 3_000 * virtual_time(1, 1024);
        for (used, weight) in used.iter().zip(weights) {
            let error = (virtual_time(*used, weight) - fair).abs();
            prop_assert!(error <= bound, "{error} beyond {bound}");
        }
    }

    /// Rule 2.
    #[test]
    fn a_slice_is_a_part_of_the_period(nices in prop::collection::vec(-5..6i8, 1..20)) {
        let tasks: Vec<_> = (0..).zip(&nices).map(|(id, nice)| testing::task(id, *nice)).collect();
        let mut cfs = Cfs::default();
        tasks.iter().for_each(|task| cfs.enqueue(task, Reason::New, Tick::ZERO));
        let weight: u64 = nices.iter().map(|nice| u64::from(super::super::weight(*nice))).sum();
        let period = (6 * MS).max(tasks.len() as u64 * 750_000);
        let pick = cfs.pick_next(CPU, Tick::ZERO).unwrap();
        let own = u64::from(super::super::weight(nices[pick.task.0 as usize]));
        let part = (period * own / weight).max(750_000);
        prop_assert_eq!(pick.slice, Some(Span::from_nanos(part)));
    }

    /// Rule 3.
    #[test]
    fn the_least_virtual_runtime_never_goes_back(
        steps in prop::collection::vec((0..4usize, 1..8u64), 1..60),
    ) {
        let tasks: Vec<_> = (0..4).map(|id| testing::task(id, 0)).collect();
        let mut cfs = Cfs::default();
        let (mut now, mut least) = (Tick::ZERO, 0);
        let mut queued = [false; 4];
        for (index, length) in steps {
            let task = &tasks[index];
            if queued[index] {
                cfs.dequeue(task, now);
            } else {
                cfs.enqueue(task, Reason::Wakeup, now);
            }
            queued[index] ^= true;
            if let Some(pick) = cfs.pick_next(CPU, now) {
                let ran = Span::from_millis(length);
                now += ran;
                let picked = &tasks[pick.task.0 as usize];
                cfs.put_prev(picked, CPU, ran, Stop::Preempted, now);
                cfs.enqueue(picked, Reason::Preempted, now);
            }
            prop_assert!(cfs.least >= least, "{} after {least}", cfs.least);
            least = cfs.least;
        }
    }
}

#[test]
fn a_sleeper_is_placed_half_of_the_latency_before_the_least() {
    let tasks = [testing::task(0, 0), testing::task(1, 0)];
    let mut cfs = Cfs::default();
    let mut now = Tick::ZERO;
    cfs.enqueue(&tasks[1], Reason::New, now);
    cfs.pick_next(CPU, now);
    now = at(1);
    cfs.put_prev(&tasks[1], CPU, Span::from_millis(1), Stop::Blocked, now);
    cfs.enqueue(&tasks[0], Reason::New, now);
    for _ in 0..50 {
        run(&mut cfs, &tasks[..1], &mut now);
    }
    cfs.enqueue(&tasks[1], Reason::Wakeup, now);
    assert_eq!(runtime(&cfs, 1), cfs.least - virtual_time(i128::from(3 * MS), 1024));
    // One that hardly slept keeps what it had.
    cfs.dequeue(&tasks[0], now);
    let own = runtime(&cfs, 0);
    cfs.enqueue(&tasks[0], Reason::Wakeup, now);
    assert_eq!(runtime(&cfs, 0), own);
}

#[test]
fn a_new_task_starts_a_slice_behind() {
    let tasks = [testing::task(0, 0), testing::task(1, 5)];
    let mut cfs = Cfs::default();
    let mut now = Tick::ZERO;
    cfs.enqueue(&tasks[0], Reason::New, now);
    for _ in 0..10 {
        run(&mut cfs, &tasks, &mut now);
    }
    cfs.enqueue(&tasks[1], Reason::New, now);
    // 335 / 1359 of 6 ms, in virtual time.
    let slice = 6 * i128::from(MS) * 335 / 1359;
    assert_eq!(runtime(&cfs, 1) - cfs.least, virtual_time(slice, 335));
}

#[test]
fn a_woken_task_preempts_when_it_is_a_millisecond_behind() {
    for (behind, preempts) in [(900_000, false), (1_000_000, false), (1_000_001, true)] {
        let tasks = [testing::task(0, 0), testing::task(1, 0)];
        let mut cfs = Cfs::default();
        cfs.enqueue(&tasks[0], Reason::New, Tick::ZERO);
        cfs.enqueue(&tasks[1], Reason::New, Tick::ZERO);
        cfs.pick_next(CPU, Tick::ZERO);
        let equal = runtime(&cfs, 1) - runtime(&cfs, 0);
        let nanos = u64::try_from(equal / virtual_time(1, 1024)).unwrap() + behind;
        let now = Tick::from_nanos(nanos);
        let found = cfs.wakeup_preempt(&tasks[1], &[testing::running(0, 0, 0)], now);
        assert_eq!(found.is_some(), preempts, "{behind} ns");
    }
}

#[test]
fn who_yields_goes_behind_all_that_are_queued() {
    let tasks = [testing::task(0, -10), testing::task(1, 0), testing::task(2, 10)];
    let mut cfs = Cfs::default();
    tasks.iter().for_each(|task| cfs.enqueue(task, Reason::New, Tick::ZERO));
    let mut seen = Set::new();
    for _ in 0..3 {
        let task = &tasks[cfs.pick_next(CPU, Tick::ZERO).unwrap().task.0 as usize];
        cfs.put_prev(task, CPU, Span::ZERO, Stop::Yield, Tick::ZERO);
        cfs.enqueue(task, Reason::Yield, Tick::ZERO);
        seen.insert(task.id);
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn its_own_slice_and_its_own_cpus() {
    let mut task = testing::task(0, 0);
    let scheduling = Rc::make_mut(&mut task.scheduling);
    scheduling.slice = Some(Span::from_micros(100));
    scheduling.cpus = [1].into_iter().collect();
    let mut cfs = Cfs::default();
    cfs.start(2);
    cfs.enqueue(&task, Reason::New, Tick::ZERO);
    assert_eq!(cfs.pick_next(CPU, Tick::ZERO), None);
    let pick = cfs.pick_next(CpuId(1), Tick::ZERO).unwrap();
    assert_eq!(pick.slice, Some(Span::from_micros(100)));
}

#[test]
fn a_number_used_again_is_a_new_task() {
    let tasks = [testing::task(0, 0), testing::task(1, 0)];
    let mut cfs = Cfs::default();
    let mut now = Tick::ZERO;
    tasks.iter().for_each(|task| cfs.enqueue(task, Reason::New, now));
    for _ in 0..10 {
        run(&mut cfs, &tasks, &mut now);
    }
    cfs.dequeue(&tasks[0], now);
    cfs.forget(TaskId(0));
    assert_eq!((cfs.runnable, cfs.weight), (1, 1024));
    cfs.enqueue(&tasks[0], Reason::New, now);
    assert!(runtime(&cfs, 0) > cfs.least);
}
