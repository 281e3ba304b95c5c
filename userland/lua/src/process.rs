use std::panic::resume_unwind;
use std::path::PathBuf;
use std::rc::Rc;

use hothouse_abi::{Body, ExitStatus, Gate, Resume, Signal, Step, Trap, Value as Data};
use mlua::{Function, Table, Thread, Value};
use smallvec::SmallVec;

use crate::context::Current;
use crate::failure::{EXHAUSTED, Failure, MEMORY};
use crate::fork::Image;
use crate::raw::{self, Args, Resumed};
use crate::record::Record;
use crate::state::{State, Tenant};

/// A Lua program as the kernel runs it: layers of coroutines, a handler's over what it interrupted.
pub(crate) struct LuaProcess {
    // invariant: handles into the Lua state are dropped before the tenant.
    // Most processes never have more than one layer.
    layers: SmallVec<[Layer; 1]>,
    record: Option<Rc<Record>>,
    start: Option<Box<Start>>,
    tenant: Tenant,
}

const _: () = assert!(size_of::<LuaProcess>() <= 72);

/// What a process starts with.
pub(crate) struct Start {
    /// Where it looks for files.
    pub(crate) folder: Option<Rc<PathBuf>>,
    pub(crate) main: Main,
}

/// The main function of a process.
pub(crate) enum Main {
    /// A compiled file.
    Chunk { chunk: usize, args: Vec<Data> },
    /// The copy that a fork made.
    Fork(Box<Image>),
}

/// What the next answer is for.
enum Layer {
    /// A coroutine that waits for it.
    Lua {
        thread: Thread,
        kind: Kind,
        /// Whether it waits in a system call, and not in the hook.
        expects: bool,
    },
    /// Nothing: a message goes out first.
    Diagnose(String),
    /// Nothing: a handler ended.
    SigReturn,
    /// Nothing: the hooks ended.
    Exit,
    /// Nothing: the answer is this one, kept while a late handler ran.
    Answer(Box<Resume>),
    /// Whether the run may be unlike others; then this trap is to be made.
    Held(Box<Trap>),
    /// Nothing: the process ended.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Main,
    Handler(Signal),
    /// A handler whose `SigReturn` was made before it ran.
    LateHandler,
    Hooks,
}

impl LuaProcess {
    pub(crate) fn new(tenant: Tenant, start: Start) -> LuaProcess {
        let start = Some(Box::new(start));
        LuaProcess { layers: SmallVec::new(), record: None, start, tenant }
    }

    fn status(&self) -> ExitStatus {
        let record = self.record.as_deref();
        let status = record.and_then(|record| record.rare_if(|rare| rare.status.clone()));
        status.unwrap_or(ExitStatus::Exited(Data::Nil))
    }

    fn state(&self) -> Rc<State> {
        self.tenant.state().clone()
    }

    #[cold]
    fn new_record(&mut self, state: &State) -> mlua::Result<Rc<Record>> {
        let folder = self.start.as_ref().and_then(|start| start.folder.clone());
        let record = Rc::new(state.with_head_room(|_| state.new_record(folder))?);
        self.record = Some(record.clone());
        Ok(record)
    }

    // From here to the coroutine all is one function: 46 of the 4,017 instructions of a message.

    /// Acts on what the kernel resumed with until a trap parks or the program ends.
    #[inline(always)]
    fn run(&mut self, state: &State, record: &Rc<Record>, mut resume: Resume) -> Step {
        loop {
            let next = match resume {
                Resume::Start => self.begin(state, record),
                Resume::Handler(signal) => self.handler(state, Kind::Handler(signal), signal),
                Resume::Hooks => {
                    record.has_hooks.set(false);
                    record.in_hooks.set(true);
                    state.context.budget.refill();
                    let hooks = state.prelude.run_hooks.clone();
                    self.push(state, hooks, Kind::Hooks, Args::default())
                }
                Resume::Unwind => return self.unwind(state, record),
                answer => self.answered(state, record, answer),
            };
            match next {
                Next::Resume(next) => resume = next,
                Next::Parked => return Step::Parked,
                Next::Ended => return Step::Ended(self.status()),
            }
        }
    }

