//! Stride: proportional shares without chance.
//!
//! 1. A task has its own tickets, at least one, or as many as the weight of its nice level. Its
//!    stride is 2^20 over its tickets, and its pass says when its turn is: the queued task of the
//!    lowest pass that may use the CPU runs first; of equals, the one that was queued first.
//! 2. A task runs for at most one slice of CPU time in a dispatch: its own, or the policy's.
//! 3. CPU time moves a task's pass on by its stride for each slice of the policy's, and by the same
//!    part of it for a part of one.
//! 4. The global pass moves on likewise with all CPU time, by 2^20 over the tickets of all that are
//!    queued or run. A task that leaves keeps its distance from it, and has it again when it comes
//!    back; it neither saves up time while it is away nor loses what it is owed. A new task starts
//!    one stride ahead.
//! 5. When the tickets of a task change, its distance from the global pass is scaled as its stride
//!    is.
//! 6. A task that yields goes behind all that are queued: its pass becomes the last of theirs, if
//!    that is later.
//! 7. Nobody preempts.
//!
//! On one CPU, while two tasks are ready together and do not yield, have no slices of
//! their own and keep their tickets, the one is never a slice or more from its share of what both
//! got.
//!
//! Source: Waldspurger and Weihl 1995, "Stride scheduling: deterministic proportional-share
//! resource management", with its dynamic extensions. Rule 6 is not in it.

use std::collections::BTreeSet;
use std::rc::Rc;

use hothouse_abi::{Scheduling, Span, Tick};

use super::spec::format_span;
use super::weights::tickets;
use super::{CpuId, Pick, Policy, Reason, Stop, Task, TaskId, cut};

/// The stride of one ticket: 2^20, with 32 binary places.
const STRIDE1: i128 = 1 << (20 + 32);

/// Stride scheduling.
///
/// ```
/// use hothouse_abi::Span;
/// use hothouse_kernel::policy::{Policy, Stride};
/// assert_eq!(Stride::default().spec(), "stride:slice=10ms");
/// assert_eq!(Stride::new(Span::from_micros(500)).spec(), "stride:slice=500us");
/// ```
#[derive(Debug)]
pub struct Stride {
    slice: Span,
    /// The queued tasks: pass, order of being queued, number.
    queue: BTreeSet<(i128, u64, TaskId)>,
    order: u64,
    tasks: Vec<Kept>,
    global_pass: i128,
    /// The tickets of all that are queued or run.
    global_tickets: i128,
}

/// What is kept of a task.
#[derive(Clone, Debug, Default)]
struct Kept {
    scheduling: Rc<Scheduling>,
    /// Zero for one not seen yet.
    tickets: i128,
    /// Whether it is queued or runs.
    active: bool,
    /// Its pass; while it is away, its distance from the global pass.
    pass: i128,
    /// Its place among those of the same pass, while it is queued.
    order: u64,
}

impl Stride {
    /// The slice unless another is asked for: 10 ms.
    pub const SLICE: Span = Span::from_millis(10);

    /// With nobody ready.
    ///
    /// # Panics
    ///
    /// If the slice is zero.
    pub fn new(slice: Span) -> Stride {
        assert!(!slice.is_zero(), "a slice has a length");
        Stride {
            slice,
            queue: BTreeSet::new(),
            order: 0,
            tasks: Vec::new(),
            global_pass: 0,
            global_tickets: 0,
        }
    }

    fn kept(&mut self, id: TaskId) -> &mut Kept {
        let index = id.0 as usize;
        if index >= self.tasks.len() {
            self.tasks.resize(index + 1, Kept::default());
        }
        &mut self.tasks[index]
    }

    /// How far so much CPU time moves a pass on that belongs to so many tickets.
    fn advance(&self, ran: Span, tickets: i128) -> i128 {
        STRIDE1 / tickets * i128::from(ran.nanos()) / i128::from(self.slice.nanos())
    }

    /// Takes over what the task asks for now.
    fn update(&mut self, task: &Task) {
        let new = i128::from(tickets(task).max(1));
        let global_pass = self.global_pass;
        let kept = self.kept(task.id);
        kept.scheduling = task.scheduling.clone();
        let old = std::mem::replace(&mut kept.tickets, new);
        if old == new {
            return;
        }
        let base = if kept.active { global_pass } else { 0 };
        let distance = match old {
            0 => STRIDE1 / new,
            _ => (kept.pass - base) * old / new,
        };
        kept.pass = base + distance;
        if kept.active {
            self.global_tickets += new - old;
        }
    }

