//! Memory goes back when a machine that was great has become small.

use super::{Key, Machine};

impl Machine {
    /// Gives back the memory of what ended processes left free, if that is most of it. Returns how
    /// many places the table has then.
    pub(crate) fn trim(&mut self) -> Option<Key> {
        let places = self.table.trim()?;
        self.timers.trim();
        self.victims.shrink_to_fit();
        self.woken.shrink_to_fit();
        self.names.shrink_to_fit();
        self.policy.trim(places);
        Some(places)
    }
}
