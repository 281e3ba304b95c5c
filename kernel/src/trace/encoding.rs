//! The canonical encoding of records, and the hash of a trace.
//!
//! A record is its tag (a byte), then time, CPU (0 for none, else its number and 1), pid, then the
//! fields of [`What`] in order of declaration, without the number of a trap's kind. Of these:
//!
//! * numbers, times, spans and ids are LEB128 varints; a signal is its number in a byte;
//! * names and texts are their length as a varint and their bytes;
//! * a value is a tag byte and its content: 0 nil, 1 false, 2 true, 3 an integer in zigzag as a
//!   varint, 4 a float as its 64 bits, lowest byte first, every NaN as `0x7ff8000000000000`, 5 a
//!   byte string, 6 a list as its length and items, 7 a map as its length, keys and values in turn;
//! * an exit status is a tag byte and its content: 0 exited with a value, 1 failed with a text,
//!   2 panicked with a text, 3 signaled with a signal.
//!
//! No encoding is a prefix of another, so that a trace is the encodings of its records one after
//! another.

use std::fmt;

use hothouse_abi::{ExitStatus, Value};
use xxhash_rust::xxh3::Xxh3Default;

use super::{Listener, Record, What};

/// The version of the encoding. It is the first byte of what a [`TraceHash`] hashes.
pub const VERSION: u8 = 1;

/// Every NaN is encoded as this one.
const NAN: u64 = 0x7ff8_0000_0000_0000;

/// Adds the canonical encoding of a record to `out`.
///
/// ```
/// use hothouse_abi::{Pid, Tick};
/// use hothouse_kernel::trace::{Record, What, encode};
/// let record =
///     Record { time: Tick::from_nanos(128), cpu: None, pid: Pid::new(1), what: What::Started };
/// let mut out = Vec::new();
/// encode(&record, &mut out);
/// assert_eq!(out, [1, 0x80, 0x01, 0, 1]);
/// ```
pub fn encode(record: &Record<'_>, out: &mut Vec<u8>) {
    out.push(record.what.tag());
    varint(out, record.time.nanos());
    varint(out, record.cpu.map_or(0, |cpu| u64::from(cpu.0) + 1));
    varint(out, record.pid.number());
    fields(&record.what, out);
}

pub(super) fn fields(what: &What<'_>, out: &mut Vec<u8>) {
    match *what {
        What::Started
        | What::Dispatched
        | What::Woken
        | What::Stopped
        | What::Continued
        | What::Preempted
        | What::SliceEnded
        | What::HandlerEnded
        | What::TimedOut
        | What::Abandoned
        | What::Unrepeatable
        | What::JobDone => {}
        What::JobReleased { release, deadline } => {
            varint(out, release.nanos());
            varint(out, deadline.nanos());
        }
        What::Trap { name: text, kind: _ } | What::Blocked { on: text } => {
            bytes(out, text.as_bytes());
        }
        What::BurstStarted { span } | What::BurstEnded { ran: span } => varint(out, span.nanos()),
        What::Switched { from, cost } => {
            varint(out, from.number());
            varint(out, cost.nanos());
        }
        What::Sent { to, name, data } => {
            varint(out, to.number());
            bytes(out, name);
            value(out, data);
        }
        What::Spawned { parent: pid, name }
        | What::Received { from: pid, name }
        | What::DeadLetter { to: pid, name } => {
            varint(out, pid.number());
            bytes(out, name);
        }
        What::Signaled { signal, by } => {
            out.push(signal.number());
            varint(out, by.number());
        }
        What::HandlerStarted { signal } | What::Faulted { signal } => out.push(signal.number()),
        What::TimerArmed { id, at } => {
            varint(out, id.number());
            varint(out, at.nanos());
        }
        What::TimerFired { id } | What::TimerCancelled { id } => varint(out, id.number()),
        What::Queued { name } | What::Registered { name } | What::Unregistered { name } => {
            bytes(out, name);
        }
        What::LockTaken { id } | What::LockReleased { id } => varint(out, id.number()),
        What::Called { to, name, token } => {
            varint(out, to.number());
            bytes(out, name);
            varint(out, token.into());
        }
        What::Replied { to, token } => {
            varint(out, to.number());
            varint(out, token.into());
        }
        What::Monitored { pid } | What::Noticed { child: pid } => varint(out, pid.number()),
        What::Injected { fault, rule } => {
            bytes(out, fault.as_bytes());
            varint(out, rule);
        }
        What::Exited { status } => exit_status(out, status),
        What::Logged { text } => bytes(out, text),
    }
}

