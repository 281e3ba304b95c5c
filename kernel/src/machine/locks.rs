//! The kernel's locks: mutexes, semaphores, conditions, barriers.
//!
//! A lock is held open by every process that made it, used it, or inherited it from its parent as
//! a file descriptor is inherited. It goes when the last of them has ended, or when it is
//! destroyed.

use hashbrown::HashMap;
use hothouse_abi::{Ceiling, Errno, LockId, LockKind, Protocol, Resume, Span, Tick};
use rustc_hash::FxBuildHasher;

use super::process::Key;
use super::urgency::Urgency;
use super::wait::{On, Queued, Wait};
use super::waiters::Waiters;
use super::{Machine, Outcome};
use crate::trace::What;

/// All locks.
#[derive(Debug, Default)]
pub(super) struct Locks {
    pub(super) by_id: HashMap<LockId, Lock, FxBuildHasher>,
    last: u64,
}

#[derive(Debug)]
pub(super) struct Lock {
    pub(super) what: Kind,
    pub(super) waiters: Waiters,
    /// How many processes hold it open.
    pub(super) users: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Mutex {
        owner: Option<Key>,
        /// The last owner died with it; the next one is told.
        owner_died: bool,
        /// How urgent the owner is at least, and since when it has been the owner.
        ceiling: Option<(Ceiling, Tick)>,
    },
    Semaphore {
        permits: u64,
    },
    Condition,
    Barrier {
        parties: u64,
    },
}

impl Lock {
    fn owner(&self) -> Option<Key> {
        match self.what {
            Kind::Mutex { owner, .. } => owner,
            _ => None,
        }
    }

    /// How urgent it makes its owner.
    fn lent(&self) -> Option<Urgency> {
        match &self.what {
            Kind::Mutex { ceiling: Some((ceiling, since)), .. } => {
                Some(Urgency::of_ceiling(ceiling, *since))
            }
            _ => self.waiters.lent(),
        }
    }
}

impl Machine {
    /// `create_lock`.
    pub(super) fn create_lock(&mut self, key: Key, kind: LockKind) -> Result<Resume, Errno> {
        if self.table[key].rare_if(|rare| rare.locks.len()) >= self.limits.locks_per_process {
            let locks = &mut self.table[key].rare().locks;
            locks.retain(|id| self.locks.by_id.contains_key(id));
            if locks.len() >= self.limits.locks_per_process {
                return Err(Errno::EAGAIN);
            }
        }
        let what = match kind {
            LockKind::Mutex(protocol) => {
                let ceiling = match protocol {
                    Protocol::Ceiling(ceiling) => {
                        self.use_classes(ceiling.class);
                        Some((ceiling, Tick::ZERO))
                    }
                    _ => None,
                };
                Kind::Mutex { owner: None, owner_died: false, ceiling }
            }
            LockKind::Semaphore(permits) => Kind::Semaphore { permits },
            LockKind::Condition => Kind::Condition,
            LockKind::Barrier(0) => return Err(Errno::EINVAL),
            LockKind::Barrier(parties) => Kind::Barrier { parties },
        };
        self.locks.last += 1;
        let id = LockId::new(self.locks.last);
        let waiters = Waiters::new(kind == LockKind::Mutex(Protocol::Inherit));
        self.locks.by_id.insert(id, Lock { what, waiters, users: 1 });
        self.table[key].rare().locks.insert(id);
        Ok(Resume::Lock(id))
    }

    /// `destroy_lock`.
    pub(super) fn destroy_lock(&mut self, id: LockId) -> Result<(), Errno> {
        let lock = self.locks.by_id.get(&id).ok_or(Errno::EINVAL)?;
        if lock.owner().is_some() || lock.waiters.len() > 0 {
            return Err(Errno::EBUSY);
        }
        self.locks.by_id.remove(&id);
        Ok(())
    }

    /// The lock, which `key` holds open from now on.
    pub(super) fn open(&mut self, key: Key, id: LockId) -> Result<&mut Lock, Errno> {
        let lock = self.locks.by_id.get_mut(&id).ok_or(Errno::EINVAL)?;
        if self.table[key].rare().locks.insert(id) {
            lock.users += 1;
        }
        Ok(lock)
    }

