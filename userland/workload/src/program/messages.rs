//! Steps that start processes, and that send to them.

use hothouse_abi::{Errno, Filter, Name, Pid};

use super::walk::Walk;
use crate::Dist;

impl Walk<'_> {
    pub(super) fn fork(&mut self, task: usize) -> Result<(), Errno> {
        let instance = self.runtime.next_instance(task);
        let name = self.runtime.process_name(task, instance);
        let program = self.runtime.program(task, instance, self.sys.now());
        self.sys.spawn_program(name, program).map(drop)
    }

    /// Takes the name under which this process gets messages, and tells those who wait for it.
    pub(super) fn arrive(&mut self) -> Result<(), Errno> {
        self.sys.register(self.runtime.process_name(self.task, self.instance))?;
        let arrivals = self.runtime.shared.borrow().arrivals;
        let (mutex, condition) = arrivals.ok_or(Errno::EINVAL)?;
        self.sys.lock(mutex, None)?;
        self.sys.notify(condition, true)?;
        self.sys.unlock(mutex)
    }

    /// The instance of a task whose turn it is to get a message; waits until it is there.
    pub(super) fn receiver(&mut self, task: usize) -> Result<Pid, Errno> {
        let addresses = &self.runtime.plan.addresses[task];
        if self.turns.len() <= task {
            self.turns.resize(task + 1, 0);
        }
        let turn = &mut self.turns[task];
        let address: &Name = addresses.get(*turn).ok_or(Errno::ESRCH)?;
        *turn = (*turn + 1) % addresses.len();
        if let Some(pid) = self.sys.lookup(address) {
            return Ok(pid);
        }
        let arrivals = self.runtime.shared.borrow().arrivals;
        let (mutex, condition) = arrivals.ok_or(Errno::EINVAL)?;
        self.sys.lock(mutex, None)?;
        let found = loop {
            if let Some(pid) = self.sys.lookup(address) {
                break pid;
            }
            self.sys.wait_condition(condition, mutex, None)?;
        };
        self.sys.unlock(mutex)?;
        Ok(found)
    }

    pub(super) fn receive(&mut self, timeout: Option<Dist>) -> Result<(), Errno> {
        let timeout = timeout.map(|timeout| self.draw(timeout));
        match self.sys.receive_event(Filter::any(), timeout) {
            Ok(event) => {
                self.request = Some(event).filter(|event| event.token.is_some());
                Ok(())
            }
            Err(Errno::ETIMEDOUT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}
