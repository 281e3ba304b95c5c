//! Whether two runs are the same: the fingerprints of all records of the first are kept, and the
//! second is held against them.

use std::cell::RefCell;
use std::rc::Rc;

use hothouse::trace::{Listener, Record, TraceHash};

/// What the first run did, and where the second differs.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingerprints(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    first: Vec<u64>,
    /// How many records of the second run were compared.
    compared: usize,
    difference: Option<Difference>,
}

/// The first record in which the second run differs.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// Its number, from 1.
    pub(super) number: usize,
    /// The record of the second run; `None` if it has fewer.
    pub(super) record: Option<String>,
}

fn fingerprint(record: &Record<'_>) -> u64 {
    let mut hash = TraceHash::new();
    hash.update(record);
    hash.value()
}

impl Fingerprints {
    /// Takes the first run down.
    pub(super) fn keep(&self) -> impl Listener + 'static {
        let state = self.0.clone();
        move |record: &Record<'_>| state.borrow_mut().first.push(fingerprint(record))
    }

    /// Compares the second run.
    pub(super) fn compare(&self) -> impl Listener + 'static {
        let state = self.0.clone();
        move |record: &Record<'_>| {
            let mut state = state.borrow_mut();
            let at = state.compared;
            state.compared += 1;
            if state.difference.is_none() && state.first.get(at) != Some(&fingerprint(record)) {
                let record = Some(record.to_string());
                state.difference = Some(Difference { number: at + 1, record });
            }
        }
    }

    /// Where the second run differs from the first.
    pub(super) fn difference(&self) -> Option<Difference> {
        let state = self.0.borrow();
        let shorter = state.compared < state.first.len();
        state
            .difference
            .clone()
            .or_else(|| shorter.then(|| Difference { number: state.compared + 1, record: None }))
    }
}
