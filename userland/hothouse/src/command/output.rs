//! Standard output, whose reader may go away.

use std::io::{self, Write};

use super::Exit;

/// Writes text to standard error. If its reader has gone away, nobody is left to be told.
pub(super) fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints text. A closed pipe is no failure.
pub(super) fn print_quietly(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tell(&format!("hothouse: standard output can't be written: {error}\n"));
            Exit::Limit
        }
        _ => Exit::Ok,
    }
}
