//! Servers that answer requests by name, and their clients.
//!
//! A request is an event made by [`Sys::call`]; its name says what is asked. The reply's data is
//! `{ok = value}` or `{error = text}`, so that a client can tell a refusal from a value.
//!
//! ```
//! use hothouse_sys::{program, rpc};
//! use std::time::Duration;
//!
//! let server = program(|sys| {
//!     let mut total = 0;
//!     rpc::Server::new("adder")
//!         .on("add", move |_, request| {
//!             total += request.data.as_int().ok_or("add takes an integer")?;
//!             Ok(total.into())
//!         })
//!         .stop_on("stop")
//!         .serve(sys)
//! });
//!
//! let client = program(|sys| -> Result<(), rpc::Error> {
//!     let total = rpc::call(sys, "adder", "add", 3, Some(Duration::from_secs(1)))?;
//!     sys.log(format!("the total is {total}"));
//!     Ok(())
//! });
//! ```

use std::fmt;
use std::time::Duration;

use hothouse_abi::{Errno, Event, Filter, Name, Value};

use crate::Sys;

/// What a [`Server`] runs for a request: the value to answer, or the text of a refusal.
type Method<'m> = Box<dyn FnMut(&Sys, &Event) -> Result<Value, String> + 'm>;

/// A service that answers requests one after the other.
#[must_use = "a server does nothing before it serves"]
pub struct Server<'m> {
    service: Name,
    methods: Vec<(Name, Method<'m>)>,
    stop: Option<Name>,
}

impl<'m> Server<'m> {
    /// A server under this service name, without methods.
    pub fn new(service: impl Into<Name>) -> Server<'m> {
        Server { service: service.into(), methods: Vec::new(), stop: None }
    }

    /// Answers requests of this name by what `method` returns. A plain event of this name runs the
    /// method too, and its result goes nowhere. Of two methods of one name the first counts.
    pub fn on(
        mut self,
        name: impl Into<Name>,
        mut method: impl FnMut(&Sys, &Event) -> Result<Value, Refusal> + 'm,
    ) -> Server<'m> {
        let method = move |sys: &Sys<'_>, event: &Event| method(sys, event).map_err(|no| no.0);
        self.methods.push((name.into(), Box::new(method)));
        self
    }

    /// Ends [`serve`](Server::serve) at an event of this name; a request of it is answered first.
    pub fn stop_on(mut self, name: impl Into<Name>) -> Server<'m> {
        self.stop = Some(name.into());
        self
    }

    /// Registers the service name and answers requests until the event of
    /// [`stop_on`](Server::stop_on); then gives the name back. A request of a name without a method
    /// is refused. A client that has died or given up is no error.
    ///
    /// # Errors
    ///
    /// `EEXIST` if the name is taken; the other errors of [`Sys::register`]; `EINTR` after an
    /// interrupting handler.
    pub fn serve(mut self, sys: &Sys) -> Result<(), Errno> {
        sys.register(&self.service)?;
        let served = self.answer_all(sys);
        let _ = sys.unregister(&self.service);
        served
    }

    fn answer_all(&mut self, sys: &Sys) -> Result<(), Errno> {
        loop {
            let request = sys.receive_event(Filter::any(), None)?;
            let stop = self.stop.as_ref() == Some(&request.name);
            let answer = if stop { Ok(Value::Nil) } else { self.answer(sys, &request) };
            if request.token.is_some() {
                let data = match answer {
                    Ok(value) => Value::map([("ok", value)]),
                    Err(text) => Value::map([("error", text)]),
                };
                // The client may have died, or given up: the others still want answers.
                let _ = sys.reply(&request, data);
            }
            if stop {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, sys: &Sys, request: &Event) -> Result<Value, String> {
        let method = self.methods.iter_mut().find(|(name, _)| *name == request.name);
        match method {
            Some((_, method)) => method(sys, request),
            None => Err(format!("{} has no method {}", self.service, request.name)),
        }
    }
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.methods.iter().map(|(name, _)| name);
        f.debug_tuple("Server").field(&self.service).field(&names.collect::<Vec<_>>()).finish()
    }
}

/// The text with which a method refuses a request; made from any text or error by `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl<T: fmt::Display> From<T> for Refusal {
    fn from(why: T) -> Refusal {
        Refusal(why.to_string())
    }
}

/// Why a request to a service failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The kernel could not carry it: `ENOENT` if nobody owns the service name, else as
    /// [`Sys::call`].
    Call(Errno),
    /// The server refused it with this text.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call(errno) => errno.fmt(f),
            Error::Refused(text) => write!(f, "refused: {text}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error::Call(errno)
    }
}

/// Asks a service and returns the value that it answers.
///
/// # Errors
///
/// [`Error::Call`] with `ENOENT` if nobody owns the name, `ESRCH` if the server dies, `ETIMEDOUT`,
/// and the other errors of [`Sys::call`]; [`Error::Refused`] if the server refuses.
pub fn call(
    sys: &Sys,
    service: impl Into<Name>,
    name: impl Into<Name>,
    data: impl Into<Value>,
    timeout: Option<Duration>,
) -> Result<Value, Error> {
    let server = sys.lookup(service).ok_or(Errno::ENOENT)?;
    let reply = sys.call(server, name, data, timeout)?;
    match reply.data.get("error") {
        Value::Nil => Ok(reply.data.get("ok").clone()),
        Value::Bytes(text) => Err(Error::Refused(text.to_string())),
        other => Err(Error::Refused(other.to_string())),
    }
}
