//! What the processor fetches ahead of the turns in which it is needed: among many processes each
//! record and each stack is in no cache.

use super::bodies::{Bodies, Slot};
use crate::machine::{KEPT_ANSWER, Key, Machine};
use crate::memory::prefetch;
use crate::native::Native;

/// How many turns ahead of its own a process's record is fetched, and its stack.
const RECORDS_AHEAD: u32 = EARLY + AT_ONCE + 4;
const STACKS_AHEAD: u32 = 5;

/// From how many in the queue on the stacks are fetched earlier, how many turns, and how many at
/// once: the processor then looks up their pages side by side. To wake a million takes 240 ns each
/// so, not 345, and 650 in random order, not 780. Among few, whose pages it remembers, a yield would
/// take 1 ns more.
const LONG: u32 = 4096;
const EARLY: u32 = 6;
const AT_ONCE: u32 = 8;

/// The most cache lines fetched of the stack of one that goes on in its program, as with an event.
const DEEP: usize = 12;

impl Bodies {
    /// Has the processor fetch what the next turns need: records and bodies first, and a few turns
    /// later the stacks, whose addresses are in the bodies.
    #[inline(always)]
    pub(super) fn prefetch(&mut self, machine: &Machine) {
        if let Some(key) = machine.ahead(RECORDS_AHEAD) {
            if let Some(process) = machine.table.place(key) {
                prefetch(process, 0..2);
            }
            if let Some(slot) = self.slots.get(key) {
                prefetch(slot, 0..1);
            }
            if machine.ahead(LONG).is_some() {
                self.prefetch_early(machine);
            }
        }
        if let Some(native) = machine.ahead(STACKS_AHEAD).and_then(|key| self.native(key)) {
            native.prefetch();
        }
    }

    /// The stacks of a long queue, and the answers with which their processes go on.
    #[inline(never)]
    fn prefetch_early(&mut self, machine: &Machine) {
        self.turns = self.turns.wrapping_add(1);
        if !self.turns.is_multiple_of(AT_ONCE) {
            return;
        }
        for turns in EARLY..EARLY + AT_ONCE {
            let Some(key) = machine.ahead(turns) else { return };
            let process = machine.table.place(key).filter(|process| process.has_kept_answer());
            if let Some(process) = process {
                prefetch(process, KEPT_ANSWER);
            }
            if let Some(native) = self.native(key) {
                native.prefetch_stack(if process.is_some() { DEEP } else { 1 });
            }
        }
    }

    /// Has the processor fetch all that those need whose wait is going to time out soon: without
    /// it, each of a million sleepers waited for its record, its frame and its stack, one by one.
    #[inline(never)]
    pub(super) fn prefetch_sleepers(&self, machine: &mut Machine) {
        while let Some(key) = machine.awakes_soon() {
            if let Some(process) = machine.table.place(key) {
                prefetch(process, 0..6);
            }
            if let Some(native) = self.native(key) {
                native.prefetch_stack(DEEP);
            }
        }
    }

    #[inline(always)]
    pub(super) fn native(&self, key: Key) -> Option<&Native> {
        match self.slots.get(key) {
            Some(Slot::Native(native)) => Some(native),
            _ => None,
        }
    }
}
