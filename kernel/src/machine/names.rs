//! Service names.

use hothouse_abi::{Errno, Name, Resume};

use super::process::Key;
use super::{Machine, Outcome};
use crate::trace::What;

impl Machine {
    /// `register`.
    pub(super) fn register(&mut self, key: Key, name: &mut Name) -> Result<(), Errno> {
        if name.len() > self.limits.name_bytes {
            return Err(Errno::ENAMETOOLONG);
        }
        if self.names.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        if self.table[key].rare_if(|rare| rare.names.len()) >= self.limits.names_per_process {
            return Err(Errno::EAGAIN);
        }
        let name = std::mem::take(name);
        self.record(key, What::Registered { name: &name });
        let pid = self.table[key].pid();
        self.table[key].rare().names.insert(name.clone());
        self.names.insert(name, pid);
        Ok(())
    }

    /// `unregister`.
    pub(super) fn unregister(&mut self, key: Key, name: &Name) -> Result<(), Errno> {
        let pid = self.table[key].pid();
        if self.names.get(name) != Some(&pid) {
            return Err(Errno::ENOENT);
        }
        self.record(key, What::Unregistered { name });
        self.table[key].rare().names.remove(name);
        self.names.remove(name);
        Ok(())
    }

    /// `lookup`.
    #[inline]
    pub(super) fn lookup(&mut self, name: &Name) -> Outcome {
        Outcome::Answer(Resume::Found(self.names.get(name).copied()))
    }

    /// Frees all names of a process that has ended.
    pub(super) fn free_names(&mut self, key: Key) {
        let Some(rare) = &mut self.table[key].rare else { return };
        for name in std::mem::take(&mut rare.names) {
            self.record(key, What::Unregistered { name: &name });
            self.names.remove(&name);
        }
    }

    /// How many names are taken.
    pub(super) fn name_count(&self) -> usize {
        self.names.len()
    }
}
