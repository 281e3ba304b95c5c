use std::num::NonZeroU32;

use crate::{Name, Pid, Value};

/// A named message with data.
///
/// ```
/// use hothouse_abi::{Event, EventKind, Pid};
/// let event = Event::sent(Pid::new(2), "ping", 42);
/// assert_eq!(event.data.as_int(), Some(42));
/// assert_eq!(event.kind, EventKind::Sent);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Who sent it; [`Pid::KERNEL`] for kernel events and those from outside.
    pub sender: Pid,
    /// Its name.
    pub name: Name,
    /// Its data.
    pub data: Value,
    /// Set on a request made by `call`, so that `reply` finds the call again.
    pub token: Option<Token>,
    /// Where it came from.
    pub kind: EventKind,
}

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `send_event`, `send_service_event`, `call`, or from outside: taken by `receive_event` and
    /// `next_event`.
    Sent,
    /// `queue_event`: taken by `next_event`.
    Queued,
    /// From the kernel (`timer`, `alarm`, `signal`, `down`, `process_complete`): taken by
    /// `next_event`.
    Kernel,
}

/// Marks the call that a request belongs to; unique among the open calls of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(NonZeroU32);

impl Token {
    /// The first token of a process.
    pub const FIRST: Token = Token(NonZeroU32::MIN);

    /// The token after this one; after the last comes the first.
    pub const fn next(self) -> Token {
        match self.0.checked_add(1) {
            Some(next) => Token(next),
            None => Token::FIRST,
        }
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl Event {
    /// An event of no name and no data: a place for one to be moved to.
    pub const EMPTY: Event = Event {
        sender: Pid::KERNEL,
        name: Name::short(""),
        data: Value::Nil,
        token: None,
        kind: EventKind::Kernel,
    };

    /// Moves the event to another place, and leaves one that owns nothing. Field by field, in the
    /// pieces in which it was written: a copy as a whole would wait until those have left the store
    /// buffer, twice with each message.
    #[inline(always)]
    pub fn move_to(&mut self, to: &mut Event) {
        to.sender = self.sender;
        self.name.move_to(&mut to.name);
        self.data.move_to(&mut to.data);
        to.token = self.token;
        to.kind = self.kind;
    }

    /// Moves the event out, in the same way.
    #[inline(always)]
    #[must_use]
    pub fn take(&mut self) -> Event {
        Event {
            sender: self.sender,
            name: std::mem::take(&mut self.name),
            data: std::mem::take(&mut self.data),
            token: self.token,
            kind: self.kind,
        }
    }

    /// An event as `send_event` makes it.
    pub fn sent(sender: Pid, name: impl Into<Name>, data: impl Into<Value>) -> Event {
        Event { sender, name: name.into(), data: data.into(), token: None, kind: EventKind::Sent }
    }

    /// An event as the kernel makes it.
    pub fn kernel(name: Name, data: Value) -> Event {
        Event { sender: Pid::KERNEL, name, data, token: None, kind: EventKind::Kernel }
    }

    /// The bytes that it counts for in a mailbox.
    pub fn size(&self) -> usize {
        Event::size_of(&self.name, &self.data)
    }

    /// The bytes that an event of this name and data counts for in a mailbox.
    ///
    /// ```
    /// use hothouse_abi::{Event, Name, Pid, Value};
    /// let event = Event::sent(Pid::new(2), "ping", 42);
    /// assert_eq!(Event::size_of(&Name::short("ping"), &Value::Int(42)), event.size());
    /// ```
    #[inline]
    pub fn size_of(name: &Name, data: &Value) -> usize {
        size_of::<Event>() + name.len() + data.size()
    }
}

/// Which events a `receive_event` takes.
///
/// ```
/// use hothouse_abi::{Event, Filter, Pid};
/// let ping = Event::sent(Pid::new(2), "ping", ());
/// assert!(Filter::any().matches(&ping));
/// assert!(Filter::name("ping").from(Pid::new(2)).matches(&ping));
/// assert!(!Filter::sender(Pid::new(3)).matches(&ping));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only from this sender.
    pub sender: Option<Pid>,
    /// Only of this name.
    pub name: Option<Name>,
}

impl Filter {
    /// Any sent event.
    pub fn any() -> Filter {
        Filter::default()
    }

    /// Events of this name.
    pub fn name(name: impl Into<Name>) -> Filter {
        Filter { sender: None, name: Some(name.into()) }
    }

    /// Events from this sender.
    pub fn sender(sender: Pid) -> Filter {
        Filter { sender: Some(sender), name: None }
    }

    /// Whether it owns nothing, as far as can be told at a glance: then it may be forgotten instead
    /// of dropped, which is a call.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.name.as_ref().is_none_or(Name::is_short)
    }

    /// Moves the filter out, and leaves one that owns nothing; field by field, as
    /// [`Event::move_to`].
    #[inline(always)]
    #[must_use]
    pub fn take(&mut self) -> Filter {
        Filter { sender: self.sender, name: self.name.take() }
    }

    /// The same, but only from this sender.
    #[must_use]
    pub fn from(self, sender: Pid) -> Filter {
        Filter { sender: Some(sender), ..self }
    }

    /// Whether it takes this event: a sent one that fits.
    #[inline]
    pub fn matches(&self, event: &Event) -> bool {
        event.kind == EventKind::Sent && self.takes(event.sender, &event.name)
    }

    /// Whether it takes an event of this name that this process sends.
    #[inline(always)]
    pub fn takes(&self, sender: Pid, name: &Name) -> bool {
        self.sender.is_none_or(|wanted| wanted == sender)
            && self.name.as_ref().is_none_or(|wanted| wanted == name)
    }
}

const _: () = assert!(size_of::<Event>() == 64);
