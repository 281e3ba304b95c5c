//! The kernel's answers as Lua sees them.

use hothouse_abi::{
    Action, Errno, Event, EventKind, Exit, ExitStatus, ProcessInfo, Resume, StateInfo,
};
use mlua::{IntoLua, Lua, Table, Value};

use crate::record::{Record, Request};
use crate::values;

/// How an answer is shown to Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As it is; an errno is an error.
    Plain,
    /// True, or false for the errnos that say that the other side can't take it.
    Sent,
    /// Name and data of an event, nil after the timeout.
    Received,
    /// The same for events of any kind: a sent one is a `remote_event`.
    Next,
    /// An exit record, nil after the timeout.
    Waited,
    /// Nil and a text for a missing process.
    Info,
    /// A tick as integer nanoseconds.
    Nanos,
    /// For the raw ABI: every errno is an error, an event has name and data.
    Raw,
    /// For the raw ABI: a sent event is a `remote_event`.
    RawNext,
}

impl Shape {
    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Shape::Raw | Shape::RawNext)
    }
}

/// What a callback returns to the prelude: a code and up to two results. The code is nil when the
/// call is done, true when it parked, false when it failed with the text in the first result.
pub(crate) struct Reply(Value, Value, Value);

impl From<(Value, Value, Value)> for Reply {
    fn from((code, a, b): (Value, Value, Value)) -> Reply {
        Reply(code, a, b)
    }
}

impl From<Reply> for [Value; 3] {
    fn from(reply: Reply) -> Self {
        [reply.0, reply.1, reply.2]
    }
}

impl From<Reply> for (Value, Value, Value) {
    fn from(reply: Reply) -> Self {
        (reply.0, reply.1, reply.2)
    }
}

impl Reply {
    pub(crate) const PARKED: Reply = Reply(Value::Boolean(true), Value::Nil, Value::Nil);

    pub(crate) fn failed(lua: &Lua, text: impl AsRef<str>) -> mlua::Result<Reply> {
        let text = Value::String(lua.create_string(text.as_ref())?);
        Ok(Reply(Value::Boolean(false), text, Value::Nil))
    }

    fn one(value: Value) -> Reply {
        Reply(Value::Nil, value, Value::Nil)
    }
}

/// The reply for an answer that is no `Handler`, `Hooks` or `Unwind`.
///
/// # Errors
///
/// A memory error.
pub(crate) fn to_lua(
    lua: &Lua,
    record: &Record,
    answer: Resume,
    shape: Shape,
) -> mlua::Result<Reply> {
    let value = match answer {
        Resume::Error(errno) => return error(lua, errno, shape),
        Resume::Unit if shape == Shape::Sent => Value::Boolean(true),
        Resume::Event(event) => return received(lua, record, event, shape),
        Resume::Peeked(None) => Value::Nil,
        Resume::Peeked(Some(event)) => return show_event(lua, &event, shape),
        Resume::Pid(pid) => number(pid.number()),
        Resume::Found(pid) => pid.map_or(Value::Nil, |pid| number(pid.number())),
        Resume::Flag(flag) => Value::Boolean(flag),
        Resume::Number(bits) => Value::Integer(bits.cast_signed()),
        Resume::Nice(nice) => Value::Integer(nice.into()),
        Resume::Tick(tick) if shape == Shape::Nanos => number(tick.nanos()),
        Resume::Tick(tick) => Value::Number(tick.as_secs_f64()),
        Resume::Span(span) => Value::Number(span.as_secs_f64()),
        Resume::Timer(id) => number(id.number()),
        Resume::Lock(id) => number(id.number()),
        Resume::Bytes(bytes) => Value::String(lua.create_string(bytes.as_slice())?),
        Resume::Exit(exit) => exit_table(lua, &exit)?,
        Resume::Info(info) => info_table(lua, &info)?,
        Resume::Pids(pids) => {
            let pids = pids.into_iter().map(|pid| number(pid.number()));
            Value::Table(lua.create_sequence_from(pids)?)
        }
        Resume::Disposition(old) => Value::String(lua.create_string(action_word(old.action))?),
        Resume::Signals(set) => {
            let numbers = set.signals().map(|signal| signal.number());
            Value::Table(lua.create_sequence_from(numbers)?)
        }
        Resume::Signal(signal) => Value::Integer(signal.number().into()),
        // No call of the Lua API asks for it.
        Resume::Scheduling(_) => Value::Nil,
        Resume::Start | Resume::Unit | Resume::Handler(_) | Resume::Hooks | Resume::Unwind => {
            return Ok(Reply(Value::Nil, Value::Nil, Value::Nil));
        }
    };
    Ok(Reply::one(value))
}

