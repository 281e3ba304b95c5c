//! The console of a run: programs' lines to standard output, messages to standard error.

use std::io::{self, BufWriter, Stdout, Write};

use hothouse::{Bytes, Console, Name, Pid, Tick};
use serde_json::json;

use super::run::Format;

/// Writes lines as they are asked for.
pub(super) struct Screen {
    out: BufWriter<Stdout>,
    format: Format,
    /// Whether somebody watches as it happens.
    live: bool,
}

impl Screen {
    pub(super) fn new(format: Format, live: bool) -> Screen {
        Screen { out: BufWriter::new(io::stdout()), format, live }
    }
}

impl Console for Screen {
    fn line(&mut self, time: Tick, pid: Pid, name: &Name, text: &[u8]) -> io::Result<()> {
        match self.format {
            Format::Human => {
                write!(self.out, "[{time}] {pid} {name}: ")?;
                self.out.write_all(text)?;
            }
            Format::Json => {
                let (name, text) = (name.to_string(), Bytes::from(text).to_string());
                let line = json!({
                    "time": time.to_string(), "pid": pid.number(), "name": name, "text": text,
                });
                write!(self.out, "{line}")?;
            }
        }
        self.out.write_all(b"\n")?;
        if self.live { self.out.flush() } else { Ok(()) }
    }

    fn diagnostic(&mut self, time: Tick, pid: Pid, name: &Name, text: &str) -> io::Result<()> {
        self.out.flush()?;
        writeln!(io::stderr(), "[{time}] {pid} {name}: {text}")
    }
}

/// Says nothing: the console of the second run of a check.
pub(super) struct Silence;

impl Console for Silence {
    fn line(&mut self, _: Tick, _: Pid, _: &Name, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn diagnostic(&mut self, _: Tick, _: Pid, _: &Name, _: &str) -> io::Result<()> {
        Ok(())
    }
}
