//! The multi-level feedback queue: who uses much CPU time sinks, who waits often stays on top.
//!
//! 1. The ready task of the highest level runs first. A task that becomes ready preempts, when no
//!    idle CPU took it, the CPU whose task has the lowest level, if that is lower than its own; of
//!    several such CPUs, the one of the highest number.
//! 2. Tasks of one level take turns, each for at most a slice of that level (or its own slice).
//!    A preempted task goes to the head of its level and gets what was left of its slice; whoever
//!    else is queued goes to the tail and gets a fresh one.
//! 3. A new task starts at the top level.
//! 4. A task that has used its allotment of CPU time at a level, however many bursts that took,
//!    goes down a level; at the lowest it stays. A slice ends with the allotment at the latest.
//!    With `stay=true`, the older rule: who gives its CPU up before that gets a fresh allotment.
//! 5. At each multiple of `boost`, every task goes to the top level with a fresh allotment: the
//!    queued ones to its tail, highest level first, and then those that ran below it; those
//!    lose their CPUs. What runs at the top keeps its CPU and its slice.
//! 6. With `iobump=true`, a task that wakes goes to the head of its level.
//!
//! Source: Arpaci-Dusseau and Arpaci-Dusseau, "Operating Systems: Three Easy Pieces", chapter 8,
//! rules 1 to 5. Where they leave it open: the order at a boost is that of the book's simulator.

use hothouse_abi::{Span, Tick};

use super::spec::format_span;
use super::{Asked, CpuId, Links, List, Pick, Policy, Reason, Running, Stop, Task, TaskId, cut};

/// What a multi-level feedback queue is like.
///
/// ```
/// use hothouse_abi::Span;
/// use hothouse_kernel::policy::{Mlfq, MlfqOptions, Policy};
/// let boost = Some(Span::from_millis(100));
/// let mlfq = Mlfq::new(MlfqOptions { boost, ..MlfqOptions::default() });
/// let spec = "mlfq:levels=3,slice=10ms,allotment=slice,boost=100ms,stay=false,iobump=false";
/// assert_eq!(mlfq.spec(), spec);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlfqOptions {
    /// The slice of each level, top first; so it says how many levels there are.
    pub slices: Vec<Span>,
    /// The allotment of CPU time at each level, top first; `None`: one slice. That of the lowest
    /// level decides nothing.
    pub allotments: Option<Vec<Span>>,
    /// How often all tasks go to the top level; `None`: never.
    pub boost: Option<Span>,
    /// Whether a task that gives its CPU up gets a fresh allotment.
    pub stay: bool,
    /// Whether a task that wakes goes to the head of its level.
    pub iobump: bool,
}

impl Default for MlfqOptions {
    fn default() -> Self {
        MlfqOptions {
            slices: vec![Mlfq::SLICE; Mlfq::LEVELS],
            allotments: None,
            boost: None,
            stay: false,
            iobump: false,
        }
    }
}

/// A multi-level feedback queue.
///
/// ```
/// use hothouse_kernel::policy::{Mlfq, Policy};
/// let spec = "mlfq:levels=3,slice=10ms,allotment=slice,boost=off,stay=false,iobump=false";
/// assert_eq!(Mlfq::default().spec(), spec);
/// ```
#[derive(Debug)]
pub struct Mlfq {
    options: MlfqOptions,
    links: Links,
    /// Top first.
    levels: Vec<List>,
    /// Which levels have ready tasks, a bit each.
    occupied: u64,
    tasks: Vec<Kept>,
    asked: Asked,
    next_boost: Option<Tick>,
}

/// What is kept of a task. A new one has nothing: the top level, and nothing used.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    level: u8,
    /// The CPU time used of the allotment of this level.
    used: Span,
    /// The part of this dispatch that counts for no allotment, as a boost came after it.
    forgiven: Span,
    /// The slice of the last dispatch; zero if a boost ended it.
    slice: Span,
    /// What is left of the slice of a preempted task; zero if it gets a fresh one.
    left: Span,
}

