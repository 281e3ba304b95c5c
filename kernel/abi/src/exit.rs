use std::fmt;

use crate::{Name, Pid, Signal, Span, Tick, Value};

/// How a process ended.
///
/// ```
/// use hothouse_abi::{ExitStatus, Signal};
/// assert!(ExitStatus::Exited(0.into()).is_success());
/// assert!(!ExitStatus::Exited(3.into()).is_success());
/// assert_eq!(ExitStatus::Signaled(Signal::SIGTERM).to_string(), "signaled SIGTERM");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum ExitStatus {
    /// It returned, or called `exit`, with this value.
    Exited(Value),
    /// Its program reported an error.
    Failed(String),
    /// It panicked with this message.
    Panicked(String),
    /// A signal ended it.
    Signaled(Signal),
}

impl ExitStatus {
    /// Whether it exited with nil, `true`, 0 or a value that is no number and no `false`.
    pub fn is_success(&self) -> bool {
        match self {
            ExitStatus::Exited(Value::Bool(ok)) => *ok,
            ExitStatus::Exited(Value::Int(code)) => *code == 0,
            ExitStatus::Exited(Value::Float(code)) => *code == 0.0,
            ExitStatus::Exited(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Exited(Value::Nil) => f.write_str("exited"),
            ExitStatus::Exited(value) => write!(f, "exited {value}"),
            ExitStatus::Failed(text) => write!(f, "failed: {text}"),
            ExitStatus::Panicked(message) => write!(f, "panicked: {message}"),
            ExitStatus::Signaled(signal) => write!(f, "signaled {signal}"),
        }
    }
}

/// The exit record of a process, read once by `wait`.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit {
    /// Who ended.
    pub pid: Pid,
    /// Its name.
    pub name: Name,
    /// How.
    pub status: ExitStatus,
    /// Where in its program's source a fault struck, such as `src/main.rs:12`, as far as the host's
    /// debug information tells: it may differ from one build to another. A panic has its place in
    /// its message.
    pub place: Option<String>,
    /// The CPU time that it used.
    pub cpu_time: Span,
    /// When it ended.
    pub ended_at: Tick,
}