    fn begin(&mut self, state: &State, record: &Rc<Record>) -> Next {
        let main = self.start.take().map(|start| start.main);
        type Called<'a> = (Function, Option<&'a Table>, Vec<Value>);
        let made = state.with_head_room(|lua| -> mlua::Result<Called<'_>> {
            match main {
                Some(Main::Chunk { chunk, args }) => {
                    let args: mlua::Result<_> =
                        args.iter().map(|arg| raw::value_of(lua, arg)).collect();
                    Ok((state.function(chunk), Some(&record.globals), args?))
                }
                Some(Main::Fork(image)) => {
                    let (function, args) = image.decode(state, record)?;
                    Ok((function, None, args.into_iter().collect()))
                }
                None => Err(mlua::Error::runtime("the program was started twice")),
            }
        });
        match made {
            Ok((function, globals, args)) => {
                self.push(state, function, Kind::Main, Args { globals, others: &args })
            }
            Err(error) => self.failed(state, record, Kind::Main, Failure::of_error(&error)),
        }
    }

    fn handler(&mut self, state: &State, kind: Kind, signal: Signal) -> Next {
        let handle = state.prelude.handle.clone();
        let others = &[Value::Integer(signal.number().into())];
        self.push(state, handle, kind, Args { globals: None, others })
    }

    /// Starts a coroutine over what there is.
    fn push(&mut self, state: &State, function: Function, kind: Kind, args: Args<'_>) -> Next {
        match state.with_head_room(|lua| lua.create_thread(function)) {
            Ok(thread) => {
                self.layers.push(Layer::Lua { thread, kind, expects: false });
                self.step(state, args)
            }
            Err(error) => self.failed_now(state, kind, Failure::of_error(&error)),
        }
    }

    /// The same as [`failed`](Self::failed), of a process that was begun.
    fn failed_now(&mut self, state: &State, kind: Kind, failure: Failure) -> Next {
        match self.record.clone() {
            Some(record) => self.failed(state, &record, kind, failure),
            None => Next::Ended,
        }
    }

    /// Passes an answer on to what waits for it.
    #[inline(always)]
    fn answered(&mut self, state: &State, record: &Rc<Record>, answer: Resume) -> Next {
        if let Some(Layer::Lua { expects, .. }) = self.layers.last() {
            let late = record.rare_if(|rare| rare.deferred.pop());
            if let Some(signal) = late {
                self.layers.push(Layer::Answer(Box::new(answer)));
                return self.handler(state, Kind::LateHandler, signal);
            }
            if *expects {
                state.context.put_answer(answer);
            }
            return self.step(state, Args::default());
        }
        let Some(layer) = self.layers.pop() else { return Next::Ended };
        let trap = match layer {
            Layer::Lua { .. } => return Next::Ended,
            Layer::Answer(kept) => return Next::Resume(*kept),
            // The kernel runs no hooks of a body that says it ended: it must ask to exit.
            Layer::End if record.has_hooks.get() => Trap::Exit { status: self.status() },
            Layer::End => return Next::Ended,
            Layer::Held(_) if answer == Resume::Flag(true) => {
                record.rare().doom = Some("pairs over keys without an order".to_owned());
                self.close_layers(state, record);
                let error = mlua::Error::runtime("pairs over keys without an order");
                return self.failed(state, record, Kind::Main, Failure::of_error(&error));
            }
            Layer::Held(trap) => *trap,
            Layer::Diagnose(text) => Trap::Diagnose { text },
            Layer::SigReturn => Trap::SigReturn,
            Layer::Exit => Trap::Exit { status: self.status() },
        };
        match state.context.raw_trap(trap) {
            Some(answer) => Next::Resume(answer),
            None => Next::Parked,
        }
    }

    /// Runs the innermost coroutine until it yields or ends.
    #[inline(always)]
    fn step(&mut self, state: &State, args: Args<'_>) -> Next {
        let Some(Layer::Lua { thread, expects, .. }) = self.layers.last_mut() else {
            return Next::Ended;
        };
        let resumed = raw::resume(&state.lua, thread, args);
        if let Some(payload) = state.context.take_panic() {
            resume_unwind(payload);
        }
        if matches!(resumed, Resumed::Yielded) && !state.context.is_doomed() {
            *expects = state.context.expects_answer();
            state.context.take_parking();
            if let Some(trap) = state.context.take_held() {
                self.layers.push(Layer::Held(trap));
            }
            return self.pending(state);
        }
        match self.layers.pop() {
            Some(Layer::Lua { thread, kind, .. }) => self.ended(state, &thread, kind, resumed),
            _ => Next::Ended,
        }
    }

    /// Goes on after a coroutine that ended, or that must.
    fn ended(&mut self, state: &State, thread: &Thread, kind: Kind, resumed: Resumed) -> Next {
        let failure = match resumed {
            Resumed::Returned(value) => {
                let next = self.returned(kind, value);
                // It ended between a trap that parked and the yield: the answer is still to come.
                return if state.context.take_parking() { self.pending(state) } else { next };
            }
            Resumed::Yielded => {
                state.context.take_parking();
                Failure::of_error(&mlua::Error::runtime(EXHAUSTED))
            }
            Resumed::Failed(error) => Failure::of_value(&state.prelude, thread, &error),
            Resumed::OutOfMemory => Failure::memory(),
        };
        self.close(state, thread);
        let next = self.failed_now(state, kind, failure);
        if state.context.take_parking() { self.pending(state) } else { next }
    }

    fn pending(&self, state: &State) -> Next {
        state.context.take_pending().map_or(Next::Parked, |next| Next::Resume(*next))
    }

    fn returned(&mut self, kind: Kind, value: Data) -> Next {
        match kind {
            Kind::Main => {
                if let (Some(record), false) = (&self.record, value == Data::Nil) {
                    record.rare().status = Some(ExitStatus::Exited(value));
                }
                self.layers.push(Layer::End);
            }
            Kind::Handler(_) => self.layers.push(Layer::SigReturn),
            Kind::LateHandler => {}
            Kind::Hooks => self.layers.push(Layer::Exit),
        }
        Next::Resume(Resume::Unit)
    }

    fn failed(&mut self, state: &State, record: &Rc<Record>, kind: Kind, failure: Failure) -> Next {
        let doom = record.rare_if(|rare| rare.doom.clone());
        let fatal = doom.is_some() || failure.is_fatal;
        let (message, trace) = match doom {
            Some(doom) => (doom, String::new()),
            None => (failure.message, failure.trace),
        };
        let text = match kind {
            Kind::Handler(signal) if !fatal => format!("in the handler of {signal}: {message}"),
            _ => message.clone(),
        };
        match kind {
            Kind::Hooks => self.layers.push(Layer::Exit),
            Kind::Handler(_) if !fatal => self.layers.push(Layer::SigReturn),
            Kind::LateHandler if !fatal => {}
            _ => {
                record.rare().status = Some(ExitStatus::Failed(message));
                self.close_layers(state, record);
                self.layers.push(Layer::End);
            }
        }
        self.layers.push(Layer::Diagnose(text + &trace));
        Next::Resume(Resume::Unit)
    }

    fn unwind(&mut self, state: &State, record: &Record) -> Step {
        self.close_layers(state, record);
        Step::Ended(ExitStatus::Exited(Data::Nil))
    }

    /// Runs what the coroutines have to close, the innermost first.
    fn close_layers(&mut self, state: &State, record: &Record) {
        while let Some(layer) = self.layers.pop() {
            if let Layer::Lua { thread, .. } = layer {
                close(state, record, &thread);
            }
        }
    }

    /// Runs what a coroutine that failed has to close.
    fn close(&self, state: &State, thread: &Thread) {
        if let Some(record) = &self.record {
            close(state, record, thread);
        }
    }
}

