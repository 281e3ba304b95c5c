//! The host's memory, as far as the machine is concerned with it: advice about it, which changes no
//! contents.

pub(crate) use crate::native::{give_back_heap, use_large_pages};