impl Mlfq {
    /// The number of levels unless another is asked for.
    pub const LEVELS: usize = 3;

    /// How many levels there can be.
    pub const MAX_LEVELS: usize = 64;

    /// The slice of every level unless another is asked for: 10 ms.
    pub const SLICE: Span = Span::from_millis(10);

    /// With nobody ready.
    ///
    /// # Panics
    ///
    /// If there are no levels or more than [`MAX_LEVELS`](Mlfq::MAX_LEVELS), if there are not as
    /// many allotments as levels, or if a slice, an allotment or the time between boosts is zero.
    pub fn new(options: MlfqOptions) -> Mlfq {
        let levels = options.slices.len();
        assert!((1..=Mlfq::MAX_LEVELS).contains(&levels), "{levels} levels");
        let allotments = options.allotments.as_ref();
        assert!(allotments.is_none_or(|list| list.len() == levels), "an allotment for each level");
        let spans = options.slices.iter().chain(allotments.into_iter().flatten());
        assert!(spans.chain(&options.boost).all(|span| !span.is_zero()), "a span has a length");
        Mlfq {
            links: Links::new(),
            levels: vec![List::new(); levels],
            occupied: 0,
            tasks: Vec::new(),
            asked: Asked::default(),
            next_boost: options.boost.map(|boost| Tick::ZERO + boost),
            options,
        }
    }

    fn kept(&mut self, id: TaskId) -> &mut Kept {
        let index = id.0 as usize;
        if index >= self.tasks.len() {
            self.tasks.resize(index + 1, Kept::default());
        }
        &mut self.tasks[index]
    }

    /// The level of a task, 0 at the top.
    fn level(&self, id: TaskId) -> usize {
        self.tasks.get(id.0 as usize).map_or(0, |kept| usize::from(kept.level))
    }

    fn lowest(&self) -> usize {
        self.levels.len() - 1
    }

    /// The allotment of a level, for a task with a slice of this length there.
    fn allotment(&self, level: usize, slice: Span) -> Span {
        match &self.options.allotments {
            _ if level == self.lowest() => Span::MAX,
            Some(allotments) => allotments[level],
            None => slice,
        }
    }

    /// Moves a task that is not queued down a level, if its allotment is used up. Returns whether it
    /// is.
    fn sink(&mut self, task: &Task) -> bool {
        let level = self.level(task.id);
        let slice = task.scheduling.slice.unwrap_or(self.options.slices[level]);
        let allotment = self.allotment(level, slice);
        let kept = self.kept(task.id);
        let used_up = kept.used >= allotment;
        if used_up {
            *kept = Kept { level: kept.level + 1, ..Kept::default() };
        }
        used_up
    }

    fn push(&mut self, id: TaskId, at_head: bool) {
        let level = self.level(id);
        let list = &mut self.levels[level];
        if at_head {
            list.push_front(&mut self.links, id);
        } else {
            list.push_back(&mut self.links, id);
        }
        self.occupied |= 1 << level;
    }

    fn remove(&mut self, id: TaskId) {
        let level = self.level(id);
        let list = &mut self.levels[level];
        list.remove(&mut self.links, id);
        if list.is_empty() {
            self.occupied &= !(1 << level);
        }
    }

    /// The first task of the highest level that may use a CPU.
    fn first_for(&self, cpu: CpuId) -> Option<TaskId> {
        let mut occupied = self.occupied;
        while occupied != 0 {
            let list = &self.levels[occupied.trailing_zeros() as usize];
            if let Some(task) = self.asked.first(list.iter(&self.links), cpu) {
                return Some(task);
            }
            occupied &= occupied - 1;
        }
        None
    }

    /// Moves all who are queued to the top level.
    fn raise_queued(&mut self) {
        let (top, lower) = self.levels.split_first_mut().expect("invariant: there are levels");
        for list in lower {
            while let Some(id) = list.pop_front(&mut self.links) {
                top.push_back(&mut self.links, id);
            }
        }
        self.occupied = u64::from(self.occupied != 0);
    }
}