/// Runs what a coroutine has to close, with an instruction budget of its own.
fn close(state: &State, record: &Record, thread: &Thread) {
    let doom = record.rare_if(|rare| rare.doom.take());
    state.context.renew_budget();
    state.restore_hook(Some(thread));
    let before = record.unwinding.replace(true);
    // What fails while closing has nobody left to hear of it. Coroutines that a hook made fail are
    // left as they are: Lua calls no more hooks in them, so nothing would bound what they close.
    let _ = state.prelude.close.call::<()>((thread, doom.is_some()));
    state.restore_hook(None);
    record.unwinding.set(before);
    record.rare_if(|rare| rare.doom = doom);
}

/// How [`LuaProcess::run`] goes on.
enum Next {
    Resume(Resume),
    Parked,
    Ended,
}

impl Body for LuaProcess {
    fn resume(&mut self, gate: &Rc<dyn Gate>, resume: Resume) -> Step {
        let state = self.state();
        let record = match &self.record {
            Some(record) => record.clone(),
            None => match self.new_record(&state) {
                Ok(record) => record,
                Err(_) => return Step::Ended(ExitStatus::Failed(MEMORY.to_owned())),
            },
        };
        let current = Current { gate: gate.clone(), record: record.clone(), state: state.clone() };
        let before = state.context.enter(current);
        let step = self.run(&state, &record, resume);
        if record.in_hooks.get() {
            record.rare().hooks_left = state.context.budget.left();
        }
        state.context.leave(before);
        if state.context.take_unhooked() {
            state.restore_hook(None);
        }
        if matches!(&step, Step::Ended(ExitStatus::Failed(text)) if text == MEMORY) {
            // What it leaves must not cost another process its life.
            let _ = state.lua.gc_collect();
        }
        step
    }

    fn place(&self) -> Option<String> {
        let thread = self.layers.iter().rev().find_map(|layer| match layer {
            Layer::Lua { thread, .. } => Some(thread),
            _ => None,
        })?;
        self.tenant.state().where_is(thread)
    }
}
