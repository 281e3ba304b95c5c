//! How processes come to be.

use std::rc::Rc;

use hothouse_abi::{Errno, Name, Pid, Program, Scheduling};

use super::Machine;
use super::process::Key;
use super::scheduling::is_privileged;
use crate::policy::Reason;
use crate::trace::What;

impl Machine {
    /// `spawn`.
    pub(super) fn spawn(
        &mut self,
        key: Key,
        name: &mut Name,
        program: &mut Option<Program>,
    ) -> Result<Pid, Errno> {
        if program.is_none() {
            return Err(Errno::EINVAL);
        }
        self.check_spawn(name)?;
        let parent = &self.table[key];
        let scheduling = match program.as_ref().and_then(|program| program.scheduling.clone()) {
            Some(wanted) => {
                self.check_scheduling(&wanted)?;
                if !parent.is_root() && is_privileged(&wanted, &parent.task.scheduling) {
                    return Err(Errno::EPERM);
                }
                self.admit(None, &wanted)?;
                wanted
            }
            None => inherited(&parent.task.scheduling),
        };
        let program = program.take().expect("invariant: it was there");
        let user = self.table[key].user.clone();
        let child = self.table.insert(std::mem::take(name), user, program);
        self.table.adopt(key, child);
        self.use_classes(scheduling.class);
        self.table[child].adopt_scheduling(scheduling, self.now);
        self.inherit_locks(key, child);
        Ok(self.started(child))
    }

    /// Starts a process from outside: a child of the kernel, as root.
    pub(crate) fn spawn_from_outside(
        &mut self,
        name: Name,
        program: Program,
    ) -> Result<Pid, Errno> {
        self.check_spawn(&name)?;
        let scheduling = program.scheduling.clone();
        if let Some(wanted) = &scheduling {
            self.check_scheduling(wanted)?;
            self.admit(None, wanted)?;
        }
        let key = self.table.insert_as_root(name, program);
        if let Some(scheduling) = scheduling {
            self.use_classes(scheduling.class);
            self.table[key].adopt_scheduling(scheduling, self.now);
        }
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
        process.since = self.now;
        let pid = process.pid();
        if self.listener.is_some() {
            let (parent, name) = (self.table.parent(key), self.table[key].name.clone());
            self.record(key, What::Spawned { parent, name: &name });
        }
        self.counters.spawned += 1;
        self.make_ready(key, Reason::New);
        pid
    }
}

/// What a child gets of how its parent is scheduled; the same record where nothing is left out.
fn inherited(parent: &Rc<Scheduling>) -> Rc<Scheduling> {
    let own = parent.runtime.is_some() || parent.deadline.is_some() || parent.period.is_some();
    if own { Rc::new(parent.inherited()) } else { parent.clone() }
}