impl Default for Mlfq {
    fn default() -> Self {
        Mlfq::new(MlfqOptions::default())
    }
}

/// One span if all are equal, else all of them.
fn format_spans(spans: &[Span]) -> String {
    if spans.iter().all(|span| *span == spans[0]) {
        return format_span(spans[0]);
    }
    let spans: Vec<_> = spans.iter().map(|span| format_span(*span)).collect();
    spans.join("/")
}

impl Policy for Mlfq {
    fn spec(&self) -> String {
        let MlfqOptions { slices, allotments, boost, stay, iobump } = &self.options;
        let levels = slices.len();
        let slice = format_spans(slices);
        let allotment = allotments.as_deref().map_or("slice".to_string(), format_spans);
        let boost = boost.map_or("off".to_string(), format_span);
        format!(
            "mlfq:levels={levels},slice={slice},allotment={allotment},boost={boost},\
             stay={stay},iobump={iobump}"
        )
    }

    fn enqueue(&mut self, task: &Task, reason: Reason, _now: Tick) {
        self.asked.note(task);
        // Its own slice, and with it the allotment, may have become shorter.
        self.sink(task);
        let bumped = self.options.iobump && reason == Reason::Wakeup;
        let kept = self.kept(task.id);
        if reason != Reason::Preempted {
            kept.left = Span::ZERO;
        }
        let at_head = bumped || !kept.left.is_zero();
        self.push(task.id, at_head);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.remove(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let task = self.first_for(cpu)?;
        self.remove(task);
        let level = self.level(task);
        let full = self.asked.slice(task, self.options.slices[level]);
        let allotment = self.allotment(level, full);
        let kept = self.kept(task);
        let slice = if kept.left.is_zero() { full } else { kept.left };
        kept.slice = slice.min(allotment - kept.used);
        Some(Pick { task, slice: Some(kept.slice) })
    }

    fn put_prev(&mut self, task: &Task, _cpu: CpuId, ran: Span, stop: Stop, _now: Tick) {
        let stay = self.options.stay;
        let kept = self.kept(task.id);
        kept.used += ran - kept.forgiven;
        kept.forgiven = Span::ZERO;
        kept.left = kept.slice - ran;
        let sank = self.sink(task);
        if stay && !sank && matches!(stop, Stop::Blocked | Stop::Stopped | Stop::Yield) {
            self.kept(task.id).used = Span::ZERO;
        }
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], _now: Tick) -> Option<CpuId> {
        let level = |running: &Running| self.level(running.task.id);
        let lowest = running.iter().max_by_key(|running| (level(running), running.cpu))?;
        (level(lowest) > self.level(woken.id)).then_some(lowest.cpu)
    }

    fn next_timer(&self) -> Option<Tick> {
        self.next_boost
    }

    fn timer(&mut self, running: &[Running], now: Tick) -> Vec<CpuId> {
        let Some(boost) = self.options.boost else { return Vec::new() };
        // The next multiple; there is none at the end of time.
        let next = (now.nanos() / boost.nanos() + 1).checked_mul(boost.nanos());
        self.next_boost = next.map(Tick::from_nanos);
        let below: Vec<_> =
            running.iter().filter(|running| self.level(running.task.id) > 0).collect();
        self.raise_queued();
        for kept in &mut self.tasks {
            *kept = Kept { slice: kept.slice, ..Kept::default() };
        }
        for running in running {
            self.kept(running.task.id).forgiven = running.ran;
        }
        for running in &below {
            self.kept(running.task.id).slice = Span::ZERO;
        }
        below.iter().map(|running| running.cpu).collect()
    }

    fn forget(&mut self, id: TaskId) {
        *self.kept(id) = Kept::default();
    }

    fn trim(&mut self, tasks: usize) {
        self.links.trim(tasks);
        cut(&mut self.tasks, tasks);
    }
}

#[cfg(test)]
mod tests;
