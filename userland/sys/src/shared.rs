use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::Sys;

/// Memory that processes share, with a trap for each access.
///
/// Between two traps a process runs undisturbed; so what it does with memory shared in any other way
/// is never seen half done, and a search through schedules does not know of it. Each access to a
/// `Shared` is a point at which another process may go first, and the kernel is told what is read
/// and written. Clones are the same memory.
///
/// ```
/// use hothouse_sys::{Errno, Shared, Sys};
///
/// fn count_up(sys: &Sys) -> Result<(), Errno> {
///     let count = Shared::new(sys, 0);
///     for _ in 0..2 {
///         let count = count.clone();
///         sys.spawn("adder", move |sys| {
///             let seen = count.get(sys);
///             count.set(sys, seen + 1); // another may have counted in between
///         })?;
///     }
///     Ok(())
/// }
/// ```
pub struct Shared<T> {
    cell: u64,
    value: Rc<RefCell<T>>,
}

impl<T> Shared<T> {
    /// Memory with this value in it.
    pub fn new(sys: &Sys, value: T) -> Shared<T> {
        Shared { cell: sys.create_cell(), value: Rc::new(RefCell::new(value)) }
    }

    /// A copy of the value.
    pub fn get(&self, sys: &Sys) -> T
    where
        T: Clone,
    {
        sys.access(self.cell, false);
        self.value.borrow().clone()
    }

    /// Another value instead.
    pub fn set(&self, sys: &Sys, value: T) {
        sys.access(self.cell, true);
        *self.value.borrow_mut() = value;
    }

    /// Changes the value in one step, as an atomic operation does.
    ///
    /// # Panics
    ///
    /// If `change` accesses the same memory.
    pub fn update<R>(&self, sys: &Sys, change: impl FnOnce(&mut T) -> R) -> R {
        sys.access(self.cell, true);
        change(&mut self.value.borrow_mut())
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared { cell: self.cell, value: self.value.clone() }
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("cell", &self.cell).finish_non_exhaustive()
    }
}
