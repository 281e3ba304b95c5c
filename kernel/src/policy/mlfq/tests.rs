use std::collections::VecDeque;
use std::rc::Rc;

use hothouse_abi::Scheduling;
use proptest::prelude::*;

use super::super::spec::policy;
use super::super::testing::{self, Op, task};
use super::super::timeline::{Job, Segment, timeline};
use super::*;
use crate::stream::{Stream, StreamKind};

const NOW: Tick = Tick::ZERO;
const CPU: CpuId = CpuId(0);

fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

fn at(millis: u64) -> Tick {
    Tick::ZERO + ms(millis)
}

fn made(params: &str) -> Box<dyn Policy> {
    let stream = Stream::derive(0, StreamKind::Policy, 0);
    policy(&format!("mlfq:{params}"), stream).unwrap()
}

/// How long each job used the CPU between two times.
fn shares(segments: &[Segment], jobs: u32, from: u64, to: u64) -> Vec<u64> {
    let part = |segment: &Segment| segment.2.min(to).saturating_sub(segment.1.max(from));
    let of = |job| segments.iter().filter(|segment| segment.0 == job).map(part).sum();
    (0..jobs).map(of).collect()
}

/// The rules for one CPU, in milliseconds and the plain way.
struct Model {
    slices: [u64; 3],
    allotments: [u64; 3],
    stay: bool,
    iobump: bool,
    queues: [VecDeque<usize>; 3],
    /// Level, used of the allotment, left of the slice of who was preempted.
    tasks: [(usize, u64, Option<u64>); 4],
}

impl Model {
    fn pick(&mut self) -> Option<(usize, u64)> {
        let level = self.queues.iter().position(|queue| !queue.is_empty())?;
        let task = self.queues[level].pop_front().unwrap();
        let (_, used, left) = self.tasks[task];
        let slice = left.unwrap_or(self.slices[level]);
        let last = level == 2;
        Some((task, if last { slice } else { slice.min(self.allotments[level] - used) }))
    }

    fn stop(&mut self, task: usize, ran: u64, slice: u64, stop: Stop) {
        let (level, used, left) = &mut self.tasks[task];
        *used += ran;
        *left = (stop == Stop::Preempted && ran < slice).then_some(slice - ran);
        if *level < 2 && *used >= self.allotments[*level] {
            (*level, *used, *left) = (*level + 1, 0, None);
        } else if self.stay && matches!(stop, Stop::Blocked | Stop::Yield) {
            *used = 0;
        }
    }

    fn queue(&mut self, task: usize, reason: Reason) {
        let (level, _, left) = self.tasks[task];
        if (reason == Reason::Wakeup && self.iobump) || left.is_some() {
            self.queues[level].push_front(task);
        } else {
            self.queues[level].push_back(task);
        }
    }

    fn boost(&mut self) {
        let all: VecDeque<_> = self.queues.iter_mut().flat_map(std::mem::take).collect();
        self.queues[0] = all;
        self.tasks = [(0, 0, None); 4];
    }
}

const ENDS: [(Stop, Reason); 4] = [
    (Stop::SliceEnd, Reason::SliceEnd),
    (Stop::Preempted, Reason::Preempted),
    (Stop::Yield, Reason::Yield),
    (Stop::Blocked, Reason::Wakeup),
];

