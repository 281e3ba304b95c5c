use std::fmt;
use std::rc::Rc;

use hothouse_abi::{Disposition, Signal};

use crate::Sys;

/// What a process does with a signal.
///
/// ```
/// use hothouse_sys::{Action, Signal, program};
/// let careful = program(|sys| {
///     sys.sigaction(Signal::SIGTERM, Action::handler(|sys, signal| sys.log(signal.name())))?;
///     sys.sigaction(Signal::SIGHUP, Action::Ignore).map(drop)
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Action {
    /// What POSIX says for this signal: end, stop, continue or nothing.
    #[default]
    Default,
    /// Nothing.
    Ignore,
    /// An event `signal` with data `{signal = n}` and sender 0.
    Event,
    /// The process runs this handler, on its own stack.
    Handler(Handler),
}

impl Action {
    /// Runs `run`. A call that is parked meanwhile goes on afterwards, with its first deadline.
    pub fn handler(run: impl Fn(&Sys, Signal) + 'static) -> Action {
        Action::Handler(Handler { run: Rc::new(run), interrupt: false })
    }

    /// Runs `run`. A call that is parked meanwhile fails with `EINTR` afterwards.
    ///
    /// ```
    /// use hothouse_sys::{Action, Errno, Filter, Signal, program};
    /// let waits = program(|sys| -> Result<(), Errno> {
    ///     sys.sigaction(Signal::SIGINT, Action::interrupting(|_, _| ()))?;
    ///     let interrupted = sys.receive_event(Filter::any(), None);
    ///     assert_eq!(interrupted, Err(Errno::EINTR));
    ///     Ok(())
    /// });
    /// ```
    pub fn interrupting(run: impl Fn(&Sys, Signal) + 'static) -> Action {
        Action::Handler(Handler { run: Rc::new(run), interrupt: true })
    }

    /// What the kernel needs to know of it.
    pub(crate) fn disposition(&self) -> Disposition {
        match self {
            Action::Default => hothouse_abi::Action::Default.into(),
            Action::Ignore => hothouse_abi::Action::Ignore.into(),
            Action::Event => hothouse_abi::Action::Event.into(),
            Action::Handler(handler) => {
                Disposition { action: hothouse_abi::Action::Handler, interrupt: handler.interrupt }
            }
        }
    }

    /// The action for which the kernel holds `disposition` and this process `handler`.
    pub(crate) fn of(disposition: Disposition, handler: Option<Handler>) -> Action {
        match (disposition.action, handler) {
            (hothouse_abi::Action::Handler, Some(handler)) => Action::Handler(handler),
            (hothouse_abi::Action::Ignore, _) => Action::Ignore,
            (hothouse_abi::Action::Event, _) => Action::Event,
            (hothouse_abi::Action::Default | hothouse_abi::Action::Handler, _) => Action::Default,
        }
    }
}

type Run = dyn Fn(&Sys, Signal);

/// A function that runs when a signal is delivered, made by [`Action::handler`] or
/// [`Action::interrupting`]. Clones are the same handler.
#[derive(Clone)]
pub struct Handler {
    run: Rc<Run>,
    interrupt: bool,
}

impl Handler {
    pub(crate) fn run(&self, sys: &Sys, signal: Signal) {
        (self.run)(sys, signal);
    }
}

impl PartialEq for Handler {
    fn eq(&self, other: &Handler) -> bool {
        std::ptr::addr_eq(Rc::as_ptr(&self.run), Rc::as_ptr(&other.run))
            && self.interrupt == other.interrupt
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("interrupt", &self.interrupt).finish_non_exhaustive()
    }
}

/// The handlers of one process.
///
/// Most processes have none and few have more than two, so that a short list on the heap is better
/// than a slot for each signal on every stack.
#[derive(Debug, Default)]
pub(crate) struct Handlers(Vec<(Signal, Handler)>);

impl Handlers {
    pub(crate) fn get(&self, signal: Signal) -> Option<Handler> {
        self.0.iter().find(|(of, _)| *of == signal).map(|(_, handler)| handler.clone())
    }

    /// Puts `new` in the place of the signal's handler and returns the old one.
    pub(crate) fn replace(&mut self, signal: Signal, new: Option<Handler>) -> Option<Handler> {
        let at = self.0.iter().position(|(of, _)| *of == signal);
        match (at, new) {
            (Some(at), Some(new)) => Some(std::mem::replace(&mut self.0[at].1, new)),
            (Some(at), None) => Some(self.0.swap_remove(at).1),
            (None, Some(new)) => {
                self.0.push((signal, new));
                None
            }
            (None, None) => None,
        }
    }
}

impl Sys<'_> {
    /// Runs the handler of `signal`. It is cloned first, for it may replace itself while it runs.
    pub(crate) fn run_handler(&self, signal: Signal) {
        let handler = self.handlers.borrow().get(signal);
        if let Some(handler) = handler {
            handler.run(self, signal);
        }
    }
}
