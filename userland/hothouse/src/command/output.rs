//! Standard output, whose reader may go away.

use std::io::{self, Write};

use super::Exit;

/// Prints text. A closed pipe is no failure.
pub(super) fn print_quietly(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("hothouse: standard output can't be written: {error}");
            Exit::Limit
        }
        _ => Exit::Ok,
    }
}
