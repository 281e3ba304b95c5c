use std::collections::BTreeSet as Set;

use proptest::prelude::*;

use super::super::testing::{self, Op};
use super::*;

const CPU: CpuId = CpuId(0);
const MS: u64 = 1_000_000;

fn with(id: u32, tickets: u32, slice: u64) -> Task {
    let mut task = testing::task(id, 0);
    let scheduling = Rc::make_mut(&mut task.scheduling);
    scheduling.tickets = Some(tickets);
    scheduling.slice = Some(Span::from_nanos(slice));
    task
}

/// The lag of a task, in nanoseconds of CPU time.
fn lag(eevdf: &Eevdf, id: usize) -> f64 {
    let kept = &eevdf.tasks[id];
    let behind = match kept.place {
        Place::Away => kept.runtime,
        _ => eevdf.mean - kept.runtime,
    };
    behind as f64 / f64::from(1 << 20) * kept.weight as f64 / 1024.0
}

/// Lets the next task use this part of what it may use, in thousandths; returns its number.
fn run(eevdf: &mut Eevdf, tasks: &[Task], part: u64, now: &mut Tick) -> usize {
    let pick = eevdf.pick_next(CPU, *now).expect("somebody is queued");
    let slice = pick.slice.expect("a slice");
    let ran = Span::from_nanos(slice.nanos() * part / 1000);
    *now += ran;
    let (stop, reason) = match ran == slice {
        true => (Stop::SliceEnd, Reason::SliceEnd),
        false => (Stop::Preempted, Reason::Preempted),
    };
    let task = &tasks[pick.task.0 as usize];
    eevdf.put_prev(task, CPU, ran, stop, *now);
    eevdf.enqueue(task, reason, *now);
    pick.task.0 as usize
}

fn tasks_and_parts() -> impl Strategy<Value = (Vec<Task>, Vec<u64>)> {
    let task = (1..5_000u32, 100_000..20_000_000u64);
    let tasks = prop::collection::vec(task, 1..8).prop_map(|tasks| {
        let each = (0..).zip(tasks).map(|(id, (tickets, slice))| with(id, tickets, slice));
        each.collect::<Vec<_>>()
    });
    (tasks, prop::collection::vec(prop_oneof![Just(1000), 1..1000u64], 1..300))
}

proptest! {
    #[test]
    fn one_of_those_queued_is_picked(attempts in testing::attempts()) {
        let mut model = Set::new();
        testing::drive(&mut Eevdf::default(), &attempts, |op| match op {
            Op::Enqueue(task, _) => assert!(model.insert(task.id)),
            Op::Dequeue(task) => assert!(model.remove(&task.id)),
            Op::Changed(..) => {}
            Op::Pick(None) => assert!(model.is_empty()),
            Op::Pick(Some(pick)) => assert!(model.remove(&pick.task)),
        });
    }

    /// The theorem of Stoica and Abdel-Wahab for a steady set of tasks, whatever each uses of its
    /// requests before another comes; to a microsecond, for the rounding of a run.
    #[test]
    fn lag_stays_within_the_longest_request((tasks, parts) in tasks_and_parts()) {
        let mut eevdf = Eevdf::default();
        let mut now = Tick::ZERO;
        tasks.iter().for_each(|task| eevdf.enqueue(task, Reason::New, now));
        let longest = tasks.iter().map(|task| task.scheduling.slice.unwrap().nanos()).max();
        let bound = longest.unwrap() as f64 + 1_000.0;
        for part in parts {
            run(&mut eevdf, &tasks, part, &mut now);
            let lags: Vec<f64> = (0..tasks.len()).map(|id| lag(&eevdf, id)).collect();
            prop_assert!(lags.iter().all(|lag| lag.abs() <= bound), "{lags:?} beyond {bound}");
            // Rule 1: what one is owed, others have had.
            prop_assert!(lags.iter().sum::<f64>().abs() < 1_000.0, "{lags:?}");
        }
    }

    /// Rule 3.
    #[test]
    fn the_eligible_one_of_the_earliest_deadline_runs((tasks, parts) in tasks_and_parts()) {
        let mut eevdf = Eevdf::default();
        let mut now = Tick::ZERO;
        tasks.iter().for_each(|task| eevdf.enqueue(task, Reason::New, now));
        for part in parts {
            let eligible = eevdf.tasks.iter().enumerate().filter(|(_, it)| it.runtime <= eevdf.mean);
            let first = eligible.min_by_key(|(_, it)| (it.deadline, it.order)).map(|(id, _)| id);
            let picked = run(&mut eevdf, &tasks, part, &mut now);
            prop_assert_eq!(first, Some(picked));
        }
    }

    /// Rule 4: the lag of one that sleeps is what it was, within a request.
    #[test]
    fn lag_is_kept_over_a_sleep((tasks, parts) in tasks_and_parts(), sleep in 0..100_000_000u64) {
        let mut eevdf = Eevdf::default();
        let mut now = Tick::ZERO;
        tasks.iter().for_each(|task| eevdf.enqueue(task, Reason::New, now));
        for part in &parts {
run(&mut eevdf, &tasks, *part, &mut now);
}
        let sleeper = &tasks[0];
        let before = lag(&eevdf, 0);
        eevdf.dequeue(sleeper, now);
        if tasks.len() > 1 {
            let until = now + Span::from_nanos(sleep);
            while now < until {
                run(&mut eevdf, &tasks, 1000, &mut now);
            }
            let request = sleeper.scheduling.slice.unwrap().nanos() as f64;
            eevdf.enqueue(sleeper, Reason::Wakeup, now);
            let expected = before.clamp(-request, request);
            prop_assert!((lag(&eevdf, 0) - expected).abs() < 1_000.0, "{} {expected}", lag(&eevdf, 0));
        }
    }

    /// Rule 7.
    #[test]
    fn lag_stays_when_the_weight_changes((tasks, parts) in tasks_and_parts(), tickets in 1..5_000u32) {
        let mut eevdf = Eevdf::default();
        let mut now = Tick::ZERO;
        tasks.iter().for_each(|task| eevdf.enqueue(task, Reason::New, now));
        for part in &parts {
run(&mut eevdf, &tasks, *part, &mut now);
}
        let before = lag(&eevdf, 0);
        let slice = tasks[0].scheduling.slice.unwrap().nanos();
        eevdf.changed(&with(0, tickets, slice), true, now);
        prop_assert!((lag(&eevdf, 0) - before).abs() < 1_000.0, "{} {before}", lag(&eevdf, 0));
        let sum: i128 = eevdf.tasks.iter().map(|it| it.weight).sum();
        prop_assert_eq!(sum, eevdf.weight);
    }
}