fn number(number: u64) -> Value {
    i64::try_from(number).map_or(Value::Number(number as f64), Value::Integer)
}

fn action_word(action: Action) -> &'static str {
    match action {
        Action::Default => "default",
        Action::Ignore => "ignore",
        Action::Event => "event",
        Action::Handler => "handler",
    }
}

fn error(lua: &Lua, errno: Errno, shape: Shape) -> mlua::Result<Reply> {
    match (shape, errno) {
        (
            Shape::Sent,
            Errno::ESRCH | Errno::EAGAIN | Errno::ENOENT | Errno::EEXIST | Errno::ECANCELED,
        ) => Ok(Reply::one(Value::Boolean(false))),
        (Shape::Received | Shape::Next | Shape::Waited, Errno::ETIMEDOUT) => {
            Ok(Reply::one(Value::Nil))
        }
        (Shape::Info, Errno::ESRCH) => {
            let text = Value::String(lua.create_string(errno.text())?);
            Ok(Reply(Value::Nil, Value::Nil, text))
        }
        _ => Reply::failed(lua, errno.text()),
    }
}

fn received(lua: &Lua, record: &Record, event: Event, shape: Shape) -> mlua::Result<Reply> {
    let reply = show_event(lua, &event, shape)?;
    if event.kind == EventKind::Sent {
        record.sender.set(Some(event.sender));
    }
    if let Some(token) = event.token {
        *record.request.borrow_mut() = Some(Request { pid: event.sender, token, name: event.name });
    }
    Ok(reply)
}

fn show_event(lua: &Lua, event: &Event, shape: Shape) -> mlua::Result<Reply> {
    let name = Value::String(lua.create_string(&event.name[..])?);
    let data = values::to_lua(lua, &event.data)?;
    let any_kind = matches!(shape, Shape::Next | Shape::RawNext);
    if !any_kind || event.kind != EventKind::Sent {
        return Ok(Reply(Value::Nil, name, data));
    }
    let remote = lua.create_table_with_capacity(0, 3)?;
    remote.raw_set("type", name)?;
    remote.raw_set("sender", number(event.sender.number()))?;
    remote.raw_set("data", data)?;
    Ok(Reply(Value::Nil, "remote_event".into_lua(lua)?, Value::Table(remote)))
}

fn exit_table(lua: &Lua, exit: &Exit) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 5)?;
    table.raw_set("id", number(exit.pid.number()))?;
    set_status(lua, &table, &exit.status)?;
    table.raw_set("cputime", exit.cpu_time.as_secs_f64())?;
    table.raw_set("ended", exit.ended_at.as_secs_f64())?;
    Ok(Value::Table(table))
}

fn set_status(lua: &Lua, table: &Table, status: &ExitStatus) -> mlua::Result<()> {
    match status {
        ExitStatus::Exited(value) => table.raw_set("value", values::to_lua(lua, value)?),
        ExitStatus::Failed(text) | ExitStatus::Panicked(text) => {
            table.raw_set("error", text.as_str())
        }
        ExitStatus::Signaled(signal) => table.raw_set("signal", signal.number()),
    }
}

fn info_table(lua: &Lua, info: &ProcessInfo) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 14)?;
    table.raw_set("id", number(info.pid.number()))?;
    table.raw_set("name", lua.create_string(&info.name[..])?)?;
    table.raw_set("user", lua.create_string(&info.user[..])?)?;
    table.raw_set("parent", number(info.parent.number()))?;
    table.raw_set("state", info.state.word())?;
    if let StateInfo::Waiting { what, since } = &info.state {
        table.raw_set("waiting", what.as_str())?;
        table.raw_set("since", since.as_secs_f64())?;
    }
    table.raw_set("cputime", info.cpu_time.as_secs_f64())?;
    table.raw_set("waittime", info.wait_time.as_secs_f64())?;
    table.raw_set("traps", number(info.traps))?;
    table.raw_set("events", info.mailbox_depth)?;
    table.raw_set("peak", info.mailbox_peak)?;
    table.raw_set("nice", info.nice)?;
    table.raw_set("started", info.started_at.as_secs_f64())?;
    Ok(Value::Table(table))
}
