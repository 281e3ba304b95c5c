//! The one stream of records: what happened, when, where and to whom. Trace writers, metrics and the
//! run-twice check all read it.
//!
//! A record borrows its data and is made only when somebody listens. [`encode`] gives its canonical
//! form, [`TraceHash`] the hash of a whole trace.

mod encoding;

use std::fmt;

use hothouse_abi::{Bytes, ExitStatus, LockId, Name, Pid, Signal, Span, Tick, TimerId, Value};

use crate::policy::CpuId;

pub use encoding::{TraceHash, VERSION, encode};

/// One record of the trace.
///
/// ```
/// use hothouse_abi::{Pid, Span, Tick};
/// use hothouse_kernel::policy::CpuId;
/// use hothouse_kernel::trace::{Record, What};
/// let record = Record {
///     time: Tick::ZERO + Span::from_millis(5),
///     cpu: Some(CpuId(0)),
///     pid: Pid::new(3),
///     what: What::BurstStarted { span: Span::from_millis(2) },
/// };
/// assert_eq!(record.to_string(), "[0.005000000] cpu 0 pid 3 burst_started span=0.002000000");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// When.
    pub time: Tick,
    /// On which CPU; `None` if on none.
    pub cpu: Option<CpuId>,
    /// To whom it happened, or who did it.
    pub pid: Pid,
    /// What.
    pub what: What<'a>,
}

