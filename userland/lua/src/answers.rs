//! The kernel's answers as Lua sees them.

use hothouse_abi::{
    Action, Errno, Event, EventKind, Exit, ExitStatus, ProcessInfo, Resume, StateInfo,
    Value as Data,
};

use crate::context::Current;
use crate::raw::{Item, NoLimit, Slot, Stack, StackFull, Then};
use crate::record::Request;

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
    /// For the raw ABI: true and the results, or false and the text of an errno.
    Raw,
    /// For the raw ABI, where a sent event is a `remote_event`.
    RawNext,
}

impl Shape {
    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Shape::Raw | Shape::RawNext)
    }
}

/// Shows an answer that is no `Handler`, `Hooks` or `Unwind`.
pub(crate) fn show(
    stack: &mut Stack<'_>,
    current: &Current,
    answer: &Resume,
    shape: Shape,
) -> Then {
    match answer {
        Resume::Event(event) => return received(stack, current, event, shape),
        Resume::Error(errno) => return error(stack, current, *errno, shape),
        _ => {}
    }
    if shape.is_raw() {
        stack.push_bool(true);
    }
    let results = match *answer {
        Resume::Unit if shape == Shape::Sent => flag(stack, true),
        Resume::Pid(pid) | Resume::Found(Some(pid)) => number(stack, pid.number()),
        Resume::Flag(truth) => flag(stack, truth),
        Resume::Number(bits) => integer(stack, bits.cast_signed()),
        Resume::Nice(nice) => integer(stack, nice.into()),
        Resume::Tick(tick) if shape == Shape::Nanos => number(stack, tick.nanos()),
        Resume::Tick(tick) => float(stack, tick.as_secs_f64()),
        Resume::Span(span) => float(stack, span.as_secs_f64()),
        Resume::Timer(id) => number(stack, id.number()),
        Resume::Lock(id) => number(stack, id.number()),
        Resume::Signal(signal) => integer(stack, signal.number().into()),
        // No call of the Lua API asks how it is scheduled.
        Resume::Found(None) | Resume::Peeked(None) | Resume::Scheduling(_) => nil(stack, shape),
        Resume::Unit | Resume::Start | Resume::Handler(_) | Resume::Hooks | Resume::Unwind => 0,
        _ => return allocate(stack, current, shape, |s, room| show_rich(s, answer, shape, room)),
    };
    returned(results, shape)
}

fn returned(results: usize, shape: Shape) -> Then {
    Then::Return(results + usize::from(shape.is_raw()))
}

fn flag(stack: &mut Stack<'_>, truth: bool) -> usize {
    stack.push_bool(truth);
    1
}

fn integer(stack: &mut Stack<'_>, int: i64) -> usize {
    stack.push_int(int);
    1
}

fn float(stack: &mut Stack<'_>, float: f64) -> usize {
    stack.push_float(float);
    1
}

fn number(stack: &mut Stack<'_>, number: u64) -> usize {
    stack.push_scalar(&data_of(number));
    1
}

fn data_of(number: u64) -> Data {
    i64::try_from(number).map_or(Data::Float(number as f64), Data::Int)
}

/// Nil, which the raw ABI leaves out at the end.
fn nil(stack: &mut Stack<'_>, shape: Shape) -> usize {
    if shape.is_raw() {
        return 0;
    }
    stack.push_nil();
    1
}

/// Pushes what needs memory, which may be more than the state has left: then the process ends.
fn allocate(
    stack: &mut Stack<'_>,
    current: &Current,
    shape: Shape,
    push: impl FnOnce(&mut Stack<'_>, &NoLimit<'_>) -> Result<usize, StackFull>,
) -> Then {
    let pushed = current.state.without_limit(|no_limit| {
        let pushed = push(stack, no_limit);
        if pushed.is_err() {
            stack.push_bytes(b"stack overflow", no_limit);
        }
        pushed
    });
    match pushed {
        _ if current.record.is_doomed() => Then::End,
        Ok(results) => returned(results, shape),
        Err(StackFull) => Then::Raise,
    }
}

/// Raises a text, or returns false and the text to the raw ABI.
pub(crate) fn fail(stack: &mut Stack<'_>, current: &Current, text: &str, shape: Shape) -> Then {
    if shape.is_raw() {
        stack.push_bool(false);
    }
    let pushed = allocate(stack, current, shape, |stack, no_limit| {
        stack.push_bytes(text.as_bytes(), no_limit);
        Ok(1)
    });
    match pushed {
        Then::Return(_) if !shape.is_raw() => Then::Raise,
        other => other,
    }
}

fn error(stack: &mut Stack<'_>, current: &Current, errno: Errno, shape: Shape) -> Then {
    match (shape, errno) {
        (
            Shape::Sent,
            Errno::ESRCH | Errno::EAGAIN | Errno::ENOENT | Errno::EEXIST | Errno::ECANCELED,
        ) => Then::Return(flag(stack, false)),
        (Shape::Received | Shape::Next | Shape::Waited, Errno::ETIMEDOUT) => {
            Then::Return(nil(stack, shape))
        }
        (Shape::Info, Errno::ESRCH) => {
            stack.push_nil();
            allocate(stack, current, shape, |stack, no_limit| {
                stack.push_bytes(errno.text().as_bytes(), no_limit);
                Ok(2)
            })
        }
        _ => fail(stack, current, errno.text(), shape),
    }
}

