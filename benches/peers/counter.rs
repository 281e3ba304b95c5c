use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that tasks share, without a locked instruction: there is one thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.store(self.get() + number, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
