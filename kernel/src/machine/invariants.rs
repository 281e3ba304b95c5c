//! What always holds, checked over the whole machine: with the feature `invariants` after every trap
//! and every decision. Each check costs as much as the machine holds.

use std::collections::BTreeSet;

use hothouse_abi::{Event, EventKind, Span};

use super::Machine;
use super::clock::Alarm;
use super::cpu::Phase;
use super::locks::Kind;
use super::process::{Key, Process, State};
use super::wait::{On, Queued, Wait};
use crate::policy::CpuId;
use crate::timers::Class;

impl Machine {
    /// Checks all of it.
    ///
    /// # Panics
    ///
    /// If something does not hold, with what and for whom.
    pub(crate) fn check_invariants(&self) {
        self.check_cpus();
        self.check_counts();
        self.check_timers();
        self.check_locks();
        for (key, process) in self.table.all() {
            self.check_life(key, process);
            self.check_family(key, process);
            self.check_mailbox(process);
            self.check_monitors(process);
            if process.state == State::Waiting && !process.stopped {
                self.check_wait(key, process);
            }
        }
    }

    fn check_cpus(&self) {
        let idle = self.cpus.iter().filter(|cpu| cpu.phase == Phase::Idle).count();
        assert_eq!(self.idle as usize, idle, "invariant: the idle CPUs are counted");
        for (cpu, index) in self.cpus.iter().zip(0..) {
            let current = cpu.current.map(|key| self.table[key].state);
            let expected = (cpu.phase != Phase::Idle).then_some(State::Running(CpuId(index)));
            assert_eq!(current, expected, "invariant: CPU {index} and its process agree");
        }
    }

    fn check_counts(&self) {
        let all = || self.table.all().map(|(_, process)| process);
        let live = all().filter(|process| process.state != State::Dead).count();
        assert_eq!(self.table.live(), live, "invariant: the live have a pid, the dead have none");
        let ready = self.table.all().filter(|(key, _)| self.is_queued(*key)).count();
        assert_eq!(self.ready, ready, "invariant: the ready are counted");
        let unread: usize = all().map(|process| process.rare_if(|rare| rare.records.len())).sum();
        assert_eq!(self.unread, unread, "invariant: the unread exit records are counted");
        assert!(
            self.table.len() + unread <= self.limits.processes,
            "invariant: processes and unread records stay under their limit"
        );
        let mut names = 0;
        for process in all() {
            for name in process.rare.iter().flat_map(|rare| &rare.names) {
                names += 1;
                let owner = self.names.get(name);
                assert_eq!(owner, Some(&process.pid()), "invariant: the owner of {name:?}");
            }
        }
        assert_eq!(self.names.len(), names, "invariant: every name has its owner");
    }

    fn check_timers(&self) {
        let of = |process: &Process| {
            let own = process.rare_if(|rare| rare.timers.len());
            let exit = process.rare_if(|rare| rare.exit_timer.is_some());
            let waits = process.waits().filter(|wait| wait.timer.is_some()).count();
            own + usize::from(exit) + waits
        };
        let held: usize = self.table.all().map(|(_, process)| of(process)).sum();
        let bursts = |phase: &Phase| matches!(phase, Phase::Burst { .. });
        let bursts = self.cpus.iter().filter(|cpu| bursts(&cpu.phase)).count();
        let mut actions = 0;
        for (at, class, alarm) in self.timers.armed() {
            actions += usize::from(matches!(alarm, Alarm::Action(_) | Alarm::Late(_)));
            let seen = at > self.now || class == Class::Timeout || self.due;
            assert!(seen, "invariant: what is due is not overlooked, but {alarm:?} at {at} is");
        }
        assert_eq!(
            self.timers.len(),
            held + bursts + actions,
            "invariant: every armed timer is somebody's"
        );
    }

    fn check_locks(&self) {
        let mut owned = 0;
        for (id, lock) in &self.locks.by_id {
            let users = self.table.all().filter(|(_, process)| {
                process.rare.as_ref().is_some_and(|rare| rare.locks.contains(id))
            });
            assert_eq!(lock.users, users.count(), "invariant: the users of lock {id} are counted");
            let queue: BTreeSet<(u64, Key)> = lock.waiters.all().collect();
            assert_eq!(lock.waiters.len(), queue.len(), "invariant: lock {id} counts its queue");
            for (key, process) in self.table.all() {
                let here = process.waits().filter(|wait| wait.on.lock() == Some(*id));
                for wait in here {
                    let stands =
                        wait.on.queued().is_some_and(|at| queue.contains(&(at.place, key)));
                    assert!(stands, "invariant: {} stands in the queue of {id}", process.pid());
                }
            }
            for &(place, key) in &queue {
                let mut waits = self.table[key].waits();
                let waits = waits.any(|wait| wait.on.queued() == Some(Queued { lock: *id, place }));
                assert!(waits, "invariant: who stands in the queue of lock {id} waits for it");
            }
            let free = match lock.what {
                Kind::Mutex { owner, .. } => {
                    owned += usize::from(owner.is_some());
                    let known = owner.is_none_or(|owner| {
                        self.table[owner].rare_if(|rare| rare.owned.contains(id))
                    });
                    assert!(known, "invariant: the owner of mutex {id} knows of it");
                    owner.is_none()
                }
                Kind::Semaphore { permits } => permits > 0,
                Kind::Condition => false,
                Kind::Barrier { parties } => queue.len() as u64 >= parties,
            };
            assert!(
                !free || queue.is_empty(),
                "invariant: nobody waits for lock {id}, which is free"
            );
        }
        let known: usize = self.table.all().map(|(_, p)| p.rare_if(|rare| rare.owned.len())).sum();
        assert_eq!(known, owned, "invariant: what is owned has its owner");
    }

