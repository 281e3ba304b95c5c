//! What is said of an uncaught error.

use mlua::Error;

use crate::library::BudgetExhausted;
use crate::place;

/// The error that ends a process and that no `pcall` catches.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Doom(pub(crate) String);

/// What is said of a used-up instruction budget.
pub(crate) const EXHAUSTED: &str = "instruction budget used up without a system call";

/// The error's text and the program's own traceback.
pub(crate) fn describe(error: &Error, doom: Option<&str>) -> (String, String) {
    if let Some(doom) = doom {
        return (doom.to_owned(), String::new());
    }
    if is_memory(error) {
        return ("not enough memory".to_owned(), String::new());
    }
    if BudgetExhausted::is_in(error) {
        let place = place::of_traceback(&error.to_string());
        return (
            place.map_or(EXHAUSTED.to_owned(), |at| format!("{at}: {EXHAUSTED}")),
            String::new(),
        );
    }
    place::without_prelude(&text(error))
}

/// The text of an error from Rust or Lua, without the wrappers that it collected on its way.
pub(crate) fn text(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => text(cause),
        Error::RuntimeError(text) => text.clone(),
        Error::MemoryError(_) => "not enough memory".to_owned(),
        other => other.to_string(),
    }
}

/// Whether the error says that memory is used up.
pub(crate) fn is_memory(error: &Error) -> bool {
    match error {
        Error::MemoryError(_) => true,
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => is_memory(cause),
        _ => false,
    }
}

/// Whether the error is the one that ends a process.
pub(crate) fn is_doom(error: &Error) -> bool {
    error.downcast_ref::<Doom>().is_some() || BudgetExhausted::is_in(error)
}
