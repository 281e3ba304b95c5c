//! What is said of an uncaught error.

use mlua::{Error, LuaString, Thread, Value};

use crate::library::BudgetExhausted;
use crate::place;
use crate::state::Prelude;
use crate::values;

/// What is said of a used-up instruction budget.
pub(crate) const EXHAUSTED: &str = "instruction budget used up without a system call";

/// What is said of an error that nothing caught.
pub(crate) struct Failure {
    pub(crate) message: String,
    /// The program's own traceback, empty or after a line break.
    pub(crate) trace: String,
    /// Whether the process ends, also when the error was in a handler.
    pub(crate) is_fatal: bool,
}

impl Failure {
    pub(crate) fn memory() -> Failure {
        Failure { message: MEMORY.to_owned(), trace: String::new(), is_fatal: true }
    }

    pub(crate) fn of_error(error: &Error) -> Failure {
        let (message, trace) = describe(error, None);
        Failure { message, trace, is_fatal: is_memory(error) }
    }

    /// The failure of a coroutine that raised `value`.
    pub(crate) fn of_value(prelude: &Prelude, thread: &Thread, value: &Value) -> Failure {
        let (message, is_fatal) = match value {
            Value::Error(error) => (describe(error, None).0, is_memory(error)),
            other => (show(prelude, other), false),
        };
        if is_fatal {
            return Failure::memory();
        }
        let trace = prelude.debug.traceback.call::<String>(thread.clone());
        let (_, trace) = place::without_prelude(&format!("\n{}", trace.unwrap_or_default()));
        Failure { message, trace, is_fatal }
    }
}

/// An error value as text: of a table, what its `__tostring` returns, if that is a string.
fn show(prelude: &Prelude, value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string_lossy(),
        Value::Integer(_) | Value::Number(_) => match prelude.tostring.call::<LuaString>(value) {
            Ok(text) => text.to_string_lossy(),
            Err(_) => MEMORY.to_owned(),
        },
        other => {
            let of_type = || format!("(error object is a {} value)", values::type_name(other));
            let has_text = |table: &mlua::Table| {
                table.metatable().is_some_and(|meta| {
                    meta.raw_get::<Value>("__tostring").is_ok_and(|field| !field.is_nil())
                })
            };
            if !other.as_table().is_some_and(has_text) {
                return of_type();
            }
            let shown = prelude.tostring.call::<LuaString>(other);
            shown.map_or_else(|_| of_type(), |text| text.to_string_lossy())
        }
    }
}

pub(crate) const MEMORY: &str = "not enough memory";

/// The error's text and the program's own traceback.
pub(crate) fn describe(error: &Error, doom: Option<&str>) -> (String, String) {
    if let Some(doom) = doom {
        return (doom.to_owned(), String::new());
    }
    if is_memory(error) {
        return (MEMORY.to_owned(), String::new());
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
        Error::MemoryError(_) => MEMORY.to_owned(),
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
    BudgetExhausted::is_in(error)
}