    fn leave(&mut self, id: TaskId) {
        let global_pass = self.global_pass;
        let kept = self.kept(id);
        kept.active = false;
        kept.pass -= global_pass;
        let tickets = kept.tickets;
        self.global_tickets -= tickets;
    }

    fn insert(&mut self, id: TaskId) {
        let Kept { pass, order, .. } = *self.kept(id);
        self.queue.insert((pass, order, id));
    }

    fn remove(&mut self, id: TaskId) {
        let Kept { pass, order, .. } = *self.kept(id);
        assert!(self.queue.remove(&(pass, order, id)), "only a queued task is taken out");
    }
}

impl Default for Stride {
    fn default() -> Self {
        Stride::new(Stride::SLICE)
    }
}

impl Policy for Stride {
    fn spec(&self) -> String {
        format!("stride:slice={}", format_span(self.slice))
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, _now: Tick) {
        self.update(task);
        let global_pass = self.global_pass;
        let last = self.queue.last().map(|&(pass, ..)| pass);
        self.order += 1;
        let order = self.order;
        let kept = self.kept(task.id);
        kept.active = true;
        kept.pass += global_pass;
        kept.order = order;
        if let (Reason::Yield, Some(last)) = (reason, last) {
            kept.pass = kept.pass.max(last);
        }
        let tickets = kept.tickets;
        self.global_tickets += tickets;
        self.insert(task.id);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.remove(task.id);
        self.leave(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let tasks = &self.tasks;
        let scheduling = |id: TaskId| &tasks[id.0 as usize].scheduling;
        let mut queue = self.queue.iter();
        let &first = queue.find(|&&(.., id)| scheduling(id).cpus.contains(cpu.0))?;
        let slice = scheduling(first.2).slice.unwrap_or(self.slice);
        self.queue.remove(&first);
        Some(Pick { task: first.2, slice: Some(slice) })
    }

    fn put_prev(&mut self, task: &Task, _cpu: CpuId, ran: Span, _stop: Stop, _now: Tick) {
        self.global_pass += self.advance(ran, self.global_tickets);
        let tickets = self.kept(task.id).tickets;
        let advance = self.advance(ran, tickets);
        self.kept(task.id).pass += advance;
        // If it stays runnable, its `enqueue` follows at once and takes nothing from its place.
        self.leave(task.id);
    }

    fn changed(&mut self, task: &Task, queued: bool, _now: Tick) {
        if queued {
            self.remove(task.id);
        }
        self.update(task);
        if queued {
            self.insert(task.id);
        }
    }

    fn forget(&mut self, id: TaskId) {
        *self.kept(id) = Kept::default();
    }

    fn trim(&mut self, tasks: usize) {
        cut(&mut self.tasks, tasks);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{self, Op};
    use super::*;

    const NOW: Tick = Tick::ZERO;
    const CPU: CpuId = CpuId(0);
    const MS: u64 = 1_000_000;

    fn with(id: u32, change: impl FnOnce(&mut Scheduling)) -> Task {
        let mut task = testing::task(id, 0);
        change(Rc::make_mut(&mut task.scheduling));
        task
    }

    fn with_tickets(id: u32, tickets: u32) -> Task {
        with(id, |scheduling| scheduling.tickets = Some(tickets))
    }

    fn with_each(tickets: &[u32]) -> Vec<Task> {
        tickets.iter().zip(0..).map(|(&tickets, id)| with_tickets(id, tickets)).collect()
    }

    fn enqueue_all(stride: &mut Stride, tasks: &[Task]) {
        tasks.iter().for_each(|task| stride.enqueue(task, Reason::New, NOW));
    }

    /// Lets the next task run for so long; returns its number.
    fn run(stride: &mut Stride, tasks: &[Task], ran: Span) -> usize {
        let task = &tasks[stride.pick_next(CPU, NOW).unwrap().task.0 as usize];
        stride.put_prev(task, CPU, ran, Stop::SliceEnd, NOW);
        stride.enqueue(task, Reason::SliceEnd, NOW);
        task.id.0 as usize
    }

    /// Lets so many slices pass.
    fn run_slices(stride: &mut Stride, tasks: &[Task], count: u64) {
        for _ in 0..count {
            run(stride, tasks, Stride::SLICE);
        }
    }

    fn pass(stride: &Stride, id: usize) -> i128 {
        stride.tasks[id].pass
    }

    proptest! {
        #[test]
        fn one_of_those_queued_is_picked(attempts in testing::attempts()) {
            let mut model = BTreeSet::new();
            testing::drive(&mut Stride::default(), &attempts, |op| match op {
                Op::Enqueue(task, _) => assert!(model.insert(task.id)),
                Op::Dequeue(task) => assert!(model.remove(&task.id)),
                Op::Changed(..) => {}
                Op::Pick(None) => assert!(model.is_empty()),
                Op::Pick(Some(pick)) => {
                    assert!(model.remove(&pick.task));
                    assert_eq!(pick.slice, Some(Stride::SLICE));
                }
            });
        }

        #[test]
        fn the_lowest_pass_runs_first_and_of_equals_the_first_queued(
            tickets in prop::collection::vec(1..5u32, 1..6),
            runs in prop::collection::vec(0..3u64, 0..100),
        ) {
            let tasks = with_each(&tickets);
            let mut stride = Stride::default();
            enqueue_all(&mut stride, &tasks);
            let mut order: Vec<usize> = (0..tasks.len()).collect();
            for ran in runs {
                let first = *order.iter().min_by_key(|&&id| pass(&stride, id)).unwrap();
                prop_assert_eq!(run(&mut stride, &tasks, Span::from_nanos(5 * ran * MS)), first);
                order.retain(|&id| id != first);
                order.push(first);
            }
        }

        #[test]
        fn of_two_each_is_less_than_a_slice_from_its_share(
            tickets in prop::collection::vec(1..2000u32, 2..6),
            runs in prop::collection::vec(1..=10 * MS, 1..300),
            whole: bool,
        ) {
            let tasks = with_each(&tickets);
            let mut stride = Stride::default();
            enqueue_all(&mut stride, &tasks);
            let mut times = vec![0u64; tasks.len()];
            for ran in runs {
                let ran = if whole { 10 * MS } else { ran };
                times[run(&mut stride, &tasks, Span::from_nanos(ran))] += ran;
                for one in 0..tasks.len() {
                    for other in 0..one {
                        let (a, b) = (u64::from(tickets[one]), u64::from(tickets[other]));
                        let error = (times[one] * b).abs_diff(times[other] * a);
                        prop_assert!(error < 10 * MS * (a + b), "{times:?}");
                    }
                }
            }
        }

        #[test]
        fn who_comes_back_has_its_distance_again(
            away in 0..50u64,
            before in 0..20u64,
            left in 0..=10 * MS,
        ) {
            let tasks = [with_tickets(0, 3), with_tickets(1, 2), with_tickets(2, 1)];
            let mut stride = Stride::default();
            enqueue_all(&mut stride, &tasks);
            run_slices(&mut stride, &tasks, before);
            let gone = &tasks[stride.pick_next(CPU, NOW).unwrap().task.0 as usize];
            stride.put_prev(gone, CPU, Span::from_nanos(left), Stop::Blocked, NOW);
            let distance = pass(&stride, gone.id.0 as usize);
            run_slices(&mut stride, &tasks, away);
            stride.enqueue(gone, Reason::Wakeup, NOW);
            let now = pass(&stride, gone.id.0 as usize);
            prop_assert_eq!(now - stride.global_pass, distance);
            // None is further from the global pass than two strides of a single ticket.
            prop_assert!(distance.abs() < STRIDE1 * 2);
        }

        #[test]
        fn a_change_of_tickets_scales_the_distance(
            nice in -20..20i8,
            before in 0..20u64,
            place in 0..3u8,
        ) {
            let tasks = [testing::task(0, 0), testing::task(1, 5)];
            let mut stride = Stride::default();
            enqueue_all(&mut stride, &tasks);
            run_slices(&mut stride, &tasks, before);
            let id = match place {
                0 => 0,
                _ => stride.pick_next(CPU, NOW).unwrap().task.0,
            };
            if place == 2 {
                stride.put_prev(&tasks[id as usize], CPU, Span::from_millis(4), Stop::Blocked, NOW);
            }
            let base = if place == 2 { 0 } else { stride.global_pass };
            let (old, global) = (pass(&stride, id as usize) - base, stride.global_tickets);
            let was = i128::from(tickets(&tasks[id as usize]));
            let changed = testing::task(id, nice);
            stride.changed(&changed, place == 0, NOW);
            let new = i128::from(tickets(&changed));
            prop_assert_eq!(pass(&stride, id as usize) - base, old * was / new);
            let expected = if place == 2 { global } else { global + new - was };
            prop_assert_eq!(stride.global_tickets, expected);
            prop_assert_eq!(stride.queue.len(), 2 - usize::from(place > 0));
        }
    }

    #[test]
    fn three_to_two_to_one() {
        // The example of the paper: passes start at, and advance by, 2, 3 and 6.
        let tasks = [with_tickets(0, 3), with_tickets(1, 2), with_tickets(2, 1)];
        let mut stride = Stride::default();
        enqueue_all(&mut stride, &tasks);
        let order: Vec<_> = (0..6).map(|_| run(&mut stride, &tasks, Stride::SLICE)).collect();
        let mut counts = [0; 3];
        order.iter().for_each(|&id| counts[id] += 1);
        assert_eq!((&order[..3], counts), (&[0, 1, 0][..], [3, 2, 1]));
    }

    #[test]
    fn a_new_task_starts_one_stride_ahead() {
        let tasks = [with_tickets(0, 1), with_tickets(1, 4)];
        let mut stride = Stride::default();
        stride.enqueue(&tasks[0], Reason::New, NOW);
        run_slices(&mut stride, &tasks, 10);
        stride.enqueue(&tasks[1], Reason::New, NOW);
        assert_eq!(stride.global_pass, 10 * STRIDE1);
        assert_eq!(pass(&stride, 1) - stride.global_pass, STRIDE1 / 4);
    }

    #[test]
    fn who_yields_goes_behind_all_that_are_queued() {
        let tasks = [with_tickets(0, 1000), with_tickets(1, 10), with_tickets(2, 1)];
        let mut stride = Stride::default();
        enqueue_all(&mut stride, &tasks);
        let order: Vec<_> = (0..3)
            .map(|_| {
                let task = &tasks[stride.pick_next(CPU, NOW).unwrap().task.0 as usize];
                stride.put_prev(task, CPU, Span::ZERO, Stop::Yield, NOW);
                stride.enqueue(task, Reason::Yield, NOW);
                task.id.0
            })
            .collect();
        assert_eq!(order, [0, 1, 2]);
    }

    #[test]
    fn a_task_runs_on_its_cpus_and_for_its_slice() {
        let slice = Some(Span::from_millis(3));
        let bound = with(0, |scheduling| {
            scheduling.cpus = [1].into_iter().collect();
            scheduling.slice = slice;
        });
        let mut stride = Stride::default();
        stride.enqueue(&bound, Reason::New, NOW);
        assert_eq!(stride.pick_next(CPU, NOW), None);
        stride.enqueue(&testing::task(1, 0), Reason::New, NOW);
        let other = Pick { task: TaskId(1), slice: Some(Stride::SLICE) };
        assert_eq!(stride.pick_next(CPU, NOW), Some(other));
        assert_eq!(stride.pick_next(CpuId(1), NOW), Some(Pick { task: TaskId(0), slice }));
    }

    #[test]
    fn nobody_preempts() {
        let running = [testing::running(0, 1, 19)];
        let woken = testing::task(0, -20);
        assert_eq!(Stride::default().wakeup_preempt(&woken, &running, NOW), None);
    }

    #[test]
    fn a_number_used_again_is_a_new_task() {
        let mut stride = Stride::default();
        let tasks = [testing::task(0, 0), testing::task(1, 0)];
        enqueue_all(&mut stride, &tasks);
        stride.pick_next(CPU, NOW);
        stride.put_prev(&tasks[0], CPU, Span::from_millis(90), Stop::Ended, NOW);
        stride.forget(TaskId(0));
        stride.enqueue(&tasks[0], Reason::New, NOW);
        assert_eq!(pass(&stride, 0) - stride.global_pass, STRIDE1 / 1024);
    }
}