/// Two of the same weight, the first with a request of 2 ms at 0, the second from 1 ms on: figure 1 of
/// the paper, where both deadlines are equal if the second asks for 1 ms.
#[test]
fn only_an_earlier_deadline_preempts() {
    for (request, preempts) in [(2 * MS, false), (MS, false), (MS - 1, true)] {
        let tasks = [with(0, 2, 2 * MS), with(1, 2, request)];
        let mut eevdf = Eevdf::default();
        eevdf.enqueue(&tasks[0], Reason::New, Tick::ZERO);
        assert_eq!(eevdf.pick_next(CPU, Tick::ZERO).unwrap().task, TaskId(0));
        let now = Tick::from_nanos(MS);
        eevdf.enqueue(&tasks[1], Reason::New, now);
        let taken = eevdf.wakeup_preempt(&tasks[1], &[testing::running(0, 0, 0)], now);
        assert_eq!(taken.is_some(), preempts, "{request} ns");
    }
}

#[test]
fn a_short_request_preempts_a_long_one() {
    let tasks = [with(0, 1024, 20 * MS), with(1, 1024, MS)];
    let mut eevdf = Eevdf::default();
    eevdf.enqueue(&tasks[0], Reason::New, Tick::ZERO);
    eevdf.pick_next(CPU, Tick::ZERO);
    let now = Tick::from_nanos(2 * MS);
    eevdf.enqueue(&tasks[1], Reason::Wakeup, now);
    let running = [testing::running(0, 0, 0)];
    assert_eq!(eevdf.wakeup_preempt(&tasks[1], &running, now), Some(CPU));
    // One that is owed nothing does not.
    eevdf.kept(TaskId(1)).runtime += 1;
    assert_eq!(eevdf.wakeup_preempt(&tasks[1], &running, now), None);
}

#[test]
fn who_yields_lets_every_other_one_run() {
    let tasks = [with(0, 88_761, MS), with(1, 15, 20 * MS), with(2, 1, 3 * MS)];
    let mut eevdf = Eevdf::default();
    tasks.iter().for_each(|task| eevdf.enqueue(task, Reason::New, Tick::ZERO));
    let mut seen = Set::new();
    for _ in 0..1_000_000 {
        let task = &tasks[eevdf.pick_next(CPU, Tick::ZERO).unwrap().task.0 as usize];
        eevdf.put_prev(task, CPU, Span::ZERO, Stop::Yield, Tick::ZERO);
        eevdf.enqueue(task, Reason::Yield, Tick::ZERO);
        seen.insert(task.id);
        if seen.len() == 3 {
            return;
        }
    }
    panic!("only {seen:?} ran");
}

#[test]
fn a_task_runs_on_its_cpus() {
    let mut task = testing::task(0, 0);
    Rc::make_mut(&mut task.scheduling).cpus = [1].into_iter().collect();
    let mut eevdf = Eevdf::default();
    eevdf.enqueue(&task, Reason::New, Tick::ZERO);
    assert_eq!(eevdf.pick_next(CPU, Tick::ZERO), None);
    let expected = Pick { task: TaskId(0), slice: Some(Eevdf::SLICE) };
    assert_eq!(eevdf.pick_next(CpuId(1), Tick::ZERO), Some(expected));
}

#[test]
fn a_number_used_again_is_a_new_task() {
    let tasks = [with(0, 10, MS), with(1, 1000, 9 * MS)];
    let mut eevdf = Eevdf::default();
    let mut now = Tick::ZERO;
    tasks.iter().for_each(|task| eevdf.enqueue(task, Reason::New, now));
    for _ in 0..10 {
        run(&mut eevdf, &tasks, 1000, &mut now);
    }
    eevdf.dequeue(&tasks[0], now);
    eevdf.forget(TaskId(0));
    eevdf.enqueue(&tasks[0], Reason::New, now);
    assert!(lag(&eevdf, 0).abs() < 1.0);
}
