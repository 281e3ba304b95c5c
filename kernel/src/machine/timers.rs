//! The timers and alarms of programs, and sleeping.

use hothouse_abi::{Errno, Event, Name, Resume, Tick, TimerId, Value};

use super::clock::Alarm;
use super::process::Key;
use super::wait::On;
use super::{Machine, Outcome};
use crate::timers::{Class, TimerKey};
use crate::trace::What;

const TIMER: Name = Name::short("timer");
const ALARM: Name = Name::short("alarm");

impl Machine {
    /// `sleep`, `sleep_until`.
    pub(super) fn sleep_until(&mut self, key: Key, tick: Tick) -> Outcome {
        if tick <= self.now {
            return Outcome::Answer(Resume::Unit);
        }
        self.start_wait(key, tick, || On::Sleep);
        Outcome::Wait
    }

    /// `timer`, `alarm`.
    pub(super) fn timer(&mut self, key: Key, at: Tick, alarm: bool) -> Result<Resume, Errno> {
        let held = self.table[key].rare_if(|rare| rare.timers.len() + rare.fired_timers);
        if held >= self.limits.timers_per_process {
            return Err(Errno::EAGAIN);
        }
        self.last_timer += 1;
        let id = TimerId::new(self.last_timer);
        let at = at.max(self.now);
        let timer = self.timers.arm(at, Class::Timer, Alarm::Timer { key, id, alarm });
        self.due |= at <= self.now;
        self.table[key].rare().timers.insert(id, timer);
        self.record(key, What::TimerArmed { id, at });
        Ok(Resume::Timer(id))
    }

    /// `cancel`.
    pub(super) fn cancel(&mut self, key: Key, id: TimerId) -> Result<Resume, Errno> {
        let timer = self.take_timer(key, id).ok_or(Errno::EINVAL)?;
        let left = self.timers.deadline(timer) - self.now;
        self.timers.cancel(timer);
        self.record(key, What::TimerCancelled { id });
        Ok(Resume::Span(left))
    }

    /// A timer has come due: its event goes into the owner's mailbox.
    pub(super) fn timer_fired(&mut self, key: Key, id: TimerId, alarm: bool) {
        self.take_timer(key, id);
        self.table[key].rare().fired_timers += 1;
        self.record(key, What::TimerFired { id });
        let data = Value::map([("id", Value::from(id.number()))]);
        self.deliver_event(key, Event::kernel(if alarm { ALARM } else { TIMER }, data));
    }

    fn take_timer(&mut self, key: Key, id: TimerId) -> Option<TimerKey> {
        self.table[key].rare.as_mut()?.timers.remove(&id)
    }

    /// Gives up the timers of a process that has ended.
    pub(super) fn drop_timers(&mut self, key: Key) {
        let Some(rare) = &mut self.table[key].rare else { return };
        let exit = rare.exit_timer.take();
        for timer in std::mem::take(&mut rare.timers).into_values() {
            self.timers.cancel(timer);
        }
        if let Some(timer) = exit {
            self.timers.cancel(timer);
        }
    }

    /// How many timers are armed, deadlines of waits included.
    pub(super) fn timer_count(&self) -> usize {
        self.timers.len()
    }
}
