//! The machine's policy, as it calls it.

use std::any::Any;
use std::ops::{Deref, DerefMut};

use hothouse_abi::{Span, Tick};

use crate::policy::{Classes, CpuId, Fifo, Pick, Policy, Reason, Stop, Task, TaskId};

/// A policy. The default one is known by its type, so that what it does is part of the machine's
/// own code: a yield is 100 of 400 instructions shorter than with three calls through a table.
// With a tag of its own: one in the niche of a field of the queue is three instructions to compare.
#[repr(u8)]
pub(super) enum Scheduler {
    Fifo(Fifo),
    Other(Box<dyn Policy>),
}

impl Scheduler {
    /// A policy to which nobody was queued yet.
    pub(super) fn new(policy: Box<dyn Policy>) -> Scheduler {
        let any: &dyn Any = &*policy;
        if any.is::<Fifo>() { Scheduler::Fifo(Fifo::new()) } else { Scheduler::Other(policy) }
    }

    /// Puts the classes above it.
    pub(super) fn add_classes(&mut self) {
        let rest: Box<dyn Policy> = match std::mem::replace(self, Scheduler::Fifo(Fifo::new())) {
            Scheduler::Fifo(fifo) => Box::new(fifo),
            Scheduler::Other(policy) => policy,
        };
        *self = Scheduler::Other(Box::new(Classes::over(rest)));
    }

    /// The task that is so many places behind the next one, if that is known at no cost.
    #[inline(always)]
    pub(super) fn ahead(&self, places: u32) -> Option<TaskId> {
        match self {
            Scheduler::Fifo(fifo) => fifo.ahead(places),
            Scheduler::Other(_) => None,
        }
    }

    #[inline(always)]
    pub(super) fn enqueue(&mut self, task: &Task, reason: Reason, now: Tick) {
        match self {
            Scheduler::Fifo(fifo) => fifo.enqueue(task, reason, now),
            Scheduler::Other(policy) => policy.enqueue(task, reason, now),
        }
    }

    #[inline(always)]
    pub(super) fn pick_next(&mut self, cpu: CpuId, now: Tick) -> Option<Pick> {
        match self {
            Scheduler::Fifo(fifo) => fifo.pick_next(cpu, now),
            Scheduler::Other(policy) => policy.pick_next(cpu, now),
        }
    }

    #[inline(always)]
    pub(super) fn put_prev(&mut self, task: &Task, cpu: CpuId, ran: Span, stop: Stop, now: Tick) {
        match self {
            Scheduler::Fifo(fifo) => fifo.put_prev(task, cpu, ran, stop, now),
            Scheduler::Other(policy) => policy.put_prev(task, cpu, ran, stop, now),
        }
    }
}

impl Deref for Scheduler {
    type Target = dyn Policy;
    fn deref(&self) -> &(dyn Policy + 'static) {
        match self {
            Scheduler::Fifo(fifo) => fifo,
            Scheduler::Other(policy) => &**policy,
        }
    }
}

impl DerefMut for Scheduler {
    fn deref_mut(&mut self) -> &mut (dyn Policy + 'static) {
        match self {
            Scheduler::Fifo(fifo) => fifo,
            Scheduler::Other(policy) => &mut **policy,
        }
    }
}