proptest! {
    #[test]
    fn it_follows_the_rules(
        slices in prop::array::uniform3(1..6u64),
        allotments in prop::array::uniform3(1..12u64),
        (stay, iobump) in (any::<bool>(), any::<bool>()),
        steps in prop::collection::vec((0..4usize, 0..6u64, 0..12u8), 1..120),
    ) {
        let to_spans = |list: [u64; 3]| list.map(ms).to_vec();
        let mut mlfq = Mlfq::new(MlfqOptions {
            slices: to_spans(slices),
            allotments: Some(to_spans(allotments)),
            boost: Some(ms(1)),
            stay,
            iobump,
        });
        let (queues, tasks) = (Default::default(), [(0, 0, None); 4]);
        let mut model = Model { slices, allotments, stay, iobump, queues, tasks };
        for id in 0..4 {
            mlfq.enqueue(&task(id, 0), Reason::New, NOW);
            model.queue(id as usize, Reason::New);
        }
        for (end, part, boost) in steps {
            if boost == 0 {
                let next = mlfq.next_timer().unwrap();
                prop_assert!(mlfq.timer(&[], next).is_empty());
                model.boost();
            }
            let pick = mlfq.pick_next(CPU, NOW).unwrap();
            let (id, slice) = model.pick().unwrap();
            prop_assert_eq!(pick, Pick { task: TaskId(id as u32), slice: Some(ms(slice)) });
            let (stop, reason) = ENDS[end];
            let ran = if stop == Stop::SliceEnd { slice } else { slice * part / 5 };
            mlfq.put_prev(&task(id as u32, 0), CPU, ms(ran), stop, NOW);
            mlfq.enqueue(&task(id as u32, 0), reason, NOW);
            model.stop(id, ran, slice, stop);
            model.queue(id, reason);
        }
    }

    #[test]
    fn who_used_nothing_yet_takes_turns_at_the_top(attempts in testing::attempts()) {
        let mut model = VecDeque::new();
        testing::drive(&mut Mlfq::default(), &attempts, |op| match op {
            Op::Enqueue(task, Reason::Preempted) => model.push_front(task.id),
            Op::Enqueue(task, _) => model.push_back(task.id),
            Op::Dequeue(task) => model.retain(|&id| id != task.id),
            Op::Changed(..) => {}
            Op::Pick(pick) => {
                let slice = Some(ms(10));
                assert_eq!(pick, model.pop_front().map(|task| Pick { task, slice }));
            }
        });
    }

    #[test]
    fn the_lowest_level_is_preempted_and_only_by_a_higher_one(
        levels in prop::collection::vec(0..3u8, 1..5),
        woken in 0..3u8,
    ) {
        let mut mlfq = Mlfq::default();
        let running: Vec<_> = (0..).zip(&levels).map(|(cpu, &level)| {
            mlfq.kept(TaskId(cpu + 1)).level = level;
            testing::running(cpu, cpu + 1, 0)
        }).collect();
        mlfq.kept(TaskId(0)).level = woken;
        let lowest = *levels.iter().max().unwrap();
        let last = levels.iter().rposition(|&level| level == lowest).unwrap() as u32;
        let expected = (lowest > woken).then_some(CpuId(last));
        prop_assert_eq!(mlfq.wakeup_preempt(&task(0, 0), &running, NOW), expected);
    }

    #[test]
    fn a_boost_is_at_each_multiple_however_late_it_comes(boost in 1..1_000u64, late in 0..5_000u64) {
        let mut mlfq = Mlfq::new(MlfqOptions { boost: Some(ms(boost)), ..MlfqOptions::default() });
        prop_assert_eq!(mlfq.next_timer(), Some(at(boost)));
        let now = boost + late;
        mlfq.timer(&[], at(now));
        prop_assert_eq!(mlfq.next_timer(), Some(at((now / boost + 1) * boost)));
    }
}

#[test]
fn a_boost_takes_cpus_from_lower_levels_and_starts_every_allotment_anew() {
    let mut mlfq = Mlfq::new(MlfqOptions { boost: Some(ms(100)), ..MlfqOptions::default() });
    let (low, high, queued) = (task(0, 0), task(1, 0), task(2, 0));
    for (cpu, task) in (0..).zip([&low, &high]) {
        mlfq.enqueue(task, Reason::New, NOW);
        mlfq.pick_next(CpuId(cpu), NOW);
    }
    mlfq.put_prev(&low, CPU, ms(10), Stop::SliceEnd, at(10));
    mlfq.enqueue(&low, Reason::SliceEnd, at(10));
    mlfq.pick_next(CPU, at(10));
    mlfq.enqueue(&queued, Reason::New, at(99));
    let ran = |cpu, id, span| Running { ran: ms(span), ..testing::running(cpu, id, 0) };
    assert_eq!(mlfq.timer(&[ran(0, 0, 3), ran(1, 1, 9)], at(100)), [CPU]);
    mlfq.put_prev(&low, CPU, ms(3), Stop::Preempted, at(100));
    mlfq.enqueue(&low, Reason::Preempted, at(100));
    let pick = |mlfq: &mut Mlfq| mlfq.pick_next(CPU, at(100)).map(|pick| (pick.task, pick.slice));
    assert_eq!(pick(&mut mlfq), Some((queued.id, Some(ms(10)))));
    assert_eq!(pick(&mut mlfq), Some((low.id, Some(ms(10)))));
    // 9 of its 10 came before the boost: 9 of the new allotment are left.
    mlfq.put_prev(&high, CpuId(1), ms(10), Stop::SliceEnd, at(101));
    mlfq.enqueue(&high, Reason::SliceEnd, at(101));
    assert_eq!(mlfq.level(high.id), 0);
    assert_eq!(pick(&mut mlfq), Some((high.id, Some(ms(9)))));
}

