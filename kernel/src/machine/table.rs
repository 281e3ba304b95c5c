//! The process table: pids that are never used again over places that are.

use std::hash::BuildHasher;
use std::ops::{Index, IndexMut};
use std::rc::Rc;

use hashbrown::HashTable;
use hothouse_abi::{Name, Pid, Program, Scheduling};
use rustc_hash::FxBuildHasher;

use super::process::{Key, Process, State};
use super::siblings::{Link, Siblings};
use crate::memory::use_large_pages;
use crate::policy::{Task, TaskId};

/// Up to so many places nothing is given back.
const FEW: usize = 4096;

/// Up to so many vacant places are left so for the sake of one that has the number of its process.
const PASSED_OVER: usize = 64;

/// Once there are so many places, room is made for all that there may be, up to so many, and in large
/// pages: of fewer places the last of those would waste more than it is worth.
const MANY: usize = 1 << 16;
const MOST_AHEAD: usize = 1 << 22;

/// All processes, by key and by pid.
#[derive(Debug)]
pub(crate) struct Table {
    processes: Vec<Process>,
    /// The places of `processes` that are vacant; the one vacated last is used first.
    free: Vec<u32>,
    /// invariant: holds the key of each process that is not `Dead`, but for those in the place of
    /// their number, and nothing else.
    by_pid: HashTable<u32>,
    last_pid: u64,
    /// How many processes there may be.
    most: usize,
    /// A place that kept others from being given back: while it is taken, there is no need to look
    /// again.
    in_the_way: Option<Key>,
    /// How many are not `Dead`.
    live: usize,
    /// How a process is scheduled for which nothing else is said, shared by all of those.
    scheduling: Rc<Scheduling>,
    /// The user of those from outside.
    root: Rc<Name>,
}

fn hash_of(pid: Pid) -> u64 {
    FxBuildHasher.hash_one(pid)
}

/// The place that has the number of a process, in which it is until places are used again.
#[inline(always)]
fn place_of(pid: Pid) -> Key {
    (pid.number() as Key).wrapping_sub(1)
}

impl Table {
    pub(crate) fn new(most: usize) -> Table {
        Table {
            most,
            processes: Vec::new(),
            free: Vec::new(),
            by_pid: HashTable::new(),
            last_pid: 0,
            in_the_way: None,
            live: 0,
            scheduling: Rc::default(),
            root: Rc::new(Name::short("root")),
        }
    }

    /// Makes a record for a new process with the next pid.
    pub(crate) fn insert(&mut self, name: Name, user: Rc<Name>, program: Program) -> Key {
        self.last_pid += 1;
        let pid = Pid::new(self.last_pid);
        let scheduling = self.scheduling.clone();
        let key = self.place_for(pid);
        let id = TaskId(u32::try_from(key).expect("invariant: fewer than 2^32 processes"));
        let task = Task::with(id, pid, scheduling);
        if key < self.processes.len() {
            self.free.pop();
            self.processes[key].renew(task, name, user, program);
        } else {
            if key == MANY {
                self.make_room();
            }
            self.processes.push(Process::new(task, name, user, program));
        }
        self.live += 1;
        if place_of(pid) != key {
            let processes = &self.processes;
            let rehash = |&key: &u32| hash_of(processes[key as Key].pid());
            self.by_pid.insert_unique(hash_of(pid), id.0, rehash);
        }
        key
    }

    /// Makes a record for a new process of the superuser.
    pub(crate) fn insert_as_root(&mut self, name: Name, program: Program) -> Key {
        self.insert(name, self.root.clone(), program)
    }

    #[cold]
    fn make_room(&mut self) {
        let more = self.most.saturating_sub(self.processes.len()).min(MOST_AHEAD);
        if self.processes.try_reserve_exact(more).is_ok() {
            use_large_pages(self.processes.spare_capacity_mut());
        }
    }

    /// The place for a new process: the one vacated last, or one behind all.
    fn place_for(&self, pid: Pid) -> Key {
        let end = self.processes.len();
        match self.free.last() {
            Some(&key) if place_of(pid) != end || self.free.len() > PASSED_OVER => key as Key,
            _ => end,
        }
    }

    /// The pid that the next process gets.
    pub(crate) fn next_pid(&self) -> Pid {
        Pid::new(self.last_pid + 1)
    }

    /// From now on the process is no one's to find.
    pub(crate) fn hide(&mut self, key: Key) {
        self.processes[key].state = State::Dead;
        let pid = self.processes[key].pid();
        self.live -= 1;
        if place_of(pid) != key {
            let entry = self.by_pid.find_entry(hash_of(pid), |&other| other as Key == key);
            entry.expect("invariant: who is not in the place of its number is found").remove();
        }
    }

    /// Drops the record of a dead process.
    pub(crate) fn vacate(&mut self, key: Key) {
        let process = &mut self.processes[key];
        debug_assert_eq!(process.state, State::Dead, "invariant: only the dead go");
        process.vacate(&self.scheduling, &self.root);
        self.free.push(key as u32);
    }

