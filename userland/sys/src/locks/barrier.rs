use std::time::Duration;

use hothouse_abi::{Errno, LockId, LockKind};

use crate::Sys;

/// Holds processes until a given number of them wait, again and again. It is only a handle, to be
/// copied into the programs that share it.
///
/// ```
/// use hothouse_sys::{Errno, program};
///
/// let first = program(|sys| -> Result<(), Errno> {
///     let start = sys.barrier(3)?;
///     for _ in 0..3 {
///         sys.spawn("runner", move |sys| -> Result<(), Errno> {
///             if start.wait(sys)? {
///                 sys.log("go");
///             }
///             Ok(())
///         })?;
///     }
///     for _ in 0..3 {
///         sys.wait(None, None)?;
///     }
///     Ok(())
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier(LockId);

impl Barrier {
    /// The handle of the barrier with this id.
    pub const fn new(id: LockId) -> Barrier {
        Barrier(id)
    }

    /// The id of the lock.
    pub const fn id(self) -> LockId {
        self.0
    }

    /// Waits until the barrier opens. True for the one whose arrival opened it.
    ///
    /// # Errors
    ///
    /// `EINTR` after an interrupting handler; `EINVAL` if there is no such barrier.
    pub fn wait(self, sys: &Sys) -> Result<bool, Errno> {
        sys.wait_barrier(self.0, None)
    }

    /// The same, but gives up after `timeout`, and then counts as not waiting.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, and those of [`wait`](Barrier::wait).
    pub fn wait_timeout(self, sys: &Sys, timeout: Duration) -> Result<bool, Errno> {
        sys.wait_barrier(self.0, Some(timeout))
    }
}

impl Sys<'_> {
    /// Makes a barrier for this many processes.
    ///
    /// # Errors
    ///
    /// `EINVAL` for none; `EAGAIN` over the limit of locks for a process.
    pub fn barrier(&self, processes: u64) -> Result<Barrier, Errno> {
        self.create_lock(LockKind::Barrier(processes)).map(Barrier)
    }
}
