use std::time::Duration;

use hothouse_abi::{Errno, LockId, LockKind, Resume, Trap};

use crate::Sys;

/// The kernel's locks by id. [`Mutex`](crate::Mutex), [`Semaphore`](crate::Semaphore),
/// [`Condition`](crate::Condition) and [`Barrier`](crate::Barrier) wrap them with guards.
///
/// A lock lives until it is destroyed, or until no process is left that made, used or, as a child,
/// inherited it.
impl Sys<'_> {
    /// Makes a lock. Its id may be sent to others.
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of locks for a process; `EINVAL` for a barrier of none.
    pub fn create_lock(&self, kind: LockKind) -> Result<LockId, Errno> {
        call!(self, Trap::CreateLock { kind }, Resume::Lock(id) => id)
    }

    /// Removes a lock.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody holds it or waits for it; `EINVAL` if there is no such lock.
    pub fn destroy_lock(&self, id: LockId) -> Result<(), Errno> {
        call!(self, Trap::DestroyLock { id }, Resume::Unit => ())
    }

    /// Locks a mutex, in order of arrival. True if its last owner died with it.
    ///
    /// # Errors
    ///
    /// `EDEADLK` if the caller owns it; `ETIMEDOUT`; `EINVAL` if it is no mutex; `EINTR` after an
    /// interrupting handler.
    pub fn lock(&self, id: LockId, timeout: Option<Duration>) -> Result<bool, Errno> {
        let trap = Trap::Lock { id, timeout: timeout.map(Into::into) };
        call!(self, trap, Resume::Flag(owner_died) => owner_died)
    }

    /// Locks a mutex if it is free. True if its last owner died with it.
    ///
    /// # Errors
    ///
    /// `EBUSY` if another owns it; `EDEADLK` if the caller does; `EINVAL` if it is no mutex.
    pub fn try_lock(&self, id: LockId) -> Result<bool, Errno> {
        call!(self, Trap::TryLock { id }, Resume::Flag(owner_died) => owner_died)
    }

    /// Unlocks a mutex; the one that waits longest owns it then.
    ///
    /// # Errors
    ///
    /// `EPERM` if the caller does not own it; `EINVAL` if it is no mutex.
    pub fn unlock(&self, id: LockId) -> Result<(), Errno> {
        call!(self, Trap::Unlock { id }, Resume::Unit => ())
    }

    /// Takes a permit of a semaphore, in order of arrival.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `EINVAL` if it is no semaphore; `EINTR` after an interrupting handler.
    pub fn acquire(&self, id: LockId, timeout: Option<Duration>) -> Result<(), Errno> {
        let trap = Trap::Acquire { id, timeout: timeout.map(Into::into) };
        call!(self, trap, Resume::Unit | Resume::Flag(_) => ())
    }

    /// Takes a permit of a semaphore if there is one.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none; `EINVAL` if it is no semaphore.
    pub fn try_acquire(&self, id: LockId) -> Result<(), Errno> {
        call!(self, Trap::TryAcquire { id }, Resume::Unit | Resume::Flag(_) => ())
    }

    /// Gives permits to a semaphore.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is no semaphore, or its count would overflow.
    pub fn release(&self, id: LockId, permits: u64) -> Result<(), Errno> {
        call!(self, Trap::Release { id, permits }, Resume::Unit => ())
    }

    /// Unlocks a mutex, waits for a condition, and locks the mutex again, whether it failed or
    /// not. True if the mutex's last owner died with it.
    ///
    /// # Errors
    ///
    /// `EPERM` if the caller does not own the mutex; `ETIMEDOUT`; `EINVAL` if the ids are no
    /// condition and mutex; `EINTR` after an interrupting handler.
    pub fn wait_condition(
        &self,
        id: LockId,
        mutex: LockId,
        timeout: Option<Duration>,
    ) -> Result<bool, Errno> {
        let trap = Trap::WaitCondition { id, mutex, timeout: timeout.map(Into::into) };
        call!(self, trap, Resume::Flag(owner_died) => owner_died, Resume::Unit => false)
    }

    /// Wakes the process that waits longest for a condition, or all of them.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is no condition.
    pub fn notify(&self, id: LockId, all: bool) -> Result<(), Errno> {
        call!(self, Trap::Notify { id, all }, Resume::Unit => ())
    }

    /// Waits until as many processes wait as the barrier is for. True for the one that opened it.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `EINVAL` if it is no barrier; `EINTR` after an interrupting handler.
    pub fn wait_barrier(&self, id: LockId, timeout: Option<Duration>) -> Result<bool, Errno> {
        let trap = Trap::WaitBarrier { id, timeout: timeout.map(Into::into) };
        call!(self, trap, Resume::Flag(opened) => opened)
    }
}