    /// Whether there may be memory for [`Table::trim`] to give back.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        let places = self.processes.len();
        places > FEW
            && self.len() <= places / 8
            && !self.in_the_way.is_some_and(|key| self.has(key))
    }

    /// Gives back the memory of the places at the end, if few are taken and those that can go are
    /// half of all. Returns how many are left then.
    pub(crate) fn trim(&mut self) -> Option<usize> {
        if !self.is_sparse() {
            return None;
        }
        let places = self.processes.len();
        let used = self.processes.iter().rposition(|process| !process.is_vacant());
        self.in_the_way = used.filter(|&key| key >= places / 2);
        if self.in_the_way.is_some() {
            return None;
        }
        let left = used.map_or(0, |last| last + 1);
        self.processes.truncate(left);
        self.processes.shrink_to_fit();
        self.free.retain(|&key| (key as usize) < left);
        self.free.shrink_to_fit();
        let processes = &self.processes;
        self.by_pid.shrink_to_fit(|&key| hash_of(processes[key as Key].pid()));
        Some(left)
    }

    /// The live process with this pid.
    #[inline(always)]
    pub(crate) fn find(&self, pid: Pid) -> Option<Key> {
        // Until places are used again a process is in that of its number: a third of the
        // instructions of a look-up.
        let key = place_of(pid);
        match self.processes.get(key) {
            Some(process) if process.pid() == pid && process.state != State::Dead => Some(key),
            _ => self.find_elsewhere(pid),
        }
    }

    #[inline(never)]
    fn find_elsewhere(&self, pid: Pid) -> Option<Key> {
        let is_it = |&key: &u32| self.processes[key as Key].pid() == pid;
        self.by_pid.find(hash_of(pid), is_it).map(|&key| key as Key)
    }

    /// The place of a record, to be fetched ahead; what a turn on a CPU reads is at its beginning.
    #[inline(always)]
    pub(crate) fn place(&self, key: Key) -> Option<&Process> {
        self.processes.get(key)
    }

    /// Whether there is a record under this key.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.processes.get(key).is_some_and(|process| !process.is_vacant())
    }

    /// How many records there are, dead ones that are not yet buried included.
    pub(crate) fn len(&self) -> usize {
        self.processes.len() - self.free.len()
    }

    /// How many processes are alive.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// All records, those of the dead included.
    #[cfg(feature = "invariants")]
    pub(super) fn all(&self) -> impl Iterator<Item = (Key, &Process)> {
        self.processes.iter().enumerate().filter(|(_, process)| !process.is_vacant())
    }

    /// Those that do not count as dead.
    pub(crate) fn alive(&self) -> impl Iterator<Item = (Key, &Process)> {
        self.processes.iter().enumerate().filter(|(_, process)| process.state != State::Dead)
    }

    /// The live processes in order of pid.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        let live = self.alive();
        let mut pids: Vec<Pid> = live.map(|(_, process)| process.pid()).collect();
        pids.sort_unstable();
        pids
    }

    /// The parent of a process.
    pub(crate) fn parent(&self, key: Key) -> Pid {
        let parent = self.processes[key].siblings.parent.get();
        parent.map_or(Pid::KERNEL, |parent| self.processes[parent].pid())
    }

    /// Makes `child` a child of `parent`.
    pub(crate) fn adopt(&mut self, parent: Key, child: Key) {
        let first = self.processes[parent].siblings.first_child;
        if let Some(first) = first.get() {
            self.processes[first].siblings.previous = Link::to(child);
        }
        self.processes[parent].siblings.first_child = Link::to(child);
        let record = &mut self.processes[child];
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hothouse_abi::{Name, Program};
    use proptest::prelude::*;

    use super::*;

    fn insert(table: &mut Table) -> (Pid, Key) {
        let program = Program::native(|_| unreachable!("no program runs in these tests"));
        let key = table.insert_as_root(Name::short("test"), program);
        (table[key].pid(), key)
    }

    fn bury(table: &mut Table, key: Key) {
        table.hide(key);
        table.vacate(key);
    }

    proptest! {
        #[test]
        fn every_live_process_is_found_and_no_other(ends in prop::collection::vec((0..4u8, 0..400usize), 0..300)) {
            let (mut table, mut model, mut peak) = (Table::new(1000), BTreeMap::new(), 0);
            for (op, which) in ends {
                if op > 0 || model.is_empty() {
                    let (pid, key) = insert(&mut table);
                    model.insert(pid, key);
                } else {
                    let pid = *model.keys().nth(which % model.len()).expect("it is not empty");
                    bury(&mut table, model.remove(&pid).expect("it is there"));
                }
                peak = peak.max(model.len());
                for pid in (0..=table.last_pid + 1).map(Pid::new) {
                    prop_assert_eq!(table.find(pid), model.get(&pid).copied());
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert!(table.processes.len() <= peak + PASSED_OVER + 1);
            }
        }
    }

    #[test]
    fn many_get_room_for_all_that_there_may_be_at_once() {
        let most = MANY + 1000;
        let mut table = Table::new(most);
        for _ in 0..=MANY {
            insert(&mut table);
        }
        let (room, at) = (table.processes.capacity(), table.processes.as_ptr());
        assert!(room >= most);
        for _ in table.len()..most {
            insert(&mut table);
        }
        assert_eq!((table.processes.capacity(), table.processes.as_ptr()), (room, at));
        assert_eq!(table.find(Pid::new(most as u64)), Some(most - 1));
    }

    #[test]
    fn a_few_that_ended_early_move_nobody_from_the_place_of_its_number() {
        let mut table = Table::new(1000);
        for _ in 0..PASSED_OVER {
            let (_, key) = insert(&mut table);
            bury(&mut table, key);
        }
        (0..1000).for_each(|_| {
            insert(&mut table);
        });
        assert!(table.by_pid.is_empty());
        // More than that are used again.
        for pid in 0..1000 {
            bury(&mut table, PASSED_OVER + pid);
        }
        let places = table.processes.len();
        (0..1000).for_each(|_| {
            insert(&mut table);
        });
        assert_eq!(table.processes.len(), places);
    }
}