    /// A child holds open what its parent does.
    pub(super) fn inherit_locks(&mut self, parent: Key, child: Key) {
        let Some(rare) = &self.table[parent].rare else { return };
        if rare.locks.is_empty() {
            return;
        }
        let mut locks = rare.locks.clone();
        locks.retain(|id| match self.locks.by_id.get_mut(id) {
            Some(lock) => {
                lock.users += 1;
                true
            }
            None => false,
        });
        self.table[child].rare().locks = locks;
    }

    /// `lock`.
    pub(super) fn lock(&mut self, key: Key, id: LockId, timeout: Option<Span>) -> Outcome {
        match self.try_lock(key, id) {
            Err(Errno::EBUSY) => self.queue_at(key, On::Mutex(Queued::at(id)), timeout),
            done => done.into(),
        }
    }

    /// `try_lock`.
    pub(super) fn try_lock(&mut self, key: Key, id: LockId) -> Result<Resume, Errno> {
        self.open(key, id)?;
        let lock = self.locks.by_id.get_mut(&id).ok_or(Errno::EINVAL)?;
        let Kind::Mutex { owner, owner_died, ceiling } = &mut lock.what else {
            return Err(Errno::EINVAL);
        };
        let scheduling = &self.table[key].task.scheduling;
        if ceiling.is_some_and(|(ceiling, _)| ceiling.is_below(scheduling)) {
            return Err(Errno::EINVAL);
        }
        match *owner {
            Some(owner) if owner == key => Err(Errno::EDEADLK),
            Some(_) => Err(Errno::EBUSY),
            None => {
                *owner = Some(key);
                let died = std::mem::take(owner_died);
                self.own(key, id);
                Ok(Resume::Flag(died))
            }
        }
    }

    /// Notes that `key` owns a mutex from now on, which may make it more urgent.
    fn own(&mut self, key: Key, id: LockId) {
        self.table[key].rare().owned.insert(id);
        self.record(key, What::LockTaken { id });
        let Some(lock) = self.locks.by_id.get_mut(&id) else { return };
        if let Kind::Mutex { ceiling: Some((_, since)), .. } = &mut lock.what {
            *since = self.now;
        }
        if lock.lent().is_some() {
            self.reprioritise(key);
        }
    }

    /// Makes `key` wait at the end of a lock's queue.
    fn queue_at(&mut self, key: Key, on: On, timeout: Option<Span>) -> Outcome {
        if timeout.is_some_and(Span::is_zero) {
            return Outcome::Answer(Resume::Error(Errno::ETIMEDOUT));
        }
        let id = on.lock().expect("invariant: these waits have a lock");
        let deadline = self.deadline(timeout);
        self.start_wait(key, deadline, || on);
        self.join_queue(key, id);
        Outcome::Wait
    }

    /// Puts the wait of `key` at the end of a lock's queue.
    pub(super) fn join_queue(&mut self, key: Key, id: LockId) {
        let place = self.place_in_queue(key, id);
        if let Some(wait) = &mut self.table[key].wait {
            wait.on.set_place(place);
        }
    }

    /// A place for `key` at the end of a lock's queue.
    pub(super) fn place_in_queue(&mut self, key: Key, id: LockId) -> u64 {
        let lock = self.locks.by_id.get_mut(&id).expect("invariant: it was just looked up");
        let place = lock.waiters.push(key, Urgency::of(&self.table[key].task));
        if let (Some(owner), Some(_)) = (lock.owner(), lock.waiters.lent()) {
            self.reprioritise(owner);
        }
        place
    }

    /// Takes a wait out of the queue of its lock, if it has one.
    pub(super) fn leave_queue(&mut self, wait: &Wait) {
        let Some(at) = wait.on.queued() else { return };
        let Some(lock) = self.locks.by_id.get_mut(&at.lock) else { return };
        if lock.waiters.remove(at.place)
            && let Some(owner) = lock.owner()
        {
            self.end_boost(owner);
        }
    }

