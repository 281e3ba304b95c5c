//! Steps with locks, and what is built of them.

use hothouse_abi::{Errno, LockId};

use super::walk::Walk;

impl Walk<'_> {
    pub(super) fn lock(&mut self, mutex: usize) -> Result<(), Errno> {
        self.sys.lock(self.mutex(mutex), None)?;
        self.hold(mutex);
        Ok(())
    }

    pub(super) fn unlock(&mut self, mutex: usize) -> Result<(), Errno> {
        self.let_go(mutex);
        self.sys.unlock(self.mutex(mutex))
    }

    pub(super) fn hold(&mut self, mutex: usize) {
        self.held.push(mutex);
        self.runtime.shared.borrow_mut().holding += 1;
    }

    pub(super) fn let_go(&mut self, mutex: usize) {
        if let Some(place) = self.held.iter().rposition(|&held| held == mutex) {
            self.held.remove(place);
            self.runtime.shared.borrow_mut().holding -= 1;
        }
    }

    pub(super) fn wait(&mut self, condition: usize, mutex: usize) -> Result<(), Errno> {
        self.let_go(mutex);
        self.sys.wait_condition(self.condition(condition), self.mutex(mutex), None)?;
        self.hold(mutex);
        Ok(())
    }

    /// Waits for a `resume` that comes after; it ends one job and begins the next.
    pub(super) fn suspend(&mut self, name: usize) -> Result<(), Errno> {
        let (mutex, condition) = self.runtime.shared.borrow().suspensions[name];
        self.sys.lock(mutex, None)?;
        let _ = self.sys.end_job();
        self.sys.wait_condition(condition, mutex, None)?;
        self.sys.unlock(mutex)?;
        if self.nothing_follows {
            return Ok(());
        }
        let now = self.sys.now();
        self.sys.begin_job(now, self.deadline(now, None))
    }

    pub(super) fn resume(&mut self, name: usize) -> Result<(), Errno> {
        let (mutex, condition) = self.runtime.shared.borrow().suspensions[name];
        self.sys.lock(mutex, None)?;
        self.sys.notify(condition, true)?;
        self.sys.unlock(mutex)
    }

    pub(super) fn mutex(&self, index: usize) -> LockId {
        self.runtime.shared.borrow().mutexes[index]
    }

    pub(super) fn condition(&self, index: usize) -> LockId {
        self.runtime.shared.borrow().conditions[index]
    }

    pub(super) fn semaphore(&self, index: usize) -> LockId {
        self.runtime.shared.borrow().semaphores[index]
    }
}
