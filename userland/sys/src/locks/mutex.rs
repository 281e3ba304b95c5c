use std::time::Duration;

use hothouse_abi::{Errno, LockId, LockKind, Protocol};

use crate::Sys;

/// A lock that one process at a time owns.
///
/// It is only a handle: copy it into the programs that share the lock. The lock lives until
/// [`destroy_lock`](Sys::destroy_lock) removes it, or until no process is left that made, used or,
/// as a child, inherited it.
///
/// ```
/// use hothouse_sys::{Errno, program};
/// use std::time::Duration;
///
/// let first = program(|sys| -> Result<(), Errno> {
///     let printer = sys.mutex()?;
///     for page in 1..=2 {
///         sys.spawn("writer", move |sys| -> Result<(), Errno> {
///             let _guard = printer.lock(sys)?;
///             sys.compute(Duration::from_millis(5))?;
///             sys.log(format!("page {page}"));
///             Ok(())
///         })?;
///     }
///     sys.wait(None, None)?;
///     sys.wait(None, None)?;
///     Ok(())
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutex(LockId);

impl Mutex {
    /// The handle of the mutex with this id.
    pub const fn new(id: LockId) -> Mutex {
        Mutex(id)
    }

    /// Makes a mutex that deals with priority inversion by `protocol`.
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of locks for a process.
    pub fn with_protocol(sys: &Sys, protocol: Protocol) -> Result<Mutex, Errno> {
        sys.create_lock(LockKind::Mutex(protocol)).map(Mutex)
    }

    /// The id of the lock.
    pub const fn id(self) -> LockId {
        self.0
    }

    /// Locks it, in order of arrival. The guard unlocks it when it is dropped.
    ///
    /// # Errors
    ///
    /// `EDEADLK` if the caller owns it; `EINTR` after an interrupting handler; `EINVAL` if there is
    /// no such mutex.
    pub fn lock<'a>(self, sys: &'a Sys<'_>) -> Result<MutexGuard<'a>, Errno> {
        self.guard(sys, sys.lock(self.0, None))
    }

    /// Locks it, or gives up after `timeout`.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, and those of [`lock`](Mutex::lock).
    pub fn lock_timeout<'a>(
        self,
        sys: &'a Sys<'_>,
        timeout: Duration,
    ) -> Result<MutexGuard<'a>, Errno> {
        self.guard(sys, sys.lock(self.0, Some(timeout)))
    }

    /// Locks it if it is free.
    ///
    /// # Errors
    ///
    /// `EBUSY` if another owns it; `EDEADLK` if the caller does; `EINVAL` if there is no such mutex.
    pub fn try_lock<'a>(self, sys: &'a Sys<'_>) -> Result<MutexGuard<'a>, Errno> {
        self.guard(sys, sys.try_lock(self.0))
    }

    fn guard<'a>(
        self,
        sys: &'a Sys<'a>,
        locked: Result<bool, Errno>,
    ) -> Result<MutexGuard<'a>, Errno> {
        locked.map(|owner_died| MutexGuard { sys, mutex: self, owner_died })
    }
}

/// Shows that the process owns a mutex; dropping it unlocks.
#[derive(Debug)]
#[must_use = "a guard that is dropped at once unlocks at once"]
pub struct MutexGuard<'a> {
    sys: &'a Sys<'a>,
    mutex: Mutex,
    owner_died: bool,
}

impl MutexGuard<'_> {
    /// Whether the last owner died with it, so that what it guards may be half changed.
    pub const fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// The mutex.
    pub const fn mutex(&self) -> Mutex {
        self.mutex
    }

    /// Waits for the condition `id` with the mutex unlocked.
    pub(crate) fn wait(&mut self, id: LockId, timeout: Option<Duration>) -> Result<(), Errno> {
        self.owner_died = self.sys.wait_condition(id, self.mutex.0, timeout)?;
        Ok(())
    }
}

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        // It fails only if the program has unlocked by hand, or is dying and owns it no more.
        let _ = self.sys.unlock(self.mutex.0);
    }
}

impl Sys<'_> {
    /// Makes a mutex without a protocol; see [`Mutex::with_protocol`].
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of locks for a process.
    pub fn mutex(&self) -> Result<Mutex, Errno> {
        Mutex::with_protocol(self, Protocol::None)
    }
}
