//! Events: sending, receiving, and the mailbox between.

use hothouse_abi::{
    Errno, Event, EventKind, Filter, Name, Personality, Pid, Resume, Span, Tick, Token, Value,
};

use super::faulty::Mail;
use super::process::{Key, State};
use super::wait::On;
use super::{Machine, Outcome};
use crate::trace::What;

/// How many stale hints a process may gather before they are looked through.
const WATCHERS: usize = 8;

impl Machine {
    /// `send_event`.
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        key: Key,
        pid: Pid,
        name: &mut Name,
        data: &mut Value,
    ) -> Result<(), Errno> {
        let sender = self.table[key].pid();
        if self.listener.is_some() {
            self.record(key, What::Sent { to: pid, name, data });
        }
        let Some(target) = self.table.find(pid) else {
            return Err(self.dead_letter(key, pid, name));
        };
        self.check_room(target, name, data)?;
        self.counters.events += 1;
        if self.faults.is_some() {
            let event = Event::sent(sender, std::mem::take(name), std::mem::take(data));
            self.carry(key, target, Mail { event, reply: None });
            return Ok(());
        }
        self.deliver_sent(target, sender, name, data, None);
        Ok(())
    }

    /// Gives a sent event to a process: at once if it waits for it, into its mailbox otherwise.
    #[inline(always)]
    pub(super) fn deliver_sent(
        &mut self,
        target: Key,
        sender: Pid,
        name: &mut Name,
        data: &mut Value,
        token: Option<Token>,
    ) {
        let process = &mut self.table[target];
        let waits = process.state == State::Waiting
            && !process.stopped
            && process.wait.as_ref().is_some_and(|wait| match &wait.on {
                On::Sent(filter) => filter.takes(sender, name),
                _ => false,
            });
        if waits {
            if self.listener.is_some() {
                self.record(target, What::Received { from: sender, name });
            }
            self.table[target].set_event(sender, name, data, token);
            self.end_wait(target);
        } else if process.state == State::Waiting {
            let (name, data) = (std::mem::take(name), std::mem::take(data));
            let event = Event { sender, name, data, token, kind: EventKind::Sent };
            self.deliver_event(target, event);
        } else {
            process.mailbox.push_sent(sender, name, data, token);
        }
    }

    /// `send_service_event`.
    pub(super) fn send_service(
        &mut self,
        key: Key,
        service: &Name,
        name: &mut Name,
        data: &mut Value,
    ) -> Result<(), Errno> {
        let owner = self.names.get(service).copied().ok_or(Errno::ENOENT)?;
        self.send(key, owner, name, data)
    }

    /// Counts an event that nobody will get.
    pub(super) fn dead_letter(&mut self, key: Key, to: Pid, name: &Name) -> Errno {
        self.counters.dead_letters += 1;
        self.record(key, What::DeadLetter { to, name });
        Errno::ESRCH
    }

    /// Whether one more event fits into a mailbox.
    #[inline(always)]
    pub(super) fn check_room(&self, target: Key, name: &Name, data: &Value) -> Result<(), Errno> {
        if name.len() > self.limits.name_bytes {
            return Err(Errno::ENAMETOOLONG);
        }
        let size = Event::size_of(name, data);
        let mailbox = &self.table[target].mailbox;
        if size > self.limits.mailbox_bytes {
            return Err(Errno::EMSGSIZE);
        }
        if mailbox.len() >= self.limits.mailbox_events
            || mailbox.bytes() + size > self.limits.mailbox_bytes
        {
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    /// Gives an event to a process: at once if it waits for it, into its mailbox otherwise.
    #[inline(never)]
    pub(super) fn deliver_event(&mut self, target: Key, event: Event) {
        let process = &mut self.table[target];
        let waits = process.state == State::Waiting
            && !process.stopped
            && process.wait.as_ref().is_some_and(|wait| match &wait.on {
                On::Sent(filter) => filter.matches(&event),
                On::Next => true,
                On::Named { names, remote } => is_named(&event, names, *remote),
                _ => false,
            });
        if waits {
            self.taken(target, &event);
            self.complete(target, Resume::Event(event));
        } else {
            process.mailbox.push(event);
        }
    }

    /// Notes that a process took an event.
    #[inline]
    pub(super) fn taken(&mut self, key: Key, event: &Event) {
        if self.listener.is_some() {
            self.record(key, What::Received { from: event.sender, name: &event.name });
        }
        if event.kind == EventKind::Kernel {
            self.kernel_event_taken(key, event);
        }
    }

    /// Gives back what a queued kernel event held on to.
    fn kernel_event_taken(&mut self, key: Key, event: &Event) {
        if event.name == "timer" || event.name == "alarm" {
            let fired = &mut self.table[key].rare().fired_timers;
            *fired = fired.saturating_sub(1);
        } else if event.name == "process_complete"
            && let Some(child) = event.data.get("id").as_pid()
        {
            self.drop_record(key, child);
        }
    }

    /// `receive_event`.
    #[inline(always)]
    pub(super) fn receive(
        &mut self,
        key: Key,
        filter: &mut Filter,
        timeout: Option<Span>,
        answer: &mut Resume,
    ) -> Outcome {
        let process = &mut self.table[key];
        if !process.mailbox.is_empty() {
            if let Resume::Event(place) = answer
                && process.pending.is_empty()
            {
                if process.mailbox.move_sent(filter, place) {
                    self.taken(key, place);
                    return Outcome::Answered;
                }
            } else if let Some(event) = process.mailbox.take_sent(filter) {
                return self.take(key, event);
            }
        }
        let deadline = self.deadline(timeout);
        if let Some(sender) = filter.sender {
            if self.sender_is_gone(key, sender, deadline < Tick::MAX) {
                return Outcome::Answer(Resume::Error(Errno::ESRCH));
            }
            self.watch(key, sender);
        }
        self.wait_for(key, timeout, deadline, || On::Sent(filter.take()))
    }

    /// `next_event`.
    pub(super) fn next_event(&mut self, key: Key, timeout: Option<Span>) -> Outcome {
        if let Some(event) = self.table[key].mailbox.take_next() {
            return self.take(key, event);
        }
        let deadline = self.deadline(timeout);
        self.wait_for(key, timeout, deadline, || On::Next)
    }

    /// `filter_event`.
    pub(super) fn filter_event(
        &mut self,
        key: Key,
        names: &mut Vec<Name>,
        remote: bool,
        timeout: Option<Span>,
    ) -> Outcome {
        if names.is_empty() {
            return Outcome::Answer(Resume::Error(Errno::EINVAL));
        }
        if let Some(event) = self.table[key].mailbox.take_named(names, remote) {
            return self.take(key, event);
        }
        let deadline = self.deadline(timeout);
        let names = std::mem::take(names);
        self.wait_for(key, timeout, deadline, || On::Named { names, remote })
    }

    #[inline]
    fn take(&mut self, key: Key, event: Event) -> Outcome {
        self.taken(key, &event);
        // Room in the mailbox lets a signal in that found it full.
        if !self.table[key].pending.is_empty() {
            self.table[key].set_answer(Resume::Event(event));
            return Outcome::Enter;
        }
        Outcome::Answer(Resume::Event(event))
    }

    #[inline(always)]
    fn wait_for(
        &mut self,
        key: Key,
        timeout: Option<Span>,
        deadline: Tick,
        on: impl FnOnce() -> On,
    ) -> Outcome {
        if timeout.is_some_and(Span::is_zero) {
            return Outcome::Answer(Resume::Error(Errno::ETIMEDOUT));
        }
        self.start_wait(key, deadline, on);
        Outcome::Wait
    }

    /// `peek_event`.
    pub(super) fn peek_event(&mut self, key: Key) -> Outcome {
        let peeked = self.table[key].mailbox.peek().cloned().map(Box::new);
        Outcome::Answer(Resume::Peeked(peeked))
    }

    /// `queue_event`.
    pub(super) fn queue_event(
        &mut self,
        key: Key,
        name: &mut Name,
        data: &mut Value,
    ) -> Result<(), Errno> {
        self.check_room(key, name, data)?;
        self.record(key, What::Queued { name });
        let sender = self.table[key].pid();
        let event = Event {
            kind: EventKind::Queued,
            ..Event::sent(sender, std::mem::take(name), std::mem::take(data))
        };
        self.deliver_event(key, event);
        Ok(())
    }

    /// Whether a receive from `sender` could never return. A Phoenix process with a deadline waits
    /// it out.
    pub(super) fn sender_is_gone(&self, key: Key, sender: Pid, times_out: bool) -> bool {
        let patient = self.table[key].personality == Personality::Phoenix && times_out;
        !patient && !sender.is_kernel() && self.table.find(sender).is_none()
    }

    /// Notes that the death of `of` may end a wait of `key`.
    pub(super) fn watch(&mut self, key: Key, of: Pid) {
        let Some(target) = self.table.find(of) else { return };
        let watcher = self.table[key].pid();
        let watchers = &self.table[target].rare;
        if watchers.as_ref().is_some_and(|rare| rare.watchers.last() == Some(&watcher)) {
            return;
        }
        let rare = self.table[target].rare();
        rare.watchers.push(watcher);
        if rare.watchers.len() > rare.watchers_limit.max(WATCHERS) {
            self.drop_stale_watchers(target, of);
        }
    }

    fn drop_stale_watchers(&mut self, target: Key, pid: Pid) {
        let mut watchers = std::mem::take(&mut self.table[target].rare().watchers);
        let newest = watchers.last().copied();
        watchers.retain(|&watcher| {
            newest == Some(watcher)
                || self.table.find(watcher).is_some_and(|key| self.depends_on(key, pid))
        });
        watchers.sort_unstable();
        watchers.dedup();
        let rare = self.table[target].rare();
        rare.watchers_limit = 2 * watchers.len();
        rare.watchers = watchers;
    }

    /// Whether a wait of `key`, in front or under a handler, is for `pid`.
    fn depends_on(&self, key: Key, pid: Pid) -> bool {
        let process = &self.table[key];
        let under =
            process.rare.iter().flat_map(|rare| &rare.frames).filter_map(|f| f.wait.as_ref());
        process.wait.iter().chain(under).any(|wait| wait.on.peer() == Some(pid))
    }
}

/// Whether an event goes by one of these names.
fn is_named(event: &Event, names: &[Name], remote: bool) -> bool {
    if remote && event.kind == EventKind::Sent {
        return names.iter().any(|name| *name == "remote_event");
    }
    names.contains(&event.name)
}
