//! The exit records of a process's children that nobody has read.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use hothouse_abi::{Exit, Pid};
use rustc_hash::FxBuildHasher;

/// Exit records, to be taken in the order in which the children ended, or by pid.
#[derive(Debug, Default)]
pub(super) struct Records {
    by_age: BTreeMap<u64, Exit>,
    ages: HashMap<Pid, u64, FxBuildHasher>,
    last: u64,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Whether there is that of this child, or any.
    pub(super) fn has(&self, pid: Option<Pid>) -> bool {
        pid.map_or(!self.ages.is_empty(), |pid| self.ages.contains_key(&pid))
    }

    pub(super) fn push(&mut self, exit: Exit) {
        self.last += 1;
        self.ages.insert(exit.pid, self.last);
        self.by_age.insert(self.last, exit);
    }

    /// Takes that of this child, or the oldest.
    pub(super) fn take(&mut self, pid: Option<Pid>) -> Option<Exit> {
        let Some(pid) = pid else {
            let (_, exit) = self.by_age.pop_first()?;
            self.ages.remove(&exit.pid);
            return Some(exit);
        };
        let age = self.ages.remove(&pid)?;
        self.by_age.remove(&age)
    }
}
