//! Properties over the trace: what must never happen, and what must happen in time.

use std::rc::Rc;

use super::failure::Failure;
use crate::trace::Record;
use crate::{Span, Tick};

/// Looks at one record after the other and says whether it is what the property is about.
pub(super) type Watch = Box<dyn FnMut(&Record<'_>) -> bool>;

/// A property, as it is asked for.
#[derive(Clone)]
pub(super) struct Property {
    pub(super) name: String,
    /// Makes the watch of a run.
    pub(super) make: Rc<dyn Fn() -> Watch>,
    /// `None`: it must never happen; else it must have happened by then.
    pub(super) within: Option<Span>,
}

/// A property in one run.
pub(super) struct Watched {
    property: Property,
    watch: Watch,
    is_settled: bool,
}

impl Watched {
    pub(super) fn new(property: &Property) -> Watched {
        let watch = (property.make)();
        Watched { property: property.clone(), watch, is_settled: false }
    }

    /// Looks at a record. Returns the failure that it shows.
    pub(super) fn see(&mut self, record: &Record<'_>) -> Option<Failure> {
        if self.is_settled {
            return None;
        }
        if let Some(failure) = self.is_late(record.time) {
            return Some(failure);
        }
        if !(self.watch)(record) {
            return None;
        }
        self.is_settled = true;
        self.property.within.is_none().then(|| self.failure(record.time, record.to_string()))
    }

    /// The run is over. Returns the failure, if something has not happened.
    pub(super) fn finish(&mut self, now: Tick) -> Option<Failure> {
        if self.is_settled || self.property.within.is_none() {
            return None;
        }
        Some(self.failure(now, "it has not happened when the run was over".to_owned()))
    }

    fn is_late(&mut self, now: Tick) -> Option<Failure> {
        let within = self.property.within?;
        if now - Tick::ZERO <= within {
            return None;
        }
        self.is_settled = true;
        Some(self.failure(Tick::ZERO + within, "it has not happened by then".to_owned()))
    }

    fn failure(&self, at: Tick, what: String) -> Failure {
        Failure::Property { name: self.property.name.clone(), at, what }
    }
}
