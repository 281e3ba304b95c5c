use std::fmt::Display;

use hothouse_abi::{ExitStatus, Value};

/// What a program's main function may return, and `exit` may be given.
///
/// | type | exit status |
/// |---|---|
/// | `()`, and a main that never returns | exited |
/// | `bool`, `i32`, `i64`, [`Value`] | exited with this value |
/// | [`ExitStatus`] | this one |
/// | `Result` of these | that of the `Ok`, or failed with the text of the `Err` |
///
/// ```
/// use hothouse_sys::{Errno, ExitStatus, Outcome};
/// assert_eq!(().status(), ExitStatus::Exited(().into()));
/// assert_eq!(3.status(), ExitStatus::Exited(3.into()));
/// let failed: Result<(), Errno> = Err(Errno::ESRCH);
/// assert_eq!(failed.status(), ExitStatus::Failed("No such process".into()));
/// let boxed: Result<i32, Box<dyn std::error::Error>> = Err("no luck".into());
/// assert_eq!(boxed.status(), ExitStatus::Failed("no luck".into()));
/// ```
pub trait Outcome {
    /// The exit status that it stands for.
    fn status(self) -> ExitStatus;
}

impl Outcome for ExitStatus {
    fn status(self) -> ExitStatus {
        self
    }
}

macro_rules! exited {
    ($($type:ty),*) => {
        $(impl Outcome for $type {
            fn status(self) -> ExitStatus {
                ExitStatus::Exited(Value::from(self))
            }
        })*
    };
}

exited!((), bool, i32, i64, Value);

impl<T: Outcome, E: Display> Outcome for Result<T, E> {
    fn status(self) -> ExitStatus {
        match self {
            Ok(value) => value.status(),
            Err(error) => ExitStatus::Failed(error.to_string()),
        }
    }
}

/// Gives the type that a function pointer returns a name.
///
/// The type of what never returns can't be written in stable Rust, except as the return type of a
/// function. A server's main is often one endless loop, and should need no type annotation.
pub trait Returning {
    /// What it returns.
    type Output;
}

impl<T> Returning for fn() -> T {
    type Output = T;
}

impl Outcome for <fn() -> ! as Returning>::Output {
    fn status(self) -> ExitStatus {
        self
    }
}