    /// `unlock`.
    pub(super) fn unlock(&mut self, key: Key, id: LockId) -> Result<(), Errno> {
        let lock = self.locks.by_id.get(&id).ok_or(Errno::EINVAL)?;
        let Kind::Mutex { owner, .. } = lock.what else { return Err(Errno::EINVAL) };
        if owner != Some(key) {
            return Err(Errno::EPERM);
        }
        self.table[key].rare().owned.remove(&id);
        self.hand_over(key, id, false);
        Ok(())
    }

    /// Gives a mutex to the first who waits for it, or frees it.
    fn hand_over(&mut self, from: Key, id: LockId, died: bool) {
        self.record(from, What::LockReleased { id });
        let lock = self.locks.by_id.get_mut(&id).expect("invariant: an owned mutex is there");
        let next = lock.waiters.pop();
        let Kind::Mutex { owner, owner_died, .. } = &mut lock.what else { return };
        *owner = next.map(|(_, key)| key);
        let died = died || *owner_died;
        *owner_died = died && next.is_none();
        self.end_boost(from);
        if let Some((place, next)) = next {
            self.own(next, id);
            self.grant(next, id, place, Resume::Flag(died));
        }
    }

    /// Ends the wait of `key` at this place of a lock, in front or under a handler.
    pub(super) fn grant(&mut self, key: Key, id: LockId, place: u64, answer: Resume) {
        let process = &mut self.table[key];
        let at_lock = |wait: &Wait| wait.on.queued() == Some(Queued { lock: id, place });
        let front = process.wait.as_ref().filter(|wait| at_lock(wait));
        let under = process.rare.iter().flat_map(|rare| &rare.frames);
        let under = under.filter_map(|f| f.wait.as_ref()).find(|wait| at_lock(wait));
        let is_front = front.is_some();
        let answer = match front.or(under).map(|wait| &wait.on) {
            None => return,
            Some(On::Relock { then: Some(errno), .. }) => {
                let errno = *errno;
                self.keep_mark(id, &answer);
                Resume::Error(errno)
            }
            Some(_) => answer,
        };
        if is_front {
            return self.complete(key, answer);
        }
        let frames = &mut self.table[key].rare().frames;
        if let Some(frame) = frames.iter_mut().find(|f| f.wait.as_ref().is_some_and(at_lock)) {
            frame.wait = None;
            frame.set_answer(answer);
        }
    }

    /// Keeps the mark that an owner died for the next owner, when this one's call returns an error
    /// and can't tell it.
    pub(super) fn keep_mark(&mut self, id: LockId, answer: &Resume) {
        if let Some(lock) = self.locks.by_id.get_mut(&id)
            && let Kind::Mutex { owner_died, .. } = &mut lock.what
        {
            *owner_died |= *answer == Resume::Flag(true);
        }
    }

    /// `acquire`.
    pub(super) fn acquire(&mut self, key: Key, id: LockId, timeout: Option<Span>) -> Outcome {
        match self.try_acquire(key, id) {
            Err(Errno::EAGAIN) => self.queue_at(key, On::Semaphore(Queued::at(id)), timeout),
            done => done.into(),
        }
    }

    /// `try_acquire`.
    pub(super) fn try_acquire(&mut self, key: Key, id: LockId) -> Result<(), Errno> {
        let lock = self.open(key, id)?;
        let Kind::Semaphore { permits } = &mut lock.what else { return Err(Errno::EINVAL) };
        *permits = permits.checked_sub(1).ok_or(Errno::EAGAIN)?;
        self.record(key, What::LockTaken { id });
        Ok(())
    }

    /// `release`.
    pub(super) fn release(&mut self, key: Key, id: LockId, count: u64) -> Result<(), Errno> {
        let lock = self.open(key, id)?;
        let Kind::Semaphore { permits } = &mut lock.what else { return Err(Errno::EINVAL) };
        *permits = permits.checked_add(count).ok_or(Errno::EINVAL)?;
        self.record(key, What::LockReleased { id });
        while let Some(lock) = self.locks.by_id.get_mut(&id)
            && let Kind::Semaphore { permits: permits @ 1.. } = &mut lock.what
            && let Some((place, next)) = lock.waiters.pop()
        {
            *permits -= 1;
            self.record(next, What::LockTaken { id });
            self.grant(next, id, place, Resume::Unit);
        }
        Ok(())
    }

