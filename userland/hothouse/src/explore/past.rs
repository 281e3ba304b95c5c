//! A set of steps: those that come before another.

/// A set of small numbers, as bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Vec<u64>);

impl Past {
    pub(super) fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|bits| bits & (1 << (index % 64)) != 0)
    }

    pub(super) fn add(&mut self, index: usize) {
        if self.0.len() <= index / 64 {
            self.0.resize(index / 64 + 1, 0);
        }
        self.0[index / 64] |= 1 << (index % 64);
    }

    pub(super) fn join(&mut self, other: &Past) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(bits, more)| *bits |= more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_what_was_added_and_joined() {
        let (mut one, mut other) = (Past::default(), Past::default());
        one.add(3);
        other.add(200);
        one.join(&other);
        assert!(one.has(3) && one.has(200) && !one.has(64) && !one.has(1000));
    }
}
