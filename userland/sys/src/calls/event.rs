use std::time::Duration;

use hothouse_abi::{Errno, Event, Filter, Name, Pid, Resume, Trap, Value};

use crate::Sys;

impl Sys<'_> {
    /// Sends an event to a process, which may be the caller. Events between two processes arrive
    /// in the order in which they were sent.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Pid, Sys, Value};
    /// # fn demo(sys: &Sys, peer: Pid) -> Result<(), Errno> {
    /// sys.send_event(peer, "moved", Value::map([("x", 1), ("y", 2)]))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process, and for pid 0; `EAGAIN` if its mailbox is full;
    /// `EMSGSIZE` if the event alone is over the mailbox's limit of bytes; `ENAMETOOLONG`.
    #[inline]
    pub fn send_event(
        &self,
        pid: Pid,
        name: impl Into<Name>,
        data: impl Into<Value>,
    ) -> Result<(), Errno> {
        call!(self, Trap::Send { pid, name: name.into(), data: data.into() }, Resume::Unit => ())
    }

    /// Sends an event to the owner of a service name.
    ///
    /// # Errors
    ///
    /// `ENOENT` if nobody owns the name; `EAGAIN`, `EMSGSIZE` and `ENAMETOOLONG` as
    /// [`send_event`](Sys::send_event).
    #[inline]
    pub fn send_service_event(
        &self,
        service: impl Into<Name>,
        name: impl Into<Name>,
        data: impl Into<Value>,
    ) -> Result<(), Errno> {
        let trap =
            Trap::SendService { service: service.into(), name: name.into(), data: data.into() };
        call!(self, trap, Resume::Unit => ())
    }

    /// Takes the oldest sent event that matches, or waits for one. All others stay queued, in
    /// order. Events of the kernel and those of `queue_event` are
    /// [`next_event`](Sys::next_event)'s.
    ///
    /// An event that arrives at the very instant of the timeout is still taken.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Filter, Pid, Sys};
    /// # use std::time::Duration;
    /// # fn demo(sys: &Sys, peer: Pid) -> Result<(), Errno> {
    /// let any = sys.receive_event(Filter::any(), None)?;
    /// let pong = Filter::name("pong").from(peer);
    /// let pong = sys.receive_event(pong, Some(Duration::from_millis(10)))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `ESRCH` if the filter's sender is dead and nothing of it is queued; `EINTR`
    /// after an interrupting handler.
    #[inline(always)]
    pub fn receive_event(&self, filter: Filter, timeout: Option<Duration>) -> Result<Event, Errno> {
        let timeout = timeout.map(Into::into);
        // In its parts: a copy as a whole would wait until those have left the store buffer.
        let Filter { name, sender } = filter;
        call!(self, Trap::Receive { filter: Filter { name, sender }, timeout }, event)
    }

    /// Takes the next event of any kind, or waits for one.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `EINTR` after an interrupting handler.
    #[inline]
    pub fn next_event(&self, timeout: Option<Duration>) -> Result<Event, Errno> {
        let trap = Trap::NextEvent { timeout: timeout.map(Into::into) };
        call!(self, trap, event)
    }

    /// Takes the next event, of any kind, that has one of these names, or waits for one. All
    /// others stay queued.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Sys};
    /// # use std::time::Duration;
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// sys.timer(Duration::from_secs(1))?;
    /// let event = sys.filter_event(["timer", "stop"], None)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `EINTR` after an interrupting handler; `EINVAL` without any name.
    pub fn filter_event<N: Into<Name>>(
        &self,
        names: impl IntoIterator<Item = N>,
        timeout: Option<Duration>,
    ) -> Result<Event, Errno> {
        let names = names.into_iter().map(Into::into).collect();
        let trap = Trap::FilterEvent { names, remote: false, timeout: timeout.map(Into::into) };
        call!(self, trap, event)
    }

    /// The next event of any kind, which stays queued.
    pub fn peek_event(&self) -> Option<Event> {
        call!(self, Trap::PeekEvent, owned Resume::Peeked(event) => event)
            .unwrap_or_default()
            .map(|event| *event)
    }

    /// Posts an event to the caller itself, for [`next_event`](Sys::next_event).
    ///
    /// # Errors
    ///
    /// `EAGAIN` if the mailbox is full; `EMSGSIZE` and `ENAMETOOLONG` over a limit.
    pub fn queue_event(&self, name: impl Into<Name>, data: impl Into<Value>) -> Result<(), Errno> {
        let trap = Trap::QueueEvent { name: name.into(), data: data.into() };
        call!(self, trap, Resume::Unit => ())
    }

    /// Sends a request and waits for the reply to it, whatever else arrives.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Pid, Sys};
    /// # use std::time::Duration;
    /// # fn demo(sys: &Sys, server: Pid) -> Result<(), Errno> {
    /// let reply = sys.call(server, "double", 21, Some(Duration::from_secs(1)))?;
    /// assert_eq!(reply.data.as_int(), Some(42));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process, or as soon as it dies; `ETIMEDOUT`; `EDEADLK` for a
    /// call to oneself; `EINTR` after an interrupting handler; `EAGAIN`,
    /// `EMSGSIZE` and `ENAMETOOLONG` as [`send_event`](Sys::send_event).
    #[inline]
    pub fn call(
        &self,
        pid: Pid,
        name: impl Into<Name>,
        data: impl Into<Value>,
        timeout: Option<Duration>,
    ) -> Result<Event, Errno> {
        let timeout = timeout.map(Into::into);
        let (name, data) = (name.into(), data.into());
        call!(self, Trap::Call { pid, name, data, timeout }, event)
    }

    /// Answers a request made by [`call`](Sys::call). The reply has the request's name.
    ///
    /// ```
    /// # use hothouse_sys::{Errno, Filter, Sys};
    /// # fn demo(sys: &Sys) -> Result<(), Errno> {
    /// let request = sys.receive_event(Filter::name("double"), None)?;
    /// sys.reply(&request, request.data.as_int().map(|n| n * 2))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `EINVAL` if the event is no request; `EALREADY` for a second reply; `ECANCELED` if the
    /// caller has given up; `ESRCH` if it is dead; `EMSGSIZE` over the limit of its mailbox;
    /// `ENAMETOOLONG`.
    #[inline]
    pub fn reply(&self, request: &Event, data: impl Into<Value>) -> Result<(), Errno> {
        call!(
            self,
            Trap::Reply {
                pid: request.sender,
                token: request.token,
                name: request.name.clone(),
                data: data.into(),
            },
            Resume::Unit => ()
        )
    }
}
