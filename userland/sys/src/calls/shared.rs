use hothouse_abi::{Resume, Trap};

use crate::Sys;

impl Sys<'_> {
    /// A number for memory that processes share.
    pub(crate) fn create_cell(&self) -> u64 {
        call!(self, Trap::CreateCell, Resume::Number(number) => number).unwrap_or_default()
    }

    /// Says that it is about to be read or written.
    pub(crate) fn access(&self, cell: u64, write: bool) {
        // It fails only for one that is dying, whom nothing disturbs.
        let _ = call!(self, Trap::Access { cell, write }, Resume::Unit => ());
    }
}