#[inline]
fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn exit_status(out: &mut Vec<u8>, status: &ExitStatus) {
    match status {
        ExitStatus::Exited(result) => {
            out.push(0);
            value(out, result);
        }
        ExitStatus::Failed(text) => {
            out.push(1);
            bytes(out, text.as_bytes());
        }
        ExitStatus::Panicked(message) => {
            out.push(2);
            bytes(out, message.as_bytes());
        }
        ExitStatus::Signaled(signal) => out.extend([3, signal.number()]),
    }
}

pub(super) fn value(out: &mut Vec<u8>, data: &Value) {
    match data {
        Value::Nil => out.push(0),
        Value::Bool(truth) => out.push(1 + u8::from(*truth)),
        Value::Int(int) => {
            out.push(3);
            varint(out, ((int << 1) ^ (int >> 63)) as u64);
        }
        Value::Float(float) => {
            out.push(4);
            let bits = if float.is_nan() { NAN } else { float.to_bits() };
            out.extend(bits.to_le_bytes());
        }
        Value::Bytes(text) => {
            out.push(5);
            bytes(out, text);
        }
        Value::List(list) => {
            out.push(6);
            varint(out, list.items().len() as u64);
            list.items().iter().for_each(|item| value(out, item));
        }
        Value::Map(map) => {
            out.push(7);
            varint(out, map.entries().len() as u64);
            for (key, entry) in map.entries() {
                value(out, key);
                value(out, entry);
            }
        }
    }
}

/// The hash of a trace: XXH3-64 of the version and the encodings of all records. It is a
/// [`Listener`], and is shown as 16 hexadecimal digits.
///
/// ```
/// use hothouse_abi::{Pid, Tick};
/// use hothouse_kernel::trace::{Record, TraceHash, What};
/// let mut hash = TraceHash::new();
/// let empty = hash.value();
/// hash.update(&Record { time: Tick::ZERO, cpu: None, pid: Pid::new(1), what: What::Woken });
/// assert_ne!(hash.value(), empty);
/// assert_eq!(hash.to_string(), format!("{:016x}", hash.value()));
/// ```
#[derive(Clone)]
pub struct TraceHash {
    hasher: Xxh3Default,
    /// Encodings that are still to be hashed: together, which is faster than one by one.
    buffer: Vec<u8>,
}

/// How many bytes are hashed together.
const TOGETHER: usize = 4096;

impl TraceHash {
    /// The hash of a trace without records.
    pub fn new() -> TraceHash {
        let mut hasher = Xxh3Default::new();
        hasher.update(&[VERSION]);
        TraceHash { hasher, buffer: Vec::new() }
    }

    /// Adds one record.
    pub fn update(&mut self, record: &Record<'_>) {
        encode(record, &mut self.buffer);
        if self.buffer.len() >= TOGETHER {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    /// The hash of all records so far.
    pub fn value(&self) -> u64 {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.buffer);
        hasher.digest()
    }
}

impl Default for TraceHash {
    fn default() -> Self {
        TraceHash::new()
    }
}

impl Listener for TraceHash {
    fn record(&mut self, record: &Record<'_>) {
        self.update(record);
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::What;
    use hothouse_abi::{Pid, Tick};

    #[test]
    fn hashing_many_together_changes_nothing() {
        let mut together = TraceHash::new();
        let mut one_by_one = Xxh3Default::new();
        one_by_one.update(&[VERSION]);
        for nanos in 0..3_000 {
            let time = Tick::from_nanos(nanos);
            let record = Record { time, cpu: None, pid: Pid::new(1 + nanos), what: What::Woken };
            together.update(&record);
            let mut bytes = Vec::new();
            encode(&record, &mut bytes);
            one_by_one.update(&bytes);
            if nanos % 499 == 0 {
                assert_eq!(together.value(), one_by_one.digest());
            }
        }
        assert_eq!(together.value(), one_by_one.digest());
    }
}
