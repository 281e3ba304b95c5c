//! The feedback queue of 4.4BSD: who used much CPU time lately runs later.
//!
//! 1. A hundred times a second there is a tick. It adds 1 to the recent CPU of each task that runs
//!    then and has used CPU time in this dispatch.
//! 2. Every hundredth tick, once a second: load = 59/60 load + 1/60 the number of tasks that are
//!    queued or run; then, for every task, whatever it does:
//!    recent CPU = 2 load / (2 load + 1) recent CPU + nice.
//! 3. The level of a task is recent CPU / 4 + 2 nice, cut to a whole number and to 0 to 63. It is
//!    recomputed every fourth tick, and at once when the nice level changes.
//! 4. The queued task of the lowest level that may use the CPU runs first. Whoever is queued, or
//!    changes its level while it is queued, goes to the tail of its level.
//! 5. A task runs for at most four ticks of CPU time in a dispatch, or for its own slice.
//! 6. A queued task takes the CPU whose task has the worst level, if no CPU is idle and that level
//!    is strictly worse than its own; of several such CPUs, the one of the highest number. That is
//!    looked at when it becomes ready and at each tick.
//! 7. A new task has used no CPU time. Load and recent CPU are fixed-point numbers with 14 binary
//!    places. While the machine is idle the ticks go on.
//!
//! Source: McKusick, Bostic, Karels and Quarterman 1996, "The design and implementation of the
//! 4.4BSD operating system", section 4.4, in the form with 64 levels and the slice of four
//! ticks in which Pfaff's Pintos teaches it.

use std::rc::Rc;

use hothouse_abi::{Scheduling, Span, Tick};

use super::{CpuId, Links, List, Pick, Policy, Reason, Running, Stop, Task, TaskId, cut};

const LEVELS: usize = 64;

/// One, in fixed point.
const ONE: i64 = 1 << 14;

/// A tick of the scheduler's clock.
const TICK: Span = Span::from_millis(10);

/// Ticks between two decays: a second.
const SECOND: u64 = 100;

/// Ticks after which levels are recomputed; a second has a whole number of them.
const FOURTH: u64 = 4;

/// The feedback queue of 4.4BSD.
///
/// ```
/// use hothouse_kernel::policy::{BsdMlfq, Policy};
/// assert_eq!(BsdMlfq::new().spec(), "bsdmlfq");
/// ```
#[derive(Debug)]
pub struct BsdMlfq {
    links: Links,
    levels: [List; LEVELS],
    /// Which levels have queued tasks, a bit each.
    occupied: u64,
    tasks: Vec<Kept>,
    /// Those whose recent CPU grew since their level was computed, possibly more than once.
    charged: Vec<TaskId>,
    /// In fixed point.
    load: i64,
    /// How many ticks there were.
    ticks: u64,
    /// When the next one is.
    next: Tick,
}

/// What is kept of a task.
#[derive(Clone, Debug, Default)]
struct Kept {
    scheduling: Rc<Scheduling>,
    /// Whether it was queued and not forgotten since.
    known: bool,
    nice: i8,
    level: u8,
    /// Recent CPU, in fixed point.
    recent: i64,
}

impl Kept {
    /// The level that it is to have.
    fn due_level(&self) -> u8 {
        let level = (self.recent / 4 + 2 * i64::from(self.nice) * ONE) / ONE;
        level.clamp(0, LEVELS as i64 - 1) as u8
    }
}

impl BsdMlfq {
    /// The slice of a task that has none of its own: four ticks, 40 ms.
    pub const SLICE: Span = Span::from_millis(40);

    /// With nobody ready.
    pub fn new() -> BsdMlfq {
        BsdMlfq {
            links: Links::new(),
            levels: [List::new(); LEVELS],
            occupied: 0,
            tasks: Vec::new(),
            charged: Vec::new(),
            load: 0,
            ticks: 0,
            next: Tick::ZERO + TICK,
        }
    }

    fn kept(&mut self, id: TaskId) -> &mut Kept {
        let index = id.0 as usize;
        if index >= self.tasks.len() {
            self.tasks.resize(index + 1, Kept::default());
        }
        &mut self.tasks[index]
    }

    fn level(&self, id: TaskId) -> u8 {
        self.tasks.get(id.0 as usize).map_or(0, |kept| kept.level)
    }

    fn push(&mut self, id: TaskId) {
        let level = self.kept(id).level;
        self.levels[usize::from(level)].push_back(&mut self.links, id);
        self.occupied |= 1 << level;
    }

    fn remove(&mut self, id: TaskId) {
        let level = self.kept(id).level;
        let list = &mut self.levels[usize::from(level)];
        list.remove(&mut self.links, id);
        if list.is_empty() {
            self.occupied &= !(1 << level);
        }
    }

    /// Computes the level of a task anew, and moves it there if it is queued.
    fn relevel(&mut self, id: TaskId) {
        let kept = self.kept(id);
        let level = kept.due_level();
        if level == kept.level {
            return;
        }
        let queued = self.links.contains(id);
        if queued {
            self.remove(id);
        }
        self.kept(id).level = level;
        if queued {
            self.push(id);
        }
    }

    /// Counts a tick against a task.
    fn charge(&mut self, id: TaskId) {
        self.kept(id).recent += ONE;
        self.charged.push(id);
    }