    fn check_life(&self, key: Key, process: &Process) {
        let pid = process.pid();
        match process.state {
            State::Dead => {
                assert_eq!(self.table.find(pid), None, "invariant: nobody finds dead {pid}");
                assert!(process.wait.is_none(), "invariant: dead {pid} waits for nothing");
            }
            State::Waiting => {
                let wait = process.wait.as_ref();
                let wait = wait.unwrap_or_else(|| panic!("invariant: waiting {pid} has a wait"));
                assert!(!process.has_answer(), "invariant: waiting {pid} has no answer");
                let armed = wait.timer.is_some() == wait.times_out();
                assert!(armed || process.stopped, "invariant: the deadline of {pid} is armed");
            }
            State::Ready | State::Running(_) => {
                let armed = process.wait.as_ref().is_some_and(|wait| wait.timer.is_some());
                assert!(!armed, "invariant: the suspended wait of {pid} has no timer");
            }
        }
        if process.state != State::Dead {
            assert_eq!(self.table.find(pid), Some(key), "invariant: {pid} is found");
        }
        let frames = process.rare.iter().flat_map(|rare| &rare.frames);
        let mut under = frames.filter_map(|frame| frame.wait.as_ref());
        let armed = under.any(|wait: &Wait| wait.timer.is_some());
        assert!(!armed, "invariant: a wait of {pid} under a handler has no timer");
        self.check_time(process);
    }

    /// The time since a process was created is what went into its states, to the nanosecond.
    fn check_time(&self, process: &Process) {
        let under_way = match process.state {
            State::Running(CpuId(cpu)) => {
                let (used, overhead) = self.cpus[cpu as usize].under_way(self.now);
                used + overhead
            }
            State::Dead => Span::ZERO,
            State::Ready | State::Waiting => self.now - process.since,
        };
        let away = process.wait_time + process.blocked_time + process.stopped_time();
        let sum = process.cpu_time + process.overhead + away + under_way;
        let life = self.now - process.started_at;
        assert_eq!(sum, life, "invariant: the accounts of {} are its lifetime", process.pid());
    }

    /// The ring of siblings is closed, and every child's parent is its parent.
    fn check_family(&self, key: Key, process: &Process) {
        let mut previous = None;
        let mut next = process.siblings.first_child.get();
        while let Some(child) = next {
            let siblings = self.table[child].siblings;
            assert_eq!(siblings.parent.get(), Some(key), "invariant: a child's link to its parent");
            assert_eq!(siblings.previous.get(), previous, "invariant: siblings are linked");
            previous = next;
            next = siblings.next.get();
        }
    }

    fn check_mailbox(&self, process: &Process) {
        let pid = process.pid();
        let (mut len, mut bytes, mut fired) = (0, 0, 0);
        for event in process.mailbox.events() {
            len += 1;
            bytes += event.size();
            let is_timer = ["timer", "alarm"].iter().any(|name| event.name == *name);
            fired += usize::from(event.kind == EventKind::Kernel && is_timer);
        }
        assert_eq!(process.mailbox.len(), len, "invariant: the events of {pid} are counted");
        assert_eq!(process.mailbox.bytes(), bytes, "invariant: and their bytes");
        let known = process.rare_if(|rare| rare.fired_timers);
        assert_eq!(known, fired, "invariant: the fired timers of {pid} are counted");
    }

    fn check_monitors(&self, process: &Process) {
        let pid = process.pid();
        let Some(rare) = process.rare.as_ref().filter(|_| process.state != State::Dead) else {
            return;
        };
        for other in rare.monitors.iter().filter_map(|pid| self.table.find(*pid)) {
            let knows = self.table[other].rare_if(|rare| rare.monitored_by.contains(&pid));
            assert!(knows, "invariant: who is monitored knows that {pid} does it");
        }
        for other in rare.monitored_by.iter().filter_map(|pid| self.table.find(*pid)) {
            let knows = self.table[other].rare_if(|rare| rare.monitors.contains(&pid));
            assert!(knows, "invariant: who monitors {pid} knows it");
        }
    }

    /// What a waiting process waits for is not there: no wake-up was lost.
    fn check_wait(&self, key: Key, process: &Process) {
        let pid = process.pid();
        let signal = self.deliverable(key);
        assert_eq!(signal, None, "invariant: no signal is kept from waiting {pid}");
        let wait = process.wait.as_ref().expect("invariant: the waiting have a wait");
        let has = |fits: &dyn Fn(&Event) -> bool| process.mailbox.events().any(fits);
        let is_there = match &wait.on {
            On::Sent(filter) => has(&|event| filter.matches(event)),
            On::Next => has(&|_| true),
            On::Named { remote: true, .. } => false,
            On::Named { names, remote: false } => has(&|event| names.contains(&event.name)),
            On::Sleep => wait.times_out() && wait.deadline < self.now,
            On::Child(pid) => process.rare_if(|rare| rare.records.has(*pid)),
            On::Signals(set) => !process.pending.intersection(*set).is_empty(),
            On::Reply { token, .. } => process
                .rare_if(|rare| rare.calls.replies.iter().any(|reply| reply.token == Some(*token))),
            // Looked at from the side of the lock.
            On::Mutex(_) | On::Relock { .. } | On::Semaphore(_) => false,
            On::Condition { .. } | On::Barrier(_) => false,
        };
        assert!(!is_there, "invariant: {pid} does not wait for what is there: {}", wait.on);
    }
}