#[test]
fn no_boost_comes_after_the_end_of_time() {
    let boost = Some(Span::from_nanos(u64::MAX / 2 + 1));
    let mut mlfq = Mlfq::new(MlfqOptions { boost, ..MlfqOptions::default() });
    mlfq.timer(&[], Tick::MAX);
    assert_eq!(mlfq.next_timer(), None);
}

fn with(id: u32, scheduling: Scheduling) -> Task {
    Task { scheduling: Rc::new(scheduling), ..task(id, 0) }
}

#[test]
fn a_slice_of_its_own_is_its_allotment_too_unless_another_is_set() {
    let own = |millis| with(0, Scheduling { slice: Some(ms(millis)), ..Scheduling::default() });
    for (allotment, slice) in [("slice", 25), ("20ms", 20)] {
        let mut mlfq = made(&format!("allotment={allotment}"));
        mlfq.enqueue(&own(25), Reason::New, NOW);
        assert_eq!(mlfq.pick_next(CPU, NOW).unwrap().slice, Some(ms(slice)));
    }
    let mut mlfq = Mlfq::default();
    mlfq.enqueue(&own(25), Reason::New, NOW);
    mlfq.pick_next(CPU, NOW);
    mlfq.put_prev(&own(25), CPU, ms(15), Stop::Blocked, NOW);
    assert_eq!(mlfq.level(TaskId(0)), 0);
    mlfq.enqueue(&own(15), Reason::Wakeup, NOW);
    assert_eq!(mlfq.level(TaskId(0)), 1);
    assert_eq!(mlfq.pick_next(CPU, NOW).unwrap().slice, Some(ms(15)));
}

#[test]
fn a_cpu_gets_only_who_may_use_it() {
    let mut mlfq = Mlfq::default();
    let cpus = [1].into_iter().collect();
    mlfq.enqueue(&with(0, Scheduling { cpus, ..Scheduling::default() }), Reason::New, NOW);
    mlfq.kept(TaskId(1)).level = 2;
    mlfq.enqueue(&task(1, 0), Reason::New, NOW);
    let mut pick = |cpu| mlfq.pick_next(CpuId(cpu), NOW).map(|pick| pick.task.0);
    assert_eq!((pick(0), pick(0), pick(1)), (Some(1), None, Some(0)));
}

#[test]
fn a_number_used_again_starts_at_the_top() {
    let mut mlfq = Mlfq::default();
    mlfq.put_prev(&task(0, 0), CPU, ms(10), Stop::Ended, NOW);
    assert_eq!(mlfq.level(TaskId(0)), 1);
    mlfq.forget(TaskId(0));
    assert_eq!(mlfq.level(TaskId(0)), 0);
}

/// "Three Easy Pieces", figure 8.2: a long job sinks a level each slice.
#[test]
fn a_long_job_sinks_to_the_lowest_level() {
    let mut mlfq = Mlfq::default();
    let long = task(0, 0);
    mlfq.enqueue(&long, Reason::New, NOW);
    for level in [0, 1, 2, 2, 2] {
        assert_eq!(mlfq.level(long.id), level);
        assert_eq!(mlfq.pick_next(CPU, NOW).unwrap().slice, Some(ms(10)));
        mlfq.put_prev(&long, CPU, ms(10), Stop::SliceEnd, NOW);
        mlfq.enqueue(&long, Reason::SliceEnd, NOW);
    }
}

/// Figure 8.3: a job of 20 ms that comes at 100 ms is done before it reaches the lowest level.
#[test]
fn a_short_job_overtakes_a_long_one() {
    let jobs = [Job::batch(0, 180), Job::batch(100, 20)];
    let segments = timeline(&mut Mlfq::default(), &jobs, 300);
    assert_eq!(segments, [(0, 0, 100), (1, 100, 120), (0, 120, 200)]);
}

/// Figure 8.4: a job that computes for 1 ms at a time stays at the top by the older rule, and runs
/// whenever it wakes.
#[test]
fn an_interactive_job_stays_on_top_by_the_older_rule() {
    let jobs = [Job::batch(0, 1_000), Job::interactive(50, 1, 9)];
    let segments = timeline(&mut *made("stay=true"), &jobs, 1_000);
    let starts: Vec<_> = segments.iter().filter(|s| s.0 == 1).map(|s| (s.1, s.2)).collect();
    let expected: Vec<_> = (50..1_000).step_by(10).map(|from| (from, from + 1)).collect();
    assert_eq!(starts, expected);
}

