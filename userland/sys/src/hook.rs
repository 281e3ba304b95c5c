use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use hothouse_abi::Unwinding;

use crate::Sys;

type Hook = Box<dyn FnOnce(&Sys)>;

/// The exit hooks of one process, oldest first.
#[derive(Default)]
pub(crate) struct Hooks(VecDeque<Hook>);

impl Hooks {
    pub(crate) fn push(&mut self, hook: impl FnOnce(&Sys) + 'static) {
        self.0.push_back(Box::new(hook));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hooks", self.0.len())
    }
}

impl Sys<'_> {
    /// Runs the exit hooks, each once, with those that they add themselves.
    pub(crate) fn run_hooks(&self) {
        loop {
            let hook = self.hooks.borrow_mut().0.pop_front();
            let Some(hook) = hook else { return };
            let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(self))) else { continue };
            if payload.is::<Unwinding>() {
                resume_unwind(payload);
            }
            self.diagnose(format!("an exit hook panicked: {}", panic_message(&*payload)));
        }
    }
}

/// The text of a panic.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a payload that is no text".to_owned()
    }
}
