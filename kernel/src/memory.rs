//! The host's memory, as far as kernel data is concerned with it: advice, which changes no contents.

pub(crate) use crate::native::{LINE, give_back_heap, prefetch, use_large_pages};