fn received(stack: &mut Stack<'_>, current: &Current, event: &Event, shape: Shape) -> Then {
    if shape.is_raw() {
        stack.push_bool(true);
    }
    let then = if shows_as_it_is(event, shape) && is_named_so(stack, event) && is_scalar(event) {
        // A name that the caller gave is shown by the same string: a quarter of the work of a
        // message is saved, which is to look it up among Lua's strings.
        stack.push_copy(NAME);
        returned(1 + show_scalar(stack, &event.data, shape), shape)
    } else {
        allocate(stack, current, shape, |s, no_limit| show_event(s, event, shape, no_limit))
    };
    let record = &current.record;
    if event.kind == EventKind::Sent {
        record.set_sender(event.sender);
    }
    if let Some(token) = event.token {
        record.rare().request =
            Some(Request { pid: event.sender, token, name: event.name.clone() });
    }
    then
}

/// Where the calls that wait for a named event have its name.
const NAME: Slot = Slot::arg(1);

fn is_named_so(stack: &Stack<'_>, event: &Event) -> bool {
    matches!(stack.get(NAME), Item::Bytes(name) if *name == event.name[..])
}

fn is_scalar(event: &Event) -> bool {
    !matches!(event.data, Data::Bytes(_) | Data::List(_) | Data::Map(_))
}

fn show_scalar(stack: &mut Stack<'_>, data: &Data, shape: Shape) -> usize {
    match data {
        Data::Nil => nil(stack, shape),
        scalar => usize::from(stack.push_scalar(scalar)),
    }
}

/// Whether an event is shown by its name and data, and not as a `remote_event`.
fn shows_as_it_is(event: &Event, shape: Shape) -> bool {
    let any_kind = matches!(shape, Shape::Next | Shape::RawNext);
    !any_kind || event.kind != EventKind::Sent
}

fn show_event(
    stack: &mut Stack<'_>,
    event: &Event,
    shape: Shape,
    no_limit: &NoLimit<'_>,
) -> Result<usize, StackFull> {
    if shows_as_it_is(event, shape) {
        stack.push_bytes(&event.name, no_limit);
        if is_scalar(event) {
            return Ok(1 + show_scalar(stack, &event.data, shape));
        }
        stack.push_data(&event.data, no_limit)?;
        return Ok(2);
    }
    stack.push_bytes(b"remote_event", no_limit);
    let fields = [
        ("type", Data::Bytes(event.name.bytes().clone())),
        ("sender", data_of(event.sender.number())),
        ("data", event.data.clone()),
    ];
    stack.push_fields(&fields, no_limit)?;
    Ok(2)
}

/// The answers that are texts or tables.
fn show_rich(
    stack: &mut Stack<'_>,
    answer: &Resume,
    shape: Shape,
    no_limit: &NoLimit<'_>,
) -> Result<usize, StackFull> {
    match answer {
        Resume::Peeked(Some(event)) => return show_event(stack, event, shape, no_limit),
        Resume::Bytes(bytes) => stack.push_bytes(bytes, no_limit),
        Resume::Exit(exit) => stack.push_fields(&exit_fields(exit), no_limit)?,
        Resume::Info(info) => stack.push_fields(&info_fields(info), no_limit)?,
        Resume::Pids(pids) => {
            let pids = Data::list(pids.iter().map(|pid| data_of(pid.number())));
            stack.push_data(&pids, no_limit)?;
        }
        Resume::Disposition(old) => stack.push_bytes(action_word(old.action).as_bytes(), no_limit),
        Resume::Signals(set) => {
            let numbers = Data::list(set.signals().map(|signal| i64::from(signal.number())));
            stack.push_data(&numbers, no_limit)?;
        }
        _ => return Ok(nil(stack, shape)),
    }
    Ok(1)
}

fn action_word(action: Action) -> &'static str {
    match action {
        Action::Default => "default",
        Action::Ignore => "ignore",
        Action::Event => "event",
        Action::Handler => "handler",
    }
}

fn exit_fields(exit: &Exit) -> Vec<(&'static str, Data)> {
    let status = match &exit.status {
        ExitStatus::Exited(value) => ("value", value.clone()),
        ExitStatus::Failed(text) | ExitStatus::Panicked(text) => ("error", text.as_str().into()),
        ExitStatus::Signaled(signal) => ("signal", i64::from(signal.number()).into()),
    };
    let place = exit.place.as_ref().map(|place| ("place", place.as_str().into()));
    let always = [
        ("id", data_of(exit.pid.number())),
        ("name", Data::Bytes(exit.name.bytes().clone())),
        status,
        ("cputime", exit.cpu_time.as_secs_f64().into()),
        ("ended", exit.ended_at.as_secs_f64().into()),
    ];
    always.into_iter().chain(place).collect()
}

fn info_fields(info: &ProcessInfo) -> Vec<(&'static str, Data)> {
    let mut fields: Vec<(&str, Data)> = vec![
        ("id", data_of(info.pid.number())),
        ("name", Data::Bytes(info.name.bytes().clone())),
        ("user", Data::Bytes(info.user.bytes().clone())),
        ("parent", data_of(info.parent.number())),
        ("state", info.state.word().into()),
        ("cputime", info.cpu_time.as_secs_f64().into()),
        ("waittime", info.wait_time.as_secs_f64().into()),
        ("traps", data_of(info.traps)),
        ("events", data_of(info.mailbox_depth as u64)),
        ("peak", data_of(info.mailbox_peak as u64)),
        ("nice", i64::from(info.nice).into()),
        ("started", info.started_at.as_secs_f64().into()),
    ];
    if let StateInfo::Waiting { what, since } = &info.state {
        fields.push(("waiting", what.as_str().into()));
        fields.push(("since", since.as_secs_f64().into()));
    }
    fields
}
