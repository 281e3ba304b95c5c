//! `call` and `reply`: requests and their answers, matched by a token.

use hothouse_abi::{Errno, Event, EventKind, Name, Pid, Resume, Span, Token, Value};

use super::faulty::Mail;
use super::process::{Key, State};
use super::wait::On;
use super::{Machine, Outcome};
use crate::trace::What;

/// How many calls that it gave up a process remembers.
const GIVEN_UP: usize = 1024;

impl Machine {
    /// `call`.
    pub(super) fn call(
        &mut self,
        key: Key,
        pid: Pid,
        name: &mut Name,
        data: &mut Value,
        timeout: Option<Span>,
    ) -> Outcome {
        let caller = self.table[key].pid();
        if pid == caller {
            return Outcome::Answer(Resume::Error(Errno::EDEADLK));
        }
        let Some(target) = self.table.find(pid) else {
            let errno = self.dead_letter(key, pid, name);
            return Outcome::Answer(Resume::Error(errno));
        };
        if let Err(errno) = self.check_room(target, name, data) {
            return Outcome::Answer(Resume::Error(errno));
        }
        let calls = &mut self.table[key].rare().calls;
        let token = calls.last.map_or(Token::FIRST, Token::next);
        calls.last = Some(token);
        self.record(key, What::Called { to: pid, name, token: token.number() });
        let deadline = self.deadline(timeout);
        self.start_wait(key, deadline, || On::Reply { peer: pid, token });
        self.watch(key, pid);
        self.counters.events += 1;
        if self.watched {
            let (name, data) = (std::mem::take(name), std::mem::take(data));
            let token = Some(token);
            let event = Event { sender: caller, name, data, token, kind: EventKind::Sent };
            self.carry(key, target, Mail { event, reply: None });
        } else {
            self.deliver_sent(target, caller, name, data, Some(token));
        }
        // With no time at all it is over already, and nobody else is to run.
        if timeout.is_some_and(Span::is_zero) { Outcome::Enter } else { Outcome::Wait }
    }

    /// `reply`.
    pub(super) fn reply(
        &mut self,
        key: Key,
        pid: Pid,
        token: Option<Token>,
        name: &mut Name,
        data: &mut Value,
    ) -> Result<(), Errno> {
        let token = token.ok_or(Errno::EINVAL)?;
        if name.len() > self.limits.name_bytes {
            return Err(Errno::ENAMETOOLONG);
        }
        let caller = match self.table.find(pid) {
            Some(caller) => caller,
            None => return Err(self.dead_letter(key, pid, name)),
        };
        if Event::size_of(name, data) > self.limits.mailbox_bytes {
            return Err(Errno::EMSGSIZE);
        }
        let sender = self.table[key].pid();
        self.find_call(caller, sender, token)?;
        self.record(key, What::Replied { to: pid, token: token.number() });
        self.counters.events += 1;
        if self.watched {
            let event = Event::sent(sender, std::mem::take(name), std::mem::take(data));
            self.carry(key, caller, Mail { event, reply: Some(token) });
        } else {
            self.give_reply(caller, token, sender, name, data);
        }
        Ok(())
    }

    /// Gives a reply to the caller, whose call is still open.
    pub(super) fn give_reply(
        &mut self,
        caller: Key,
        token: Token,
        sender: Pid,
        name: &mut Name,
        data: &mut Value,
    ) {
        let process = &mut self.table[caller];
        let waits = process.state == State::Waiting
            && !process.stopped
            && process.wait.as_ref().is_some_and(|wait| is_call(&wait.on, sender, token));
        if waits {
            self.record(caller, What::Received { from: sender, name });
            self.table[caller].set_event(sender, name, data, None);
            self.end_wait(caller);
        } else {
            let (name, data) = (std::mem::take(name), std::mem::take(data));
            let token = Some(token);
            let reply = Event { sender, name, data, token, kind: EventKind::Sent };
            process.rare().calls.replies.push(reply);
        }
    }

    /// Whether a call is still open; otherwise what became of it.
    pub(super) fn find_call(&mut self, caller: Key, peer: Pid, token: Token) -> Result<(), Errno> {
        let process = &mut self.table[caller];
        let Some(rare) = &mut process.rare else { return Err(Errno::EINVAL) };
        if rare.calls.replies.iter().any(|reply| reply.token == Some(token)) {
            return Err(Errno::EALREADY);
        }
        let under = rare.frames.iter().filter_map(|frame| frame.wait.as_ref());
        if process.wait.iter().chain(under).any(|wait| is_call(&wait.on, peer, token)) {
            return Ok(());
        }
        match rare.calls.given_up.iter().position(|given| *given == token) {
            Some(at) => {
                rare.calls.given_up.remove(at);
                Err(Errno::ECANCELED)
            }
            None => Err(Errno::EALREADY),
        }
    }

    /// A reply that came while the call could not take it.
    pub(super) fn take_reply(&mut self, key: Key, token: Token) -> Option<Event> {
        let replies = &mut self.table[key].rare().calls.replies;
        let at = replies.iter().position(|reply| reply.token == Some(token))?;
        Some(Event { token: None, ..replies.remove(at) })
    }

    /// Remembers that a caller waits no longer.
    pub(super) fn give_up(&mut self, key: Key, token: Token) {
        let given_up = &mut self.table[key].rare().calls.given_up;
        if given_up.len() == GIVEN_UP {
            given_up.pop_front();
        }
        given_up.push_back(token);
    }
}

fn is_call(on: &On, by: Pid, of: Token) -> bool {
    matches!(on, On::Reply { peer, token } if *peer == by && *token == of)
}
