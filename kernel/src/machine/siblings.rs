//! The children of a process, and the keys by which records refer to one another.

use super::process::Key;

/// The children of a process are a ring of links through the table, so that a death unlinks in
/// O(1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Siblings {
    /// None for those whose parent is the kernel.
    pub(crate) parent: Link,
    pub(crate) first_child: Link,
    pub(crate) next: Link,
    pub(crate) previous: Link,
}

/// A key, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link(u32);

impl Default for Link {
    fn default() -> Self {
        Link(u32::MAX)
    }
}

impl Link {
    pub(crate) fn to(key: Key) -> Link {
        Link(u32::try_from(key).expect("invariant: the table has fewer than 2^32 places"))
    }

    #[inline(always)]
    pub(crate) fn get(self) -> Option<Key> {
        (self.0 != u32::MAX).then_some(self.0 as Key)
    }

    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<Key> {
        let key = self.get()?;
        *self = Link::default();
        Some(key)
    }
}
