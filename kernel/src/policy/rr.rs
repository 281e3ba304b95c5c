//! Round robin.
//!
//! 1. Tasks run in the order in which they became ready, whatever made them ready.
//! 2. A task runs for at most one slice of CPU time a dispatch; when the slice ends, it goes to the
//!    tail. So does one that yields.
//! 3. Each dispatch starts a fresh slice: one that a task left early by blocking isn't made up for.
//! 4. Nobody preempts, and the length of a burst decides nothing.
//!
//! Source: the classic rule, as in Silberschatz, Galvin and Gagne, "Operating System Concepts".

use hothouse_abi::{Span, Tick};

use super::spec::format_span;
use super::{Asked, CpuId, Pick, Policy, Queue, Reason, Task};

/// Round robin.
///
/// ```
/// use hothouse_abi::Span;
/// use hothouse_kernel::policy::{Policy, Rr};
/// assert_eq!(Rr::new(Span::from_micros(2_500)).spec(), "rr:slice=2.5ms");
/// ```
#[derive(Debug)]
pub struct Rr {
    ready: Queue,
    asked: Asked,
    slice: Span,
}

impl Rr {
    /// The slice unless another is asked for: 10 ms.
    pub const SLICE: Span = Span::from_millis(10);

    /// With nobody ready.
    ///
    /// # Panics
    ///
    /// If the slice is zero.
    pub fn new(slice: Span) -> Rr {
        assert!(!slice.is_zero(), "a slice has a length");
        Rr { ready: Queue::new(), asked: Asked::default(), slice }
    }
}

impl Default for Rr {
    fn default() -> Self {
        Rr::new(Rr::SLICE)
    }
}

impl Policy for Rr {
    fn spec(&self) -> String {
        format!("rr:slice={}", format_span(self.slice))
    }

    fn enqueue(&mut self, task: &Task, _reason: Reason, _now: Tick) {
        self.asked.note(task);
        self.ready.push_back(task.id);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.ready.remove(task.id);
    }

    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let task = self.asked.first(self.ready.iter(), cpu)?;
        self.ready.remove(task);
        Some(Pick { task, slice: Some(self.asked.slice(task, self.slice)) })
    }

    fn trim(&mut self, tasks: usize) {
        self.asked.trim(tasks);
        self.ready.trim(tasks);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::super::testing::{self, Op};
    use super::super::{Burst, Stop};
    use super::*;

    proptest! {
        #[test]
        fn tasks_take_turns_with_a_full_slice_each(attempts in testing::attempts()) {
            let mut model = VecDeque::new();
            testing::drive(&mut Rr::default(), &attempts, |op| match op {
                Op::Enqueue(task, _) => model.push_back(task.id),
                Op::Dequeue(task) => model.retain(|&id| id != task.id),
                Op::Changed(..) => {}
                Op::Pick(pick) => {
                    let slice = Some(Span::from_millis(10));
                    assert_eq!(pick, model.pop_front().map(|task| Pick { task, slice }));
                }
            });
        }
    }

    #[test]
    fn nobody_preempts_and_bursts_keep_their_cpu() {
        let mut rr = Rr::default();
        let running = [testing::running(0, 1, 19)];
        let woken = testing::task(0, -20);
        assert_eq!(rr.wakeup_preempt(&woken, &running, Tick::ZERO), None);
        assert_eq!(rr.burst_start(&woken, CpuId(0), Tick::ZERO), Burst::Keep);
    }

    #[test]
    fn a_slice_left_early_is_not_made_up_for() {
        let mut rr = Rr::default();
        let (task, cpu, now) = (testing::task(0, 0), CpuId(0), Tick::ZERO);
        rr.enqueue(&task, Reason::New, now);
        let first = rr.pick_next(cpu, now);
        rr.put_prev(&task, cpu, Span::from_millis(3), Stop::Blocked, now);
        rr.enqueue(&task, Reason::Wakeup, now);
        assert_eq!(rr.pick_next(cpu, now), first);
    }
}
