//! Fair turns for those who yield, so that a loop of yields can't starve the others for ever.
//!
//! A process that yields for the second time lets each of those go first who could go since its
//! last yield and did not. So no order is lost that a program without loops of yields could show.
//!
//! Source: Musuvathi and Qadeer 2008, "Fair stateless model checking".

use std::collections::BTreeMap;

use super::process::Key;

/// Who waits for whose turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// By those who yielded.
    yields: BTreeMap<Key, Yields>,
}

#[derive(Debug, Default)]
struct Yields {
    /// Who went since the last yield.
    went: Vec<Key>,
    /// Who is to go before the process goes again.
    awaited: Vec<Key>,
}

impl Turns {
    pub(super) fn is_any(&self) -> bool {
        !self.yields.is_empty()
    }

    /// A process made a step.
    pub(super) fn went(&mut self, key: Key) {
        for yields in self.yields.values_mut() {
            yields.awaited.retain(|&awaited| awaited != key);
            if !yields.went.contains(&key) {
                yields.went.push(key);
            }
        }
    }

    /// A process yielded while these could go, too.
    pub(super) fn yielded(&mut self, key: Key, ready: &[Key]) {
        let Some(yields) = self.yields.get_mut(&key) else {
            self.yields.insert(key, Yields::default());
            return;
        };
        yields.awaited = ready.iter().copied().filter(|k| !yields.went.contains(k)).collect();
        yields.went.clear();
    }

    /// Whether `key` lets `other` go first.
    pub(super) fn awaits(&self, key: Key, other: Key) -> bool {
        self.yields.get(&key).is_some_and(|yields| yields.awaited.contains(&other))
    }
}
