//! The process table: pids that are never used again over places that are.

use std::ops::{Index, IndexMut};
use std::rc::Rc;

use hashbrown::HashMap;
use hothouse_abi::{Pid, Program, Scheduling};
use rustc_hash::FxBuildHasher;
use slab::Slab;

use super::process::{Key, Link, Process, Siblings, State};
use crate::policy::{Task, TaskId};

/// All processes, by key and by pid.
#[derive(Debug)]
pub(crate) struct Table {
    processes: Slab<Process>,
    /// invariant: holds the key of each process that is not `Dead`, and nothing else.
    by_pid: HashMap<Pid, u32, FxBuildHasher>,
    last_pid: u64,
    /// How a process is scheduled for which nothing else is said, shared by all of those.
    scheduling: Rc<Scheduling>,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table {
            processes: Slab::new(),
            by_pid: HashMap::default(),
            last_pid: 0,
            scheduling: Rc::default(),
        }
    }

    /// Makes a record for a new process with the next pid.
    pub(crate) fn insert(
        &mut self,
        name: hothouse_abi::Name,
        user: hothouse_abi::Name,
        program: Program,
    ) -> Key {
        self.last_pid += 1;
        let pid = Pid::new(self.last_pid);
        let scheduling = self.scheduling.clone();
        let entry = self.processes.vacant_entry();
        let key = entry.key();
        let id = TaskId(u32::try_from(key).expect("invariant: fewer than 2^32 processes"));
        entry.insert(Process::new(Task::with(id, pid, scheduling), name, user, program));
        self.by_pid.insert(pid, id.0);
        key
    }

    /// From now on the process is no one's to find.
    pub(crate) fn hide(&mut self, key: Key) {
        self.processes[key].state = State::Dead;
        let pid = self.processes[key].pid();
        self.by_pid.remove(&pid);
    }

    /// Takes the record of a dead process out.
    pub(crate) fn remove(&mut self, key: Key) -> Process {
        debug_assert_eq!(self.processes[key].state, State::Dead, "invariant: only the dead go");
        self.processes.remove(key)
    }

    /// The live process with this pid.
    #[inline]
    pub(crate) fn find(&self, pid: Pid) -> Option<Key> {
        self.by_pid.get(&pid).map(|&key| key as Key)
    }

    /// Whether there is a record under this key.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.processes.contains(key)
    }

    /// How many records there are, dead ones that are not yet buried included.
    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    /// How many processes are alive.
    pub(crate) fn live(&self) -> usize {
        self.by_pid.len()
    }

    /// All records, those of the dead included.
    #[cfg(feature = "invariants")]
    pub(super) fn all(&self) -> impl Iterator<Item = (Key, &Process)> {
        self.processes.iter()
    }

    /// Those that do not count as dead.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (Key, &Process)> {
        self.processes.iter().filter(|(_, process)| process.state != State::Dead)
    }

    /// The live processes in order of pid.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        let live = self.alive();
        let mut pids: Vec<Pid> = live.map(|(_, process)| process.pid()).collect();
        pids.sort_unstable();
        pids
    }

    /// Makes `child` a child of `parent`.
    pub(crate) fn adopt(&mut self, parent: Key, child: Key) {
        let first = self.processes[parent].siblings.first_child;
        if let Some(first) = first.get() {
            self.processes[first].siblings.previous = Link::to(child);
        }
        let parent_pid = self.processes[parent].pid();
        self.processes[parent].siblings.first_child = Link::to(child);
        let record = &mut self.processes[child];
        record.parent = parent_pid;
        record.siblings.parent = Link::to(parent);
        record.siblings.next = first;
        record.siblings.previous = Link::default();
    }

    /// Takes `child` from its parent; the kernel adopts it.
    pub(crate) fn orphan(&mut self, child: Key) {
        let siblings = self.processes[child].siblings;
        if let Some(next) = siblings.next.get() {
            self.processes[next].siblings.previous = siblings.previous;
        }
        if let Some(previous) = siblings.previous.get() {
            self.processes[previous].siblings.next = siblings.next;
        } else if let Some(parent) = siblings.parent.get() {
            self.processes[parent].siblings.first_child = siblings.next;
        }
        let record = &mut self.processes[child];
        record.parent = Pid::KERNEL;
        record.siblings = Siblings { first_child: siblings.first_child, ..Siblings::default() };
    }
}

impl Index<Key> for Table {
    type Output = Process;
    #[inline]
    fn index(&self, key: Key) -> &Process {
        &self.processes[key]
    }
}

impl IndexMut<Key> for Table {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut Process {
        &mut self.processes[key]
    }
}