/// Figure 8.5: a long job starves between two interactive ones that use all CPU time, unless it is
/// raised every 100 ms: then it gets a slice each time.
#[test]
fn a_boost_ends_starvation() {
    let jobs = [Job::batch(0, 1_000), Job::interactive(100, 5, 5), Job::interactive(105, 5, 5)];
    let got = |params| {
        let segments = timeline(&mut *made(params), &jobs, 500);
        (2..5).map(|n| shares(&segments, 3, n * 100, n * 100 + 100)[0]).collect::<Vec<_>>()
    };
    assert_eq!(got("stay=true"), [0, 0, 0]);
    assert_eq!(got("stay=true,boost=100ms"), [10, 10, 10]);
}

/// Figure 8.6: a job that gives its CPU up just before its slice ends gets nine tenths by the older
/// rule, and no more than its turn by the better one.
#[test]
fn a_feedback_queue_is_gamed_by_the_older_rule_only() {
    let jobs = [Job::batch(0, 2_000), Job::interactive(100, 9, 1)];
    let got = |params| shares(&timeline(&mut *made(params), &jobs, 1_100), 2, 150, 1_100);
    assert_eq!(got("stay=true"), [95, 855]);
    // At the lowest level they alternate: 10 ms against 9 ms.
    assert_eq!(got("stay=false"), [500, 450]);
}

/// Figure 8.7: slices of 10, 20 and 40 ms, with two slices a level.
#[test]
fn lower_levels_have_longer_slices() {
    let params = "slice=10ms/20ms/40ms,allotment=20ms/40ms/80ms";
    let jobs = [Job::batch(0, 140), Job::batch(0, 140)];
    let segments = timeline(&mut *made(params), &jobs, 300);
    let ends = [10, 20, 30, 40, 60, 80, 100, 120, 160, 200, 240, 280];
    let starts = std::iter::once(0).chain(ends);
    let turns = starts.zip(ends).zip([0, 1].into_iter().cycle());
    let expected: Vec<_> = turns.map(|((from, to), job)| (job, from, to)).collect();
    assert_eq!(segments, expected);
}

#[test]
fn who_wakes_goes_to_the_head_with_iobump() {
    let sleeper = Job { arrival: 0, phases: vec![(2, 3), (2, 1)] };
    let jobs = [sleeper, Job::batch(0, 30), Job::batch(0, 30)];
    let order = |params| {
        let segments = timeline(&mut *made(params), &jobs, 100);
        segments.iter().take(4).map(|segment| segment.0).collect::<Vec<_>>()
    };
    assert_eq!(order("iobump=false"), [0, 1, 2, 0]);
    assert_eq!(order("iobump=true"), [0, 1, 0, 2]);
}

#[test]
fn a_spec_is_shown_in_full_and_read_back() {
    let cases = [
        ("levels=2", "levels=2,slice=10ms,allotment=slice,boost=off,stay=false,iobump=false"),
        (
            "slice=1ms/2ms/4ms,boost=1s,iobump=true",
            "levels=3,slice=1ms/2ms/4ms,allotment=slice,boost=1s,stay=false,iobump=true",
        ),
        (
            "stay=true,allotment=5ms/5ms/5ms",
            "levels=3,slice=10ms,allotment=5ms,boost=off,stay=true,iobump=false",
        ),
    ];
    for (params, full) in cases {
        assert_eq!(made(params).spec(), format!("mlfq:{full}"));
        assert_eq!(made(full).spec(), format!("mlfq:{full}"));
    }
}

#[test]
fn bad_parameters_are_refused() {
    let cases = [
        "levels=0",
        "levels=65",
        "levels=x",
        "slice=0ms",
        "slice=1ms/2ms",
        "slice=1ms/2ms/",
        "slice=slice",
        "allotment=off",
        "allotment=1ms/2ms/3ms/4ms",
        "boost=0ms",
        "boost=on",
    ];
    for params in cases {
        let stream = Stream::derive(0, StreamKind::Policy, 0);
        let error = policy(&format!("mlfq:{params}"), stream).err().expect(params).to_string();
        let (key, value) = params.split_once('=').unwrap();
        let start = format!("policy \"mlfq\": bad {key} \"{value}\". It is ");
        assert!(error.starts_with(&start), "{error}");
    }
}
