//! What the fair policies share: virtual time, and the CPU time of those who run just now.
//!
//! A task's virtual runtime is its CPU time, scaled by 1024 over its weight: at nice 0 it is the CPU
//! time itself. While a task runs, the time since its dispatch is charged to it in advance, with what
//! the switch to it took; when it leaves its CPU, this is set right.

use hothouse_abi::{Span, Tick};

use super::TaskId;

/// A virtual time, in nanoseconds with 20 binary places.
pub(super) type Virtual = i128;

/// The virtual time of a weight of 1024 for so many nanoseconds.
const NANOSECOND: Virtual = 1 << 20;

/// The weight of nice 0.
const WEIGHT: i128 = 1024;

/// How far so many nanoseconds of CPU time move the virtual runtime of this weight.
pub(super) fn virtual_time(nanos: i128, weight: i128) -> Virtual {
    let scaled = nanos * NANOSECOND * WEIGHT;
    // Short times, as most are, need no division of 128 bits.
    match (u64::try_from(scaled), u64::try_from(weight)) {
        (Ok(scaled), Ok(weight)) => Virtual::from(scaled / weight),
        _ => scaled / weight,
    }
}

/// The CPU time that moves the virtual runtime of this weight so far; a nanosecond at least.
pub(super) fn real_time(virtual_time: Virtual, weight: i128) -> Span {
    let nanos = (virtual_time * weight) / (NANOSECOND * WEIGHT);
    Span::from_nanos(u64::try_from(nanos.max(1)).unwrap_or(u64::MAX))
}

/// Those who run, and how much of their CPU time is charged.
#[derive(Debug, Default)]
pub(super) struct OnCpus(Vec<OnCpu>);

#[derive(Debug)]
struct OnCpu {
    task: TaskId,
    charged_until: Tick,
    charged: i128,
}

impl OnCpus {
    pub(super) fn start(&mut self, task: TaskId, now: Tick) {
        self.0.push(OnCpu { task, charged_until: now, charged: 0 });
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Of these, the one in this place: who it is, and the nanoseconds that are to be charged to it
    /// now.
    pub(super) fn charge(&mut self, place: usize, now: Tick) -> (TaskId, i128) {
        let on = &mut self.0[place];
        let nanos = i128::from((now - on.charged_until).nanos());
        on.charged_until = now;
        on.charged += nanos;
        (on.task, nanos)
    }

    /// A task left its CPU after it `ran` for so long. Returns the nanoseconds that are still to be
    /// charged; below zero if it was too much.
    pub(super) fn stop(&mut self, task: TaskId, ran: Span) -> i128 {
        let place = self.0.iter().position(|on| on.task == task);
        let charged = place.map_or(0, |place| self.0.swap_remove(place).charged);
        i128::from(ran.nanos()) - charged
    }

    /// Who runs.
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.0.iter().map(|on| on.task)
    }
}
