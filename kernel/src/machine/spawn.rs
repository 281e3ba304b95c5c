//! How processes come to be.

use hothouse_abi::{Errno, Name, Pid, Program, Resume};

use super::Machine;
use super::process::Key;
use crate::policy::Reason;
use crate::trace::What;

impl Machine {
    /// `spawn`.
    pub(super) fn spawn(
        &mut self,
        key: Key,
        name: &mut Name,
        program: &mut Option<Program>,
    ) -> Result<Resume, Errno> {
        if program.is_none() {
            return Err(Errno::EINVAL);
        }
        self.check_spawn(name)?;
        let program = program.take().expect("invariant: it was there");
        let user = self.table[key].user.clone();
        let child = self.table.insert(std::mem::take(name), user, program);
        self.table.adopt(key, child);
        let nice = self.table[key].nice;
        self.table[child].nice = nice;
        self.table[child].task.nice = nice;
        self.inherit_locks(key, child);
        Ok(Resume::Pid(self.started(child)))
    }

    /// Starts a process from outside: a child of the kernel, as root.
    pub(crate) fn spawn_from_outside(
        &mut self,
        name: Name,
        program: Program,
    ) -> Result<Pid, Errno> {
        self.check_spawn(&name)?;
        let key = self.table.insert(name, Name::short("root"), program);
        Ok(self.started(key))
    }

    fn check_spawn(&self, name: &Name) -> Result<(), Errno> {
        if name.len() > self.limits.name_bytes {
            return Err(Errno::ENAMETOOLONG);
        }
        if self.table.len() + self.unread >= self.limits.processes {
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    fn started(&mut self, key: Key) -> Pid {
        let process = &mut self.table[key];
        process.started_at = self.now;
        let pid = process.pid();
        if self.listener.is_some() {
            let (parent, name) = (process.parent, process.name.clone());
            self.record(key, What::Spawned { parent, name: &name });
        }
        self.counters.spawned += 1;
        self.make_ready(key, Reason::New);
        pid
    }
}
