//! The system calls: how each one's Lua arguments become a trap, and how its answer is shown.

use hothouse_abi::{
    Action, Ceiling, Errno, ExitStatus, Filter, Frame, LockKind, MaskHow, Protocol, Resume, Trap,
};
use mlua::{Lua, Table};

use crate::answers::{self, Shape};
use crate::args::{Args, Fault};
use crate::context::{Context, Current, Made};
use crate::place;
use crate::raw::{Stack, Then, call_function};

type Build = fn(&mut Args<'_, '_>) -> Result<Trap, Fault>;

/// A call's name, its arguments, how its answer is shown.
#[derive(Clone, Copy)]
pub(crate) struct Call(&'static str, Build, Shape);

const CALLS: [Call; 57] = [
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
    Call("sender", |a| Err(Fault::Known(a.record.sender())), Shape::Plain),
    Call("reply", reply, Shape::Sent),
    Call("register", |a| Ok(Trap::Register { name: a.name(0)? }), Shape::Sent),
    Call("unregister", |a| Ok(Trap::Unregister { name: a.name(0)? }), Shape::Plain),
    Call("lookup", |a| Ok(Trap::Lookup { name: a.name(0)? }), Shape::Plain),
    Call("spawn", spawn, Shape::Plain),
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
    Call("choose", |a| Ok(Trap::Choose { last: a.count(0)?.max(1) - 1 }), Shape::Plain),
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

static SOFT: [Call; CALLS.len()] = CALLS;

/// Calls of the prelude that the raw ABI doesn't have, or has in another form.
const NOT_RAW: &[&str] = &["nanos", "diagnose", "at_exit", "sigaction", "sender", "spawn"];

/// `sigaction(signal, has_handler)`; the handler itself stays in Lua.
fn sigaction(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    let action = if args.bool(1)? { Action::Handler } else { Action::Event };
    Ok(Trap::Sigaction { signal: args.signal(0)?, disposition: Some(action.into()) })
}

fn sigprocmask(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    let how = match &args.name(0)?[..] {
        b"block" => MaskHow::Block,
        b"unblock" => MaskHow::Unblock,
        b"set" => MaskHow::Set,
        _ => return Err(Fault::Errno(Errno::EINVAL)),
    };
    Ok(Trap::Sigprocmask { how, set: args.signals(1)? })
}

fn receive(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    let filter = Filter { sender: args.pid_or_nil(0)?, name: args.name_or_nil(1)? };
    Ok(Trap::Receive { filter, timeout: args.timeout(2)? })
}

fn call(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    Ok(Trap::Call {
        pid: args.pid(0)?,
        name: args.name(1)?,
        data: args.data(2)?,
        timeout: args.timeout(3)?,
    })
}

/// `reply(param)`: to the request received last.
fn reply(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    let data = args.data(0)?;
    let request = args.record.rare_if(|rare| rare.request.clone());
    let request =
        request.ok_or_else(|| Fault::Argument("there is no request to reply to".to_owned()))?;
    Ok(Trap::Reply { pid: request.pid, token: Some(request.token), name: request.name, data })
}

/// The child that was made ready before.
fn spawn(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    match args.record.rare_if(|rare| rare.child.take()) {
        Some(child) => Ok(Trap::Spawn { name: child.0, program: Some(child.1) }),
        None => Err(Fault::Errno(Errno::EINVAL)),
    }
}

/// The first hook of a process.
fn at_exit(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    args.record.has_hooks.set(true);
    Ok(Trap::AtExit { hooks: true })
}

fn diagnose(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    Ok(Trap::Diagnose { text: String::from_utf8_lossy(&args.text(0)?).into_owned() })
}

fn create_lock(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    let kind = match &args.name(0)?[..] {
        b"mutex" => LockKind::Mutex(protocol(args)?),
        b"semaphore" => LockKind::Semaphore(args.count(1)?),
        b"condition" => LockKind::Condition,
        b"barrier" => LockKind::Barrier(args.count(1)?),
        _ => return Err(Fault::Errno(Errno::EINVAL)),
    };
    Ok(Trap::CreateLock { kind })
}

fn protocol(args: &mut Args<'_, '_>) -> Result<Protocol, Fault> {
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

fn release(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    let permits = if args.int_or_nil(1)?.is_none() { 1 } else { args.count(1)? };
    Ok(Trap::Release { id: args.lock(0)?, permits })
}

fn wait_condition(args: &mut Args<'_, '_>) -> Result<Trap, Fault> {
    Ok(Trap::WaitCondition { id: args.lock(0)?, mutex: args.lock(1)?, timeout: args.timeout(2)? })
}

/// The same calls for the raw ABI.
static RAW: [Call; CALLS.len()] = {
    let mut raw = CALLS;
    let mut i = 0;
    while i < raw.len() {
        raw[i].2 = if matches!(raw[i].2, Shape::Next) { Shape::RawNext } else { Shape::Raw };
        i += 1;
    }
    raw
};

/// Puts each call into `soft`, which the prelude builds the modules from, and into `raw`, which is
/// the raw ABI.
///
/// # Errors
///
/// A memory error.
pub(crate) fn install(lua: &Lua, soft: &Table, raw: &Table) -> mlua::Result<()> {
    for call in &SOFT {
        soft.raw_set(call.0, call_function(lua, call)?)?;
    }
    for call in RAW.iter().filter(|call| !NOT_RAW.contains(&call.0)) {
        raw.raw_set(call.0, call_function(lua, call)?)?;
    }
    Ok(())
}

impl Call {
    /// Lua calls it, with its arguments on the stack.
    pub(crate) fn make(&self, context: &Context, stack: &mut Stack<'_>) -> Then {
        let current = context.current();
        let Some(current) = &*current else { return Then::End };
        let &Call(_, build, shape) = self;
        match build(&mut Args { stack, record: &current.record }) {
            Ok(trap) => self.trap(context, current, stack, trap),
            Err(Fault::Known(pid)) => answers::show(stack, current, &Resume::Found(pid), shape),
            Err(Fault::Argument(text)) => self.refuse(stack, current, &text),
            Err(Fault::Errno(errno)) => answers::fail(stack, current, errno.text(), shape),
        }
    }

    fn trap(
        &self,
        context: &Context,
        current: &Current,
        stack: &mut Stack<'_>,
        trap: Trap,
    ) -> Then {
        let shape = self.2;
        let mut frame = Frame::new(trap);
        match context.trap(stack, current, &mut frame) {
            Made::Answered => answers::show(stack, current, &frame.resume, shape),
            Made::Parked if !frame.atomic => Then::Park,
            Made::Parked => match context.strand(&current.record) {
                Some(answer) => answers::show(stack, current, &answer, shape),
                None => Then::End,
            },
            Made::Refused => {
                let name = frame.trap.name();
                let text = format!("{name} cannot wait here: Lua can't yield across a call from C");
                self.refuse(stack, current, &text)
            }
        }
    }

    /// Fails with a text about the caller.
    #[cold]
    fn refuse(&self, stack: &mut Stack<'_>, current: &Current, text: &str) -> Then {
        let shape = self.2;
        if shape.is_raw() {
            return answers::fail(stack, current, text, shape);
        }
        answers::fail(stack, current, &place::prefix(stack, text), shape)
    }

    /// It was resumed after it parked.
    pub(crate) fn answered(&self, context: &Context, stack: &mut Stack<'_>) -> Then {
        let current = context.current();
        match (&*current, context.take_answer()) {
            (Some(current), Some(answer)) => answers::show(stack, current, &answer, self.2),
            _ => Then::End,
        }
    }
}
