use std::cell::Cell;
use std::rc::Rc;

/// Choices drawn from bytes; clones draw from the same. When those are used up, every draw is 0.
#[derive(Clone, Debug)]
pub struct Draw {
    bytes: Rc<[u8]>,
    at: Rc<Cell<usize>>,
}

impl Draw {
    /// Choices from these bytes.
    pub fn new(bytes: &[u8]) -> Draw {
        Draw { bytes: bytes.into(), at: Rc::default() }
    }

    /// Whether all bytes are used up.
    pub fn is_over(&self) -> bool {
        self.at.get() >= self.bytes.len()
    }

    /// The next byte.
    pub fn byte(&self) -> u8 {
        let at = self.at.replace(self.at.get() + 1);
        self.bytes.get(at).copied().unwrap_or_default()
    }

    /// A number below `n`, which is at most 256 and at least 1.
    pub fn below(&self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    /// Whether one of `n` equal chances came.
    pub fn one_in(&self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<T: Clone>(&self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Eight bytes as a number.
    pub fn number(&self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }
}