/// Whoever reads the trace. Every `FnMut(&Record<'_>)` is one.
pub trait Listener {
    /// Takes note of one record. Records come in the order in which things happened.
    fn record(&mut self, record: &Record<'_>);
}

impl<F: FnMut(&Record<'_>)> Listener for F {
    fn record(&mut self, record: &Record<'_>) {
        self(record);
    }
}

macro_rules! whats {
    ($($(#[$doc:meta])* $tag:literal $name:ident $word:literal
        $({ $($(#[$fdoc:meta])* $field:ident: $type:ty,)* })?;)*) => {
        /// What a record tells. The process is the record's.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum What<'a> {
            $($(#[$doc])* $name $({ $($(#[$fdoc])* $field: $type,)* })?,)*
        }

        impl What<'_> {
            /// The word for it, such as `"burst_started"`.
            pub const fn word(&self) -> &'static str {
                match self { $(What::$name { .. } => $word,)* }
            }

            /// The byte that stands for it in the encoding.
            const fn tag(&self) -> u8 {
                match self { $(What::$name { .. } => $tag,)* }
            }
        }
    };
}

whats! {
    /// The process was created.
    0 Spawned "spawned" {
        /// By whom.
        parent: Pid,
        /// Its name.
        name: &'a Name,
    };
    /// Its code runs for the first time.
    1 Started "started";
    /// It got a CPU.
    2 Dispatched "dispatched";
    /// It made a trap.
    3 Trap "trap" {
        /// The call's name.
        name: &'static str,
        /// The number of its kind; not part of the encoding, for the name says it.
        kind: usize,
    };
    /// It waits.
    4 Blocked "blocked" {
        /// For what.
        on: &'static str,
    };
    /// What it waited for happened: it is ready.
    5 Woken "woken";
    /// A signal stopped it.
    6 Stopped "stopped";
    /// `SIGCONT` ended its stop.
    7 Continued "continued";
    /// Its burst starts.
    8 BurstStarted "burst_started" {
        /// How long it is.
        span: Span,
    };
    /// Its burst is served.
    9 BurstEnded "burst_ended" {
        /// How long it was.
        ran: Span,
    };
    /// A wake-up took its CPU away.
    10 Preempted "preempted";
    /// Its slice ended.
    11 SliceEnded "slice_ended";
    /// Its CPU switched to it from another.
    12 Switched "switched" {
        /// From whom.
        from: Pid,
        /// How long that took.
        cost: Span,
    };
    /// It sent an event.
    13 Sent "sent" {
        /// To whom.
        to: Pid,
        /// The event's name.
        name: &'a Name,
        /// The event's data.
        data: &'a Value,
    };
    /// It took an event.
    14 Received "received" {
        /// From whom.
        from: Pid,
        /// The event's name.
        name: &'a Name,
    };
    /// It sent an event to nobody.
    15 DeadLetter "dead_letter" {
        /// To whom.
        to: Pid,
        /// The event's name.
        name: &'a Name,
    };
    /// It posted an event to itself, or the kernel did.
    16 Queued "queued" {
        /// The event's name.
        name: &'a Name,
    };
    /// It was signalled.
    17 Signaled "signaled" {
        /// With what.
        signal: Signal,
        /// By whom.
        by: Pid,
    };
    /// Its handler starts.
    18 HandlerStarted "handler_started" {
        /// For which signal.
        signal: Signal,
    };
    /// Its handler returned.
    19 HandlerEnded "handler_ended";
    /// It armed a timer or an alarm.
    20 TimerArmed "timer_armed" {
        /// Which.
        id: TimerId,
        /// For when.
        at: Tick,
    };
    /// Its timer fired.
    21 TimerFired "timer_fired" {
        /// Which.
        id: TimerId,
    };
    /// Its timer was cancelled.
    22 TimerCancelled "timer_cancelled" {
        /// Which.
        id: TimerId,
    };
    /// Its wait timed out.
    23 TimedOut "timed_out";
    /// It took a service name.
    24 Registered "registered" {
        /// Which.
        name: &'a Name,
    };
    /// It lost a service name.
    25 Unregistered "unregistered" {
        /// Which.
        name: &'a Name,
    };
    /// It got a lock.
    26 LockTaken "lock_taken" {
        /// Which.
        id: LockId,
    };
    /// It gave a lock back.
    27 LockReleased "lock_released" {
        /// Which.
        id: LockId,
    };
    /// It sent a request.
    28 Called "called" {
        /// To whom.
        to: Pid,
        /// The request's name.
        name: &'a Name,
        /// The call's token.
        token: u32,
    };
    /// It answered a request.
    29 Replied "replied" {
        /// Whose.
        to: Pid,
        /// The call's token.
        token: u32,
    };
    /// It monitors a process.
    30 Monitored "monitored" {
        /// Which.
        pid: Pid,
    };
    /// It was told of a child's end.
    31 Noticed "noticed" {
        /// Which child.
        child: Pid,
    };
    /// It ended.
    32 Exited "exited" {
        /// How.
        status: &'a ExitStatus,
    };
    /// Its stack was given up.
    33 Abandoned "abandoned";
    /// Its code faulted.
    34 Faulted "faulted" {
        /// The signal that the fault stands for.
        signal: Signal,
    };
    /// It logged a line.
    35 Logged "logged" {
        /// The line.
        text: &'a [u8],
    };
    /// It did something whose result may differ from run to run.
    36 Unrepeatable "unrepeatable";
    /// Something went wrong for it on purpose.
    39 Injected "injected" {
        /// What, such as `"drop"`.
        fault: &'static str,
        /// By which rule, from 1.
        rule: u64,
    };
    /// It began a job.
    37 JobReleased "job_released" {
        /// When the job is, or was, released.
        release: Tick,
        /// When it is to be done; the end of time if it has no deadline.
        deadline: Tick,
    };
    /// It ended its job.
    38 JobDone "job_done";
}

/// One line, such as `[0.000000000] cpu 0 pid 1 trap name=getpid`.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.time)?;
        if let Some(CpuId(cpu)) = self.cpu {
            write!(f, "cpu {cpu} ")?;
        }
        write!(f, "pid {} {}", self.pid, self.what)
    }
}

/// The word and the data, such as `sent to=2 name="ping" data=42`.
impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
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
            | What::JobDone => Ok(()),
            What::Spawned { parent, name } => write!(f, " parent={parent} name={name:?}"),
            What::Trap { name, kind: _ } => write!(f, " name={name}"),
            What::Blocked { on } => write!(f, " on={on:?}"),
            What::BurstStarted { span } => write!(f, " span={span}"),
            What::BurstEnded { ran } => write!(f, " ran={ran}"),
            What::Switched { from, cost } => write!(f, " from={from} cost={cost}"),
            What::Sent { to, name, data } => write!(f, " to={to} name={name:?} data={data}"),
            What::Received { from, name } => write!(f, " from={from} name={name:?}"),
            What::DeadLetter { to, name } => write!(f, " to={to} name={name:?}"),
            What::Signaled { signal, by } => write!(f, " signal={signal} by={by}"),
            What::HandlerStarted { signal } | What::Faulted { signal } => {
                write!(f, " signal={signal}")
            }
            What::TimerArmed { id, at } => write!(f, " id={id} at={at}"),
            What::TimerFired { id } | What::TimerCancelled { id } => write!(f, " id={id}"),
            What::Queued { name } | What::Registered { name } | What::Unregistered { name } => {
                write!(f, " name={name:?}")
            }
            What::LockTaken { id } | What::LockReleased { id } => write!(f, " id={id}"),
            What::Called { to, name, token } => write!(f, " to={to} name={name:?} token={token}"),
            What::Replied { to, token } => write!(f, " to={to} token={token}"),
            What::Monitored { pid } => write!(f, " pid={pid}"),
            What::Injected { fault, rule } => write!(f, " fault={fault} rule={rule}"),
            What::Noticed { child } => write!(f, " child={child}"),
            What::Exited { status } => write!(f, " status={:?}", status.to_string()),
            What::JobReleased { release, deadline } => {
                write!(f, " release={release} deadline={deadline}")
            }
            What::Logged { text } => write!(f, " text={:?}", Bytes::from(*text)),
        }
    }
}

#[cfg(test)]
mod tests;
