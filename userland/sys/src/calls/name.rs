use hothouse_abi::{Errno, Name, Pid, Resume, Trap};

use crate::Sys;

impl Sys<'_> {
    /// Takes a service name. A process may own many; they are free again when it ends.
    ///
    /// # Errors
    ///
    /// `EEXIST` if it is taken, also by oneself; `ENAMETOOLONG` over the limit; `EAGAIN` over the
    /// limit of names for a process.
    pub fn register(&self, name: impl Into<Name>) -> Result<(), Errno> {
        call!(self, Trap::Register { name: name.into() }, Resume::Unit => ())
    }

    /// Gives a service name back.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the caller does not own it.
    pub fn unregister(&self, name: impl Into<Name>) -> Result<(), Errno> {
        call!(self, Trap::Unregister { name: name.into() }, Resume::Unit => ())
    }

    /// The owner of a service name.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Sys};
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let server = sys.lookup("clock").ok_or(Errno::ENOENT)?;
    /// # Ok(()) }
    /// ```
    #[inline]
    pub fn lookup(&self, name: impl Into<Name>) -> Option<Pid> {
        call!(self, Trap::Lookup { name: name.into() }, Resume::Found(pid) => pid)
            .unwrap_or_default()
    }
}
