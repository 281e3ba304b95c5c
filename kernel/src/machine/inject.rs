//! What comes from outside.

use hothouse_abi::{Errno, Event, Name, Pid, Program, SignalNumber, Tick, Value};

use super::Machine;
use super::clock::Alarm;
use crate::timers::Class;
use crate::trace::What;

/// Something that the host does to a machine, now or at a point in virtual time.
#[derive(Debug)]
pub enum Action {
    /// Starts a process.
    Spawn {
        /// Its name.
        name: Name,
        /// What it runs.
        program: Program,
    },
    /// Sends an event, from pid 0.
    Send {
        /// To whom.
        pid: Pid,
        /// The event's name.
        name: Name,
        /// The event's data.
        data: Value,
    },
    /// Signals a process.
    Kill {
        /// Whom.
        pid: Pid,
        /// With what; 0 only checks.
        signal: SignalNumber,
    },
}

impl Machine {
    /// Lets `action` happen at a time.
    pub(crate) fn at(&mut self, time: Tick, action: Action) {
        let class = match action {
            Action::Send { .. } => Class::Event,
            Action::Kill { .. } => Class::Signal,
            Action::Spawn { .. } => Class::Arrival,
        };
        let time = time.max(self.now);
        self.timers.arm(time, class, Alarm::Action(Box::new(action)));
        self.due |= time <= self.now;
    }

    /// Carries out what the host asked for at this time. What fails is only counted.
    pub(super) fn act(&mut self, action: Action) {
        let done = match action {
            Action::Spawn { name, program } => self.spawn_from_outside(name, program).map(drop),
            Action::Send { pid, name, data } => self.send_from_outside(pid, name, data),
            Action::Kill { pid, signal } => self.kill_from_outside(pid, signal),
        };
        if done.is_err() {
            self.counters.failed_actions += 1;
        }
    }

    /// Sends an event from pid 0.
    pub(crate) fn send_from_outside(
        &mut self,
        pid: Pid,
        name: Name,
        data: Value,
    ) -> Result<(), Errno> {
        self.record_kernel(What::Sent { to: pid, name: &name, data: &data });
        let Some(target) = self.table.find(pid) else {
            self.counters.dead_letters += 1;
            self.record_kernel(What::DeadLetter { to: pid, name: &name });
            return Err(Errno::ESRCH);
        };
        self.check_room(target, &name, &data)?;
        self.counters.events += 1;
        self.deliver_event(target, Event::sent(Pid::KERNEL, name, data));
        Ok(())
    }

    /// Signals a process from outside.
    pub(crate) fn kill_from_outside(
        &mut self,
        pid: Pid,
        signal: SignalNumber,
    ) -> Result<(), Errno> {
        let signal = signal.check()?;
        if pid.is_kernel() {
            return Err(Errno::EPERM);
        }
        let target = self.table.find(pid).ok_or(Errno::ESRCH)?;
        if let Some(signal) = signal {
            self.post(target, signal, Pid::KERNEL);
            self.kick(target);
        }
        Ok(())
    }
}
