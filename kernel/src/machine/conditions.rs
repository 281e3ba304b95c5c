//! Conditions: waiting for one gives its mutex up, and has it again before the call returns.

use hothouse_abi::{Errno, LockId, Resume, Span, Tick};

use super::locks::Kind;
use super::process::Key;
use super::wait::{On, Queued, Wait};
use super::{Machine, Outcome};

impl Machine {
    /// `wait_condition`.
    pub(super) fn wait_condition(
        &mut self,
        key: Key,
        id: LockId,
        mutex: LockId,
        timeout: Option<Span>,
    ) -> Outcome {
        let check = self.open(key, id).map(|lock| matches!(lock.what, Kind::Condition));
        if check != Ok(true) {
            return Outcome::Answer(Resume::Error(Errno::EINVAL));
        }
        if let Err(errno) = self.unlock(key, mutex) {
            return Outcome::Answer(Resume::Error(errno));
        }
        let deadline = self.deadline(timeout);
        self.start_wait(key, deadline, || On::Condition { at: Queued::at(id), mutex });
        self.join_queue(key, id);
        // With no time at all it is over already, and nobody else is to run.
        if timeout.is_some_and(Span::is_zero) { Outcome::Enter } else { Outcome::Wait }
    }

    /// `notify`.
    pub(super) fn notify(&mut self, key: Key, id: LockId, all: bool) -> Result<(), Errno> {
        let lock = self.open(key, id)?;
        let Kind::Condition = lock.what else { return Err(Errno::EINVAL) };
        let count = if all { lock.waiters.len() } else { 1.min(lock.waiters.len()) };
        let woken = std::iter::from_fn(|| lock.waiters.pop()).take(count);
        for (place, key) in woken.collect::<Vec<_>>() {
            self.notified(key, id, place);
        }
        Ok(())
    }

    /// A notified process gets its mutex, or waits for it without a deadline.
    fn notified(&mut self, key: Key, id: LockId, place: u64) {
        let wait = self.wait_at(key, id, place);
        let On::Condition { mutex, .. } = wait.on else { return };
        let timer = wait.timer.take();
        let on = On::Relock { at: Queued::at(mutex), then: None };
        *wait = Wait { on, since: wait.since, deadline: Tick::MAX, timer: None };
        if let Some(timer) = timer {
            self.timers.cancel(timer);
        }
        match self.try_lock(key, mutex) {
            Ok(answer) => self.grant(key, mutex, 0, answer),
            Err(Errno::EBUSY) => {
                let new = self.place_in_queue(key, mutex);
                self.wait_at(key, mutex, 0).on.set_place(new);
            }
            Err(errno) => self.grant(key, mutex, 0, Resume::Error(errno)),
        }
    }

    /// The wait of `key` at this place of a lock, in front or under a handler.
    fn wait_at(&mut self, key: Key, id: LockId, place: u64) -> &mut Wait {
        let process = &mut self.table[key];
        let under = process.rare.iter_mut().flat_map(|rare| &mut rare.frames);
        let mut waits = process.wait.iter_mut().chain(under.filter_map(|f| f.wait.as_mut()));
        waits
            .find(|wait| wait.on.queued() == Some(Queued { lock: id, place }))
            .expect("invariant: who stands in a queue waits there")
    }

    /// Breaks off a wait for a condition: before the call returns this error, the mutex is locked
    /// again. `None`: for that it has to wait.
    pub(super) fn relock(
        &mut self,
        key: Key,
        mutex: LockId,
        since: Tick,
        errno: Errno,
    ) -> Option<Resume> {
        match self.try_lock(key, mutex) {
            Err(Errno::EBUSY) => {
                let on = On::Relock { at: Queued::at(mutex), then: Some(errno) };
                self.table[key].wait = Some(Wait { on, since, deadline: Tick::MAX, timer: None });
                self.join_queue(key, mutex);
                None
            }
            Ok(answer) => {
                self.keep_mark(mutex, &answer);
                Some(Resume::Error(errno))
            }
            Err(gone) => Some(Resume::Error(gone)),
        }
    }
}
