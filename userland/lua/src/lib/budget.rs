use std::cell::Cell;
use std::rc::Rc;

use mlua::{Error, Result};

/// The error that library code raises when a budget is used up.
///
/// A program's `pcall` catches it like any other error; [`Budget::is_exhausted`] stays set, so that
/// whoever runs the program can end it all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instruction budget used up")]
pub(crate) struct BudgetExhausted;

impl BudgetExhausted {
    /// Whether `error`, or an error that caused it, is this one.
    pub(crate) fn is_in(error: &Error) -> bool {
        error.downcast_ref::<BudgetExhausted>().is_some()
    }
}

/// What a program may still execute before its next trap, in steps of about one VM instruction.
///
/// Clones share the same account: the instruction hook and the library charge it alike.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Rc<Account>);

/// What the clones of a budget share.
#[derive(Debug)]
pub(crate) struct Account {
    limit: Cell<u64>,
    left: Cell<u64>,
    exhausted: Cell<bool>,
}

impl Budget {
    /// A full budget of `limit` steps.
    pub(crate) fn new(limit: u64) -> Budget {
        Budget(Rc::new(Account {
            limit: Cell::new(limit),
            left: Cell::new(limit),
            exhausted: Cell::new(false),
        }))
    }

    /// Takes `steps` out.
    ///
    /// # Errors
    ///
    /// [`BudgetExhausted`] if there are not as many left; then none are left.
    #[inline]
    pub(crate) fn charge(&self, steps: u64) -> Result<()> {
        if self.0.take(steps) { Ok(()) } else { Err(Error::external(BudgetExhausted)) }
    }

    /// The steps left.
    pub(crate) fn left(&self) -> u64 {
        self.0.left()
    }

    /// Where the account is, as long as a clone of the budget lives.
    pub(crate) fn account(&self) -> *const Account {
        Rc::as_ptr(&self.0)
    }

    /// Whether a charge ever failed since the last [`clear`](Self::clear).
    pub(crate) fn is_exhausted(&self) -> bool {
        self.0.exhausted.get()
    }

    /// Makes the budget full again; does not forget that it was exhausted.
    pub(crate) fn refill(&self) {
        self.0.left.set(self.0.limit.get());
    }

    /// Makes the budget full with another limit and forgets that it was exhausted, for the next
    /// program that counts against it.
    pub(crate) fn clear(&self, limit: u64) {
        self.0.limit.set(limit);
        self.0.exhausted.set(false);
        self.refill();
    }
}

impl Account {
    /// Takes `steps` out. Returns false if there are not as many left; then none are left.
    #[inline]
    pub(crate) fn take(&self, steps: u64) -> bool {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        if left.is_none() {
            self.exhausted.set(true);
        }
        left.is_some()
    }

    /// The steps left.
    pub(crate) fn left(&self) -> u64 {
        self.left.get()
    }
}
