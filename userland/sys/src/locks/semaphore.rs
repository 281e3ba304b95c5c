use std::mem::forget;
use std::time::Duration;

use hothouse_abi::{Errno, LockId, LockKind};

use crate::Sys;

/// A count of permits. It is only a handle, to be copied into the programs that share it.
///
/// ```
/// use hothouse_sys::{Errno, program};
/// use std::time::Duration;
///
/// let first = program(|sys| -> Result<(), Errno> {
///     let seats = sys.semaphore(2)?;
///     for _ in 0..5 {
///         sys.spawn("guest", move |sys| -> Result<(), Errno> {
///             let _seat = seats.acquire(sys)?;
///             sys.sleep(Duration::from_secs(1))
///         })?;
///     }
///     for _ in 0..5 {
///         sys.wait(None, None)?;
///     }
///     Ok(())
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Semaphore(LockId);

impl Semaphore {
    /// The handle of the semaphore with this id.
    pub const fn new(id: LockId) -> Semaphore {
        Semaphore(id)
    }

    /// The id of the lock.
    pub const fn id(self) -> LockId {
        self.0
    }

    /// Takes a permit, in order of arrival. The guard gives it back when it is dropped.
    ///
    /// # Errors
    ///
    /// `EINTR` after an interrupting handler; `EINVAL` if there is no such semaphore.
    pub fn acquire<'a>(self, sys: &'a Sys<'_>) -> Result<Permit<'a>, Errno> {
        self.permit(sys, sys.acquire(self.0, None))
    }

    /// Takes a permit, or gives up after `timeout`.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, and those of [`acquire`](Semaphore::acquire).
    pub fn acquire_timeout<'a>(
        self,
        sys: &'a Sys<'_>,
        timeout: Duration,
    ) -> Result<Permit<'a>, Errno> {
        self.permit(sys, sys.acquire(self.0, Some(timeout)))
    }

    /// Takes a permit if there is one.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none; `EINVAL` if there is no such semaphore.
    pub fn try_acquire<'a>(self, sys: &'a Sys<'_>) -> Result<Permit<'a>, Errno> {
        self.permit(sys, sys.try_acquire(self.0))
    }

    /// Adds permits.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such semaphore, or its count would overflow.
    pub fn release(self, sys: &Sys, permits: u64) -> Result<(), Errno> {
        sys.release(self.0, permits)
    }

    fn permit<'a>(
        self,
        sys: &'a Sys<'a>,
        acquired: Result<(), Errno>,
    ) -> Result<Permit<'a>, Errno> {
        acquired.map(|()| Permit { sys, semaphore: self })
    }
}

/// A permit of a semaphore; dropping it gives the permit back.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once is given back at once"]
pub struct Permit<'a> {
    sys: &'a Sys<'a>,
    semaphore: Semaphore,
}

impl Permit<'_> {
    /// Keeps the permit for good: another will [`release`](Semaphore::release) one in its place.
    pub fn keep(self) {
        forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // It fails only if the semaphore is gone, and the permit with it.
        let _ = self.semaphore.release(self.sys, 1);
    }
}

impl Sys<'_> {
    /// Makes a semaphore with this many permits.
    ///
    /// # Errors
    ///
    /// `EAGAIN` over the limit of locks for a process.
    pub fn semaphore(&self, permits: u64) -> Result<Semaphore, Errno> {
        self.create_lock(LockKind::Semaphore(permits)).map(Semaphore)
    }
}
