//! The system calls: how each one's Lua arguments become a trap, and how its answer is shown.

use std::rc::Rc;

use hothouse_abi::{Action, Ceiling, Errno, ExitStatus, Filter, LockKind, MaskHow, Protocol, Trap};
use mlua::{Lua, Table, Value};

use crate::answers::{Reply, Shape};
use crate::args::{Args, Fault};
use crate::context::Context;
use crate::place;

type Build = fn(&Args<'_>) -> Result<Trap, Fault>;

/// A call's name, its arguments, how its answer is shown.
struct Call(&'static str, Build, Shape);

const CALLS: &[Call] = &[
    Call("getpid", |_| Ok(Trap::Getpid), Shape::Plain),
    Call("getppid", |_| Ok(Trap::Getppid), Shape::Plain),
    Call("getuser", |_| Ok(Trap::Getuser), Shape::Plain),
    Call("setuser", |a| Ok(Trap::Setuser { user: a.name(0)? }), Shape::Plain),
    Call("getname", |_| Ok(Trap::Getname), Shape::Plain),
    Call("getplist", |_| Ok(Trap::Getplist), Shape::Plain),
    Call("getpinfo", |a| Ok(Trap::Getpinfo { pid: a.pid(0)? }), Shape::Info),
    Call(
        "nice",
        |a| Ok(Trap::Nice { level: a.int_or_nil(0)?, pid: a.pid_or_nil(1)? }),
        Shape::Plain,
    ),
    Call("kill", |a| Ok(Trap::Kill { pid: a.pid(0)?, signal: a.signal(1)? }), Shape::Plain),
    Call("sigaction", sigaction, Shape::Plain),
    Call("sigprocmask", sigprocmask, Shape::Plain),
    Call("sigpending", |_| Ok(Trap::Sigpending), Shape::Plain),
    Call(
        "sigwait",
        |a| Ok(Trap::Sigwait { set: a.signals(0)?, timeout: a.timeout(1)? }),
        Shape::Received,
    ),
    Call(
        "send_event",
        |a| Ok(Trap::Send { pid: a.pid(0)?, name: a.name(1)?, data: a.data(2)? }),
        Shape::Sent,
    ),
    Call(
        "send_service_event",
        |a| Ok(Trap::SendService { service: a.name(0)?, name: a.name(1)?, data: a.data(2)? }),
        Shape::Sent,
    ),
    Call("receive_event", receive, Shape::Received),
    Call("next_event", |a| Ok(Trap::NextEvent { timeout: a.timeout(0)? }), Shape::Next),
    Call(
        "filter_event",
        |a| Ok(Trap::FilterEvent { names: a.names(0)?, remote: true, timeout: a.timeout(1)? }),
        Shape::Next,
    ),
    Call("peek_event", |_| Ok(Trap::PeekEvent), Shape::Next),
    Call(
        "queue_event",
        |a| Ok(Trap::QueueEvent { name: a.name(0)?, data: a.data(1)? }),
        Shape::Plain,
    ),
    Call("call", call, Shape::Received),
    Call("reply", reply, Shape::Sent),
    Call("register", |a| Ok(Trap::Register { name: a.name(0)? }), Shape::Sent),
    Call("unregister", |a| Ok(Trap::Unregister { name: a.name(0)? }), Shape::Plain),
    Call("lookup", |a| Ok(Trap::Lookup { name: a.name(0)? }), Shape::Plain),
    Call("exit", |a| Ok(Trap::Exit { status: ExitStatus::Exited(a.data(0)?) }), Shape::Plain),
    Call("at_exit", at_exit, Shape::Plain),
    Call(
        "wait",
        |a| Ok(Trap::Wait { pid: a.pid_or_nil(0)?, timeout: a.timeout(1)? }),
        Shape::Waited,
    ),
    Call("notices", |a| Ok(Trap::Notices { on: a.bool(0)? }), Shape::Plain),
    Call("monitor", |a| Ok(Trap::Monitor { pid: a.pid(0)? }), Shape::Plain),
    Call("demonitor", |a| Ok(Trap::Demonitor { pid: a.pid(0)? }), Shape::Plain),
    Call("yield_now", |_| Ok(Trap::Yield), Shape::Plain),
    Call("now", |_| Ok(Trap::Now), Shape::Plain),
    Call("nanos", |_| Ok(Trap::Now), Shape::Nanos),
    Call("sleep", |a| Ok(Trap::Sleep { span: a.span(0)? }), Shape::Plain),
    Call("sleep_until", |a| Ok(Trap::SleepUntil { tick: a.tick(0)? }), Shape::Plain),
    Call("compute", |a| Ok(Trap::Compute { span: a.span(0)? }), Shape::Plain),
    Call("timer", |a| Ok(Trap::Timer { span: a.span(0)? }), Shape::Plain),
    Call("alarm", |a| Ok(Trap::Alarm { at: a.tick(0)? }), Shape::Plain),
    Call("cancel", |a| Ok(Trap::Cancel { id: a.timer(0)? }), Shape::Plain),
    Call("log", |a| Ok(Trap::Log { text: a.text(0)?.into() }), Shape::Plain),
    Call("diagnose", diagnose, Shape::Plain),
    Call("random", |_| Ok(Trap::Random), Shape::Plain),
    Call("create_lock", create_lock, Shape::Plain),
    Call("destroy_lock", |a| Ok(Trap::DestroyLock { id: a.lock(0)? }), Shape::Plain),
    Call("lock", |a| Ok(Trap::Lock { id: a.lock(0)?, timeout: a.timeout(1)? }), Shape::Plain),
    Call("try_lock", |a| Ok(Trap::TryLock { id: a.lock(0)? }), Shape::Plain),
    Call("unlock", |a| Ok(Trap::Unlock { id: a.lock(0)? }), Shape::Plain),
    Call("acquire", |a| Ok(Trap::Acquire { id: a.lock(0)?, timeout: a.timeout(1)? }), Shape::Plain),
    Call("try_acquire", |a| Ok(Trap::TryAcquire { id: a.lock(0)? }), Shape::Plain),
    Call("release", release, Shape::Plain),
    Call("wait_condition", wait_condition, Shape::Plain),
    Call("notify", |a| Ok(Trap::Notify { id: a.lock(0)?, all: a.bool(1)? }), Shape::Plain),
    Call(
        "wait_barrier",
        |a| Ok(Trap::WaitBarrier { id: a.lock(0)?, timeout: a.timeout(1)? }),
        Shape::Plain,
    ),
];

/// Calls of the prelude that the raw ABI doesn't have, or has in another form.
const NOT_RAW: &[&str] = &["nanos", "diagnose", "at_exit", "sigaction"];

/// `sigaction(signal, has_handler)`; the handler itself stays in Lua.
fn sigaction(args: &Args<'_>) -> Result<Trap, Fault> {
    let action = if args.bool(1)? { Action::Handler } else { Action::Event };
    Ok(Trap::Sigaction { signal: args.signal(0)?, disposition: Some(action.into()) })
}

fn sigprocmask(args: &Args<'_>) -> Result<Trap, Fault> {
    let how = match &args.name(0)?[..] {
        b"block" => MaskHow::Block,
        b"unblock" => MaskHow::Unblock,
        b"set" => MaskHow::Set,
        _ => return Err(Fault::Errno(Errno::EINVAL)),
    };
    Ok(Trap::Sigprocmask { how, set: args.signals(1)? })
}

fn receive(args: &Args<'_>) -> Result<Trap, Fault> {
    let filter = Filter { sender: args.pid_or_nil(0)?, name: args.name_or_nil(1)? };
    Ok(Trap::Receive { filter, timeout: args.timeout(2)? })
}

fn call(args: &Args<'_>) -> Result<Trap, Fault> {
    Ok(Trap::Call {
        pid: args.pid(0)?,
        name: args.name(1)?,
        data: args.data(2)?,
        timeout: args.timeout(3)?,
    })
}

/// `reply(param)`: to the request received last.
fn reply(args: &Args<'_>) -> Result<Trap, Fault> {
    let data = args.data(0)?;
    let request = args.record.request.borrow().clone();
    let request =
        request.ok_or_else(|| Fault::Argument("there is no request to reply to".to_owned()))?;
    Ok(Trap::Reply { pid: request.pid, token: Some(request.token), name: request.name, data })
}

/// The first hook of a process.
fn at_exit(args: &Args<'_>) -> Result<Trap, Fault> {
    args.record.has_hooks.set(true);
    Ok(Trap::AtExit { hooks: true })
}

fn diagnose(args: &Args<'_>) -> Result<Trap, Fault> {
    Ok(Trap::Diagnose { text: String::from_utf8_lossy(&args.text(0)?).into_owned() })
}

fn create_lock(args: &Args<'_>) -> Result<Trap, Fault> {
    let kind = match &args.name(0)?[..] {
        b"mutex" => LockKind::Mutex(protocol(args)?),
        b"semaphore" => LockKind::Semaphore(args.count(1)?),
        b"condition" => LockKind::Condition,
        b"barrier" => LockKind::Barrier(args.count(1)?),
        _ => return Err(Fault::Errno(Errno::EINVAL)),
    };
    Ok(Trap::CreateLock { kind })
}

fn protocol(args: &Args<'_>) -> Result<Protocol, Fault> {
    let Some(name) = args.name_or_nil(1)? else { return Ok(Protocol::None) };
    match &name[..] {
        b"none" => Ok(Protocol::None),
        b"inherit" => Ok(Protocol::Inherit),
        b"ceiling" => {
            let nice = i8::try_from(args.int(2)?).map_err(|_| Fault::Errno(Errno::EINVAL))?;
            Ok(Protocol::Ceiling(Ceiling { nice: Some(nice), ..Ceiling::default() }))
        }
        _ => Err(Fault::Errno(Errno::EINVAL)),
    }
}

fn release(args: &Args<'_>) -> Result<Trap, Fault> {
    let permits = if args.int_or_nil(1)?.is_none() { 1 } else { args.count(1)? };
    Ok(Trap::Release { id: args.lock(0)?, permits })
}

fn wait_condition(args: &Args<'_>) -> Result<Trap, Fault> {
    Ok(Trap::WaitCondition { id: args.lock(0)?, mutex: args.lock(1)?, timeout: args.timeout(2)? })
}

/// Puts a callback for each call into `soft`, which the prelude builds the modules from, and into
/// `raw`, which is the raw ABI.
pub(crate) fn install(
    lua: &Lua,
    context: &Rc<Context>,
    soft: &Table,
    raw: &Table,
) -> mlua::Result<()> {
    for &Call(name, build, shape) in CALLS {
        soft.raw_set(name, callback(lua, context, build, shape)?)?;
        if !NOT_RAW.contains(&name) {
            let shape = if shape == Shape::Next { Shape::RawNext } else { Shape::Raw };
            raw.raw_set(name, callback(lua, context, build, shape)?)?;
        }
    }
    Ok(())
}

fn callback(
    lua: &Lua,
    context: &Rc<Context>,
    build: Build,
    shape: Shape,
) -> mlua::Result<mlua::Function> {
    let context = context.clone();
    lua.create_function(move |lua, (a, b, c, d): (Value, Value, Value, Value)| {
        let record = context.record()?;
        let built = build(&Args { values: [a, b, c, d], record: &record });
        let reply = match built {
            Ok(trap) => context.trap(lua, trap, shape)?,
            Err(Fault::Argument(text)) => Reply::failed(lua, place::prefix(lua, &text, shape))?,
            Err(Fault::Errno(errno)) => Reply::failed(lua, errno.text())?,
        };
        Ok(<(Value, Value, Value)>::from(reply))
    })
}
