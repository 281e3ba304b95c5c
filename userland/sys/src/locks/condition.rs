use std::time::Duration;

use hothouse_abi::{Errno, LockId, LockKind};

use crate::{MutexGuard, Sys};

/// A condition that processes wait for with a mutex. It is only a handle, to be copied into the
/// programs that share it.
///
/// Who is woken must look again whether what it waits for is so: another may have been faster.
///
/// ```
/// use hothouse_sys::{Condition, Errno, Mutex, Sys};
/// use std::cell::RefCell;
///
/// fn take(sys: &Sys, mutex: Mutex, filled: Condition, shelf: &RefCell<Vec<u32>>) -> Result<u32, Errno> {
///     let mut guard = mutex.lock(sys)?;
///     loop {
///         if let Some(item) = shelf.borrow_mut().pop() {
///             return Ok(item);
///         }
///         filled.wait(&mut guard)?;
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition(LockId);

impl Condition {
    /// The handle of the condition with this id.
    pub const fn new(id: LockId) -> Condition {
        Condition(id)
    }

    /// The id of the lock.
    pub const fn id(self) -> LockId {
        self.0
    }

    /// Unlocks the guard's mutex, waits to be notified, and locks it again, whether it failed or
    /// not.
    ///
    /// # Errors
    ///
    /// `EINTR` after an interrupting handler; `EPERM` if the mutex was unlocked by hand; `EINVAL`
    /// if there is no such condition.
    pub fn wait(self, guard: &mut MutexGuard<'_>) -> Result<(), Errno> {
        guard.wait(self.0, None)
    }

    /// The same, but gives up after `timeout`.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, and those of [`wait`](Condition::wait).
    pub fn wait_timeout(self, guard: &mut MutexGuard<'_>, timeout: Duration) -> Result<(), Errno> {
        guard.wait(self.0, Some(timeout))
    }

    /// Wakes the process that waits longest.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such condition.
    pub fn notify_one(self, sys: &Sys) -> Result<(), Errno> {
        sys.notify(self.0, false)
    }

    /// Wakes all that wait.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such condition.
    pub fn notify_all(self, sys: &Sys) -> Result<(), Errno> {
        sys.notify(self.0, true)
    }
}

impl Sys<'_> {
    /// Makes a condition.
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of locks for a process.
    pub fn condition(&self) -> Result<Condition, Errno> {
        self.create_lock(LockKind::Condition).map(Condition)
    }
}
