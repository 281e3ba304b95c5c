//! Guards and handles for the kernel's locks.

mod barrier;
mod condition;
mod mutex;
mod semaphore;

pub use barrier::Barrier;
pub use condition::Condition;
pub use mutex::{Mutex, MutexGuard};
pub use semaphore::{Permit, Semaphore};