    /// `wait_barrier`.
    pub(super) fn wait_barrier(&mut self, key: Key, id: LockId, timeout: Option<Span>) -> Outcome {
        let lock = match self.open(key, id) {
            Ok(lock) => lock,
            Err(errno) => return Outcome::Answer(Resume::Error(errno)),
        };
        let Kind::Barrier { parties } = lock.what else {
            return Outcome::Answer(Resume::Error(Errno::EINVAL));
        };
        if (lock.waiters.len() as u64) + 1 < parties {
            return self.queue_at(key, On::Barrier(Queued::at(id)), timeout);
        }
        let waiters: Vec<_> = std::iter::from_fn(|| lock.waiters.pop()).collect();
        for (place, waiter) in waiters {
            self.grant(waiter, id, place, Resume::Flag(false));
        }
        Outcome::Answer(Resume::Flag(true))
    }

    /// Recomputes how urgent a process is, from what it is by itself and from those who wait for
    /// what it owns, and passes a change on to the owners of what it waits for.
    pub(super) fn reprioritise(&mut self, key: Key) {
        let mut affected = vec![key];
        while let Some(key) = affected.pop() {
            if !self.update_urgency(key, self.is_queued(key), &mut affected) {
                continue;
            }
            if self.is_queued(key) {
                self.preempt_for(key);
            }
            self.reschedule(key);
        }
    }

    /// Recomputes how urgent a process is and tells the policy. Returns whether that changed; if so,
    /// the owners of what it waits for are affected.
    pub(super) fn update_urgency(
        &mut self,
        key: Key,
        queued: bool,
        affected: &mut Vec<Key>,
    ) -> bool {
        let process = &self.table[key];
        let urgency = self.lent_to(key).most(Urgency::own(&process.task, process.deadline()));
        if urgency == Urgency::of(&process.task) {
            return false;
        }
        urgency.apply(&mut self.table[key].task);
        self.policy.changed(&self.table[key].task, queued, self.now);
        let process = &self.table[key];
        let under = process.rare.iter().flat_map(|rare| &rare.frames);
        for wait in process.wait.iter().chain(under.filter_map(|f| f.wait.as_ref())) {
            if let Some(at) = wait.on.queued()
                && let Some(lock) = self.locks.by_id.get_mut(&at.lock)
            {
                lock.waiters.change(at.place, urgency);
                affected.extend(lock.owner());
            }
        }
        true
    }

    /// Lets a process fall back to what it still inherits, or to what it is by itself.
    fn end_boost(&mut self, key: Key) {
        let process = &self.table[key];
        if Urgency::of(&process.task) != Urgency::own(&process.task, process.deadline()) {
            self.reprioritise(key);
        }
    }

    /// What a process inherits through the locks that it owns.
    fn lent_to(&self, key: Key) -> Urgency {
        let Some(rare) = &self.table[key].rare else { return Urgency::LEAST };
        let owned = rare.owned.iter().filter_map(|id| self.locks.by_id.get(id));
        owned.filter_map(Lock::lent).fold(Urgency::LEAST, Urgency::most)
    }

    /// Who owns the mutex that is waited for.
    pub(super) fn owner_of(&self, on: &On) -> Option<Key> {
        self.locks.by_id.get(&on.lock()?)?.owner()
    }

    /// A wait in words, with the owner of the mutex.
    pub(super) fn with_lock_owner(&self, wait: &Wait) -> String {
        match self.owner_of(&wait.on) {
            Some(owner) => format!("{} held by {}", wait.on, self.table[owner].pid()),
            None => wait.on.to_string(),
        }
    }

    /// Gives up the locks of a process that has ended: the next owners are told.
    pub(super) fn drop_locks(&mut self, key: Key) {
        let Some(rare) = &mut self.table[key].rare else { return };
        let (owned, held) = (std::mem::take(&mut rare.owned), std::mem::take(&mut rare.locks));
        for id in owned {
            self.hand_over(key, id, true);
        }
        for id in held {
            let Some(lock) = self.locks.by_id.get_mut(&id) else { continue };
            lock.users -= 1;
            if lock.users == 0 {
                self.locks.by_id.remove(&id);
            }
        }
    }

    /// How many locks there are.
    pub(super) fn lock_count(&self) -> usize {
        self.locks.by_id.len()
    }
}
