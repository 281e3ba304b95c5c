//! First come, first served, run to block: the classic cooperative kernel.
//!
//! 1. Tasks run in the order in which they became ready, whatever made them ready.
//! 2. A task keeps its CPU until it blocks, ends, stops or yields; one that yields goes to the tail.
//! 3. Nobody preempts, and no slice ends.

use hothouse_abi::Tick;

use super::line::Line;
use super::{Asked, CpuId, Pick, Policy, Reason, Task, TaskId};

/// First come, first served.
///
/// ```
/// use hothouse_kernel::policy::{Fifo, Policy};
/// assert_eq!(Fifo::new().spec(), "fifo");
/// ```
#[derive(Debug, Default)]
pub struct Fifo {
    ready: Line,
    asked: Asked,
}

impl Fifo {
    /// With nobody ready.
    pub fn new() -> Fifo {
        Fifo::default()
    }

    /// The task that is so many places behind the next one, if that place is taken.
    #[inline(always)]
    pub(crate) fn ahead(&self, places: u32) -> Option<TaskId> {
        self.ready.ahead(places)
    }
}

impl Policy for Fifo {
    fn spec(&self) -> String {
        "fifo".to_string()
    }

    fn preempts(&self) -> bool {
        false
    }

    #[inline(always)]
    fn enqueue(&mut self, task: &Task, _reason: Reason, _now: Tick) {
        self.asked.note(task);
        self.ready.push_back(task.id);
    }

    fn dequeue(&mut self, task: &Task, _now: Tick) {
        self.ready.remove(task.id);
    }

    #[inline(always)]
    fn pick_next(&mut self, cpu: CpuId, _now: Tick) -> Option<Pick> {
        let task = if self.asked.is_empty() {
            self.ready.pop_front()?
        } else {
            let first = self.asked.first(self.ready.iter(), cpu)?;
            self.ready.remove(first);
            first
        };
        Some(Pick { task, slice: None })
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
    use super::*;

    proptest! {
        #[test]
        fn tasks_run_in_the_order_of_becoming_ready(attempts in testing::attempts()) {
            let mut model = VecDeque::new();
            testing::drive(&mut Fifo::new(), &attempts, |op| match op {
                Op::Enqueue(task, _) => model.push_back(task.id),
                Op::Dequeue(task) => model.retain(|&id| id != task.id),
                Op::Changed(..) => {}
                Op::Pick(pick) => {
                    let first = model.pop_front().map(|task| Pick { task, slice: None });
                    assert_eq!(pick, first);
                }
            });
        }
    }

    #[test]
    fn nobody_preempts() {
        let running = [testing::running(0, 1, 19)];
        assert_eq!(Fifo::new().wakeup_preempt(&testing::task(0, -20), &running, Tick::ZERO), None);
    }
}
