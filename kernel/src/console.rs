//! Where a machine's lines go.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use hothouse_abi::{Name, Pid, Tick};

/// Where the lines go that programs log, and the messages about programs.
pub trait Console {
    /// A line that process `pid` logged.
    ///
    /// # Errors
    ///
    /// An error ends the run; a closed pipe does so quietly.
    fn line(&mut self, time: Tick, pid: Pid, name: &Name, text: &[u8]) -> io::Result<()>;

    /// A message about process `pid`: an uncaught error, a panic, a fault.
    ///
    /// # Errors
    ///
    /// An error ends the run.
    fn diagnostic(&mut self, time: Tick, pid: Pid, name: &Name, text: &str) -> io::Result<()>;
}

/// Lines to standard output as `[seconds.nanoseconds] pid name: text`, messages to standard error.
#[derive(Debug, Default)]
pub struct StdConsole;

impl Console for StdConsole {
    fn line(&mut self, time: Tick, pid: Pid, name: &Name, text: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "[{time}] {pid} {name}: ")?;
        out.write_all(text)?;
        out.write_all(b"\n")
    }

    fn diagnostic(&mut self, time: Tick, pid: Pid, name: &Name, text: &str) -> io::Result<()> {
        let flushed = io::stdout().flush();
        writeln!(io::stderr(), "[{time}] {pid} {name}: {text}")?;
        flushed
    }
}

/// Keeps all lines and messages, for tests and for hosts that show them in their own way.
///
/// ```
/// use hothouse_kernel::{Captured, Console};
/// use hothouse_abi::{Pid, Tick};
/// let captured = Captured::default();
/// captured.clone().line(Tick::ZERO, Pid::new(1), &"init".into(), b"hello").unwrap();
/// assert_eq!(captured.lines(), ["[0.000000000] 1 init: hello"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Captured(Rc<RefCell<CapturedText>>);

#[derive(Debug, Default)]
struct CapturedText {
    lines: Vec<String>,
    diagnostics: Vec<String>,
}

impl Captured {
    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone()
    }

    /// The messages so far.
    pub fn diagnostics(&self) -> Vec<String> {
        self.0.borrow().diagnostics.clone()
    }
}

impl Console for Captured {
    fn line(&mut self, time: Tick, pid: Pid, name: &Name, text: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(text);
        self.0.borrow_mut().lines.push(format!("[{time}] {pid} {name}: {text}"));
        Ok(())
    }

    fn diagnostic(&mut self, time: Tick, pid: Pid, name: &Name, text: &str) -> io::Result<()> {
        self.0.borrow_mut().diagnostics.push(format!("[{time}] {pid} {name}: {text}"));
        Ok(())
    }
}