    /// Recomputes the load and decays what was used, as once a second.
    fn decay(&mut self, ready: i64) {
        self.load = (59 * self.load + ready * ONE) / 60;
        let factor = 2 * self.load * ONE / (2 * self.load + ONE);
        for kept in self.tasks.iter_mut().filter(|kept| kept.known) {
            kept.recent = kept.recent * factor / ONE + i64::from(kept.nice) * ONE;
        }
    }

    /// Counts the ticks that are due while so many tasks are queued or run.
    fn tick(&mut self, ready: i64, now: Tick) {
        let due = 1 + (now - self.next).nanos() / TICK.nanos();
        let before = self.ticks;
        self.ticks += due;
        self.next += Span::from_nanos(due * TICK.nanos());
        let seconds = self.ticks / SECOND - before / SECOND;
        for _ in 0..seconds {
            self.decay(ready);
            if self.load == 0 {
                // Nobody was ready, and every further second would change nothing.
                break;
            }
        }
        let mut charged = std::mem::take(&mut self.charged);
        if seconds > 0 {
            (0..self.tasks.len()).for_each(|index| self.relevel(TaskId(index as u32)));
            charged.clear();
        } else if self.ticks / FOURTH > before / FOURTH {
            charged.drain(..).for_each(|id| self.relevel(id));
        }
        self.charged = charged;
    }

    /// The CPUs that queued tasks take from worse ones, the best choosing first.
    fn overtaken(&self, running: &[Running]) -> Vec<CpuId> {
        let mut left: Vec<_> =
            running.iter().map(|running| (self.level(running.task.id), running.cpu)).collect();
        left.sort_unstable();
        let mut taken = Vec::new();
        for id in self.queued() {
            let level = self.level(id);
            if left.last().is_none_or(|worst| worst.0 <= level) {
                break;
            }
            let cpus = &self.tasks[id.0 as usize].scheduling.cpus;
            let place = left.iter().rposition(|(_, cpu)| cpus.contains(cpu.0));
            if let Some(place) = place.filter(|&place| left[place].0 > level) {
                taken.push(left.remove(place).1);
            }
        }
        taken
    }

    /// The queued tasks, best first.
    fn queued(&self) -> impl Iterator<Item = TaskId> {
        let mut occupied = self.occupied;
        let levels = std::iter::from_fn(move || {
            let level = occupied.trailing_zeros() as usize;
            occupied &= occupied.wrapping_sub(1);
            (level < LEVELS).then_some(level)
        });
        levels.flat_map(|level| self.levels[level].iter(&self.links))
    }
}

impl Default for BsdMlfq {
    fn default() -> Self {
        BsdMlfq::new()
    }
}

impl Policy for BsdMlfq {
    fn spec(&self) -> String {
        "bsdmlfq".to_string()
    }

    fn enqueue(&mut self, task: &Task, _reason: Reason, _now: Tick) {
        let kept = self.kept(task.id);
        kept.scheduling = task.scheduling.clone();
        if !kept.known || kept.nice != task.nice {
            kept.known = true;
            kept.nice = task.nice;
            kept.level = kept.due_level();
        }
        self.push(task.id);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.remove(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let scheduling = |id: TaskId| &self.tasks[id.0 as usize].scheduling;
        let task = self.queued().find(|&id| scheduling(id).cpus.contains(cpu.0))?;
        let slice = scheduling(task).slice.unwrap_or(BsdMlfq::SLICE);
        self.remove(task);
        Some(Pick { task, slice: Some(slice) })
    }

    fn put_prev(&mut self, task: &Task, _cpu: CpuId, ran: Span, _stop: Stop, now: Tick) {
        // It ran up to a tick that the timer is yet to be called for.
        if now == self.next && !ran.is_zero() {
            self.charge(task.id);
        }
    }

    fn wakeup_preempt(&mut self, woken: &Task, running: &[Running], _now: Tick) -> Option<CpuId> {
        let level = |running: &Running| self.level(running.task.id);
        let worst = running.iter().max_by_key(|running| (level(running), running.cpu))?;
        (level(worst) > self.level(woken.id)).then_some(worst.cpu)
    }

    fn changed(&mut self, task: &Task, _queued: bool, _now: Tick) {
        let kept = self.kept(task.id);
        kept.scheduling = task.scheduling.clone();
        kept.nice = task.nice;
        self.relevel(task.id);
    }

    fn next_timer(&self) -> Option<Tick> {
        Some(self.next)
    }

    fn timer(&mut self, running: &[Running], now: Tick) -> Vec<CpuId> {
        if now < self.next {
            return Vec::new();
        }
        let used = running.iter().filter(|running| !running.ran.is_zero());
        used.for_each(|running| self.charge(running.task.id));
        let queued: usize = self.levels.iter().map(List::len).sum();
        self.tick((queued + running.len()) as i64, now);
        self.overtaken(running)
    }

    fn forget(&mut self, id: TaskId) {
        *self.kept(id) = Kept::default();
        self.charged.retain(|&charged| charged != id);
    }

    fn trim(&mut self, tasks: usize) {
        self.links.trim(tasks);
        cut(&mut self.tasks, tasks);
    }
}

#[cfg(test)]
mod tests;
