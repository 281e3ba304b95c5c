//! The trace as JSON lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use hothouse::json;
use hothouse::trace::{Listener, Record, What};
use serde_json::{Map, Value as Json};

use super::UsageError;
use super::output::tell;

/// Writes every record to a file, a line each.
pub(super) struct TraceFile {
    out: BufWriter<File>,
    /// The first error is told at the end; nothing is written after it.
    failed: Option<io::Error>,
}

impl TraceFile {
    /// Makes the file.
    pub(super) fn create(path: &Path) -> Result<TraceFile, UsageError> {
        let file = File::create(path).map_err(|error| {
            UsageError(format!("the trace file {} can't be written: {error}", path.display()))
        })?;
        Ok(TraceFile { out: BufWriter::new(file), failed: None })
    }
}

impl Listener for TraceFile {
    fn record(&mut self, record: &Record<'_>) {
        if self.failed.is_none()
            && let Err(error) = writeln!(self.out, "{}", to_json(record))
        {
            self.failed = Some(error);
        }
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        let flushed = self.out.flush();
        if let Some(error) = self.failed.take().or(flushed.err()) {
            tell(&format!("hothouse: the trace is not whole: {error}\n"));
        }
    }
}

/// A record as a JSON object: `time`, `cpu`, `pid`, `what`, and what belongs to it.
fn to_json(record: &Record<'_>) -> Json {
    let mut object = Map::new();
    object.insert("time".into(), record.time.to_string().into());
    object.insert("cpu".into(), record.cpu.map(|cpu| cpu.0).into());
    object.insert("pid".into(), record.pid.number().into());
    object.insert("what".into(), record.what.word().into());
    for (key, value) in details(&record.what) {
        object.insert(key.into(), value);
    }
    Json::Object(object)
}

fn details(what: &What<'_>) -> Vec<(&'static str, Json)> {
    match *what {
        What::Spawned { parent, name } => {
            vec![("parent", parent.number().into()), ("name", name.to_string().into())]
        }
        What::Trap { name, .. } => vec![("name", name.into())],
        What::Blocked { on } => vec![("on", on.into())],
        What::BurstStarted { span } => vec![("span", span.to_string().into())],
        What::BurstEnded { ran } => vec![("ran", ran.to_string().into())],
        What::Switched { from, cost } => {
            vec![("from", from.number().into()), ("cost", cost.to_string().into())]
        }
        What::Sent { to, name, data } => vec![
            ("to", to.number().into()),
            ("name", name.to_string().into()),
            ("data", json::to_json(data)),
        ],
        What::Received { from, name } => {
            vec![("from", from.number().into()), ("name", name.to_string().into())]
        }
        What::DeadLetter { to, name } => {
            vec![("to", to.number().into()), ("name", name.to_string().into())]
        }
        What::Queued { name } | What::Registered { name } | What::Unregistered { name } => {
            vec![("name", name.to_string().into())]
        }
        What::Signaled { signal, by } => {
            vec![("signal", signal.name().into()), ("by", by.number().into())]
        }
        What::HandlerStarted { signal } | What::Faulted { signal } => {
            vec![("signal", signal.name().into())]
        }
        What::TimerArmed { id, at } => {
            vec![("id", id.number().into()), ("at", at.to_string().into())]
        }
        What::TimerFired { id } | What::TimerCancelled { id } => vec![("id", id.number().into())],
        What::LockTaken { id } | What::LockReleased { id } => vec![("id", id.number().into())],
        What::Called { to, name, token } => vec![
            ("to", to.number().into()),
            ("name", name.to_string().into()),
            ("token", token.into()),
        ],
        What::Replied { to, token } => vec![("to", to.number().into()), ("token", token.into())],
        What::Monitored { pid } => vec![("target", pid.number().into())],
        What::Noticed { child } => vec![("child", child.number().into())],
        What::Injected { fault, rule } => vec![("fault", fault.into()), ("rule", rule.into())],
        What::Exited { status } => vec![("status", status.to_string().into())],
        What::Logged { text } => vec![("text", hothouse::Bytes::from(text).to_string().into())],
        _ => Vec::new(),
    }
}
