use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table, Thread, Value};

use crate::context::Context;
use crate::error::LuaError;
use crate::failure::MEMORY;
use crate::host::Host;
use crate::raw::NoLimit;
use crate::record::Record;
use crate::settings::LuaSettings;
use crate::{calls, kit, library, place, raw};

/// Memory that the runtime's own work may use above the limit of the programs.
const HEAD_ROOM: usize = 1 << 20;

/// One Lua state, shared by the processes in it.
pub(crate) struct State {
    // invariant: the Lua state is dropped after every handle into it.
    pub(crate) prelude: Prelude,
    chunks: RefCell<Chunks>,
    live: Cell<usize>,
    // Processes may start others, also when the user has dropped the host.
    _host: Rc<Host>,
    memory_limit: usize,
    /// The hook that counts instructions, if there is one.
    hook: Option<raw::Hook>,
    pub(crate) lua: Lua,
    // invariant: dropped after the Lua state, which is bound to it.
    pub(crate) context: Rc<Context>,
}

/// What the Lua side of the runtime is used by.
pub(crate) struct Prelude {
    /// Runs the handler of a signal.
    pub(crate) handle: Function,
    /// Runs the exit hooks.
    pub(crate) run_hooks: Function,
    /// Closes a coroutine and those that it waits in.
    pub(crate) close: Function,
    /// What programs have as `tostring`.
    pub(crate) tostring: Function,
    /// Looks into functions and coroutines.
    pub(crate) debug: Debug,
    /// The metatable of every process's globals.
    globals: Table,
    /// Shared values by name, for forks.
    pub(crate) names: Table,
    /// The names of shared values.
    pub(crate) values: Table,
}

/// The functions of Lua's `debug` library that the runtime uses.
pub(crate) struct Debug {
    pub(crate) traceback: Function,
    pub(crate) getupvalue: Function,
    pub(crate) setupvalue: Function,
    pub(crate) upvalueid: Function,
    pub(crate) upvaluejoin: Function,
}

impl Debug {
    fn of(lua: &Lua) -> mlua::Result<Debug> {
        let debug: Table = lua.globals().raw_get("debug")?;
        Ok(Debug {
            traceback: debug.raw_get("traceback")?,
            getupvalue: debug.raw_get("getupvalue")?,
            setupvalue: debug.raw_get("setupvalue")?,
            upvalueid: debug.raw_get("upvalueid")?,
            upvaluejoin: debug.raw_get("upvaluejoin")?,
        })
    }
}

/// Compiled files: each is a function of its globals.
#[derive(Default)]
struct Chunks {
    numbers: BTreeMap<(String, Rc<[u8]>), usize>,
    functions: Vec<Function>,
}

/// Marks a process as living in a state, until it is dropped.
pub(crate) struct Tenant(Rc<State>);

impl Tenant {
    pub(crate) fn state(&self) -> &Rc<State> {
        &self.0
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
    }
}

impl State {
    /// # Errors
    ///
    /// A memory error, if the limit leaves no room for the libraries.
    pub(crate) fn new(host: Rc<Host>, settings: &LuaSettings) -> mlua::Result<State> {
        let lua = raw::new_lua();
        let context = Rc::new(Context::new(settings));
        raw::bind(&lua, &context);
        let prelude = load_prelude(&lua, &context, &Rc::downgrade(&host))?;
        let limit = settings.memory_per_state.max(lua.used_memory() + HEAD_ROOM);
        lua.set_memory_limit(limit)?;
        let hook = settings.needs_hook().then(|| raw::Hook::install(&lua, settings.hook_period));
        let (chunks, live) = (RefCell::default(), Cell::new(0));
        Ok(State { _host: host, prelude, chunks, live, context, memory_limit: limit, hook, lua })
    }

    /// How many processes live in it.
    pub(crate) fn live(&self) -> usize {
        self.live.get()
    }

    pub(crate) fn tenant(self: &Rc<State>) -> Tenant {
        self.live.set(self.live.get() + 1);
        Tenant(self.clone())
    }

    /// Does the runtime's own work, for which there is memory left when programs have used theirs.
    pub(crate) fn with_head_room<R>(&self, work: impl FnOnce(&Lua) -> R) -> R {
        // Only Lua 5.1 states that mlua does not own refuse a limit.
        let _ = self.lua.set_memory_limit(self.memory_limit + HEAD_ROOM);
        let result = work(&self.lua);
        let _ = self.lua.set_memory_limit(self.memory_limit);
        result
    }

    /// Does what needs memory for the program that runs now, with no limit meanwhile. If too much
    /// is in use then, that program ends.
    pub(crate) fn without_limit<R>(&self, work: impl FnOnce(&NoLimit<'_>) -> R) -> R {
        let result = work(&NoLimit::of(&self.lua));
        if self.lua.used_memory() > self.memory_limit {
            self.shed();
        }
        result
    }

    #[cold]
    fn shed(&self) {
        let _ = self.lua.gc_collect();
        if self.lua.used_memory() > self.memory_limit {
            self.context.doom(MEMORY);
        }
    }

    /// Gives the state itself, or a coroutine, the counting hook again, after a failing one.
    pub(crate) fn restore_hook(&self, thread: Option<&Thread>) {
        if let Some(hook) = self.hook {
            hook.restore(&self.lua, thread);
        }
    }

    /// The innermost line of a coroutine that waits, such as `server.lua:12`.
    pub(crate) fn where_is(&self, thread: &Thread) -> Option<String> {
        let trace: String = self.prelude.debug.traceback.call(thread.clone()).ok()?;
        place::of_traceback(&trace)
    }

    /// A record with fresh globals.
    ///
    /// # Errors
    ///
    /// A memory error.
    pub(crate) fn new_record(&self, folder: Option<Rc<PathBuf>>) -> mlua::Result<Record> {
        let globals = self.lua.create_table()?;
        globals.raw_set("_G", &globals)?;
        globals.set_metatable(Some(self.prelude.globals.clone()))?;
        Ok(Record::new(folder, globals))
    }

    /// The number of the chunk, compiled if it is new here.
    ///
    /// # Errors
    ///
    /// If it is no Lua text.
    pub(crate) fn chunk(&self, name: &str, source: &Rc<[u8]>) -> Result<usize, LuaError> {
        let key = (name.to_owned(), source.clone());
        if let Some(&number) = self.chunks.borrow().numbers.get(&key) {
            return Ok(number);
        }
        let function = self.with_head_room(|lua| compile(lua, name, source))?;
        let mut chunks = self.chunks.borrow_mut();
        let number = chunks.functions.len();
        chunks.functions.push(function);
        chunks.numbers.insert(key, number);
        Ok(number)
    }

    /// The function of a chunk; its first argument is the table of globals.
    pub(crate) fn function(&self, number: usize) -> Function {
        self.chunks.borrow().functions[number].clone()
    }
}

/// The name under which Lua knows a file.
pub(crate) fn chunk_name(path: &Path) -> String {
    path.display().to_string()
}

fn compile(lua: &Lua, name: &str, source: &[u8]) -> Result<Function, LuaError> {
    if source.starts_with(b"\x1b") {
        return Err(LuaError::Bytecode { chunk: name.to_owned() });
    }
    let mut text = source.to_vec();
    if text.starts_with(b"#") {
        let line = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
        text.drain(..line);
    }
    // Compiled as it is first, so that text that is no whole chunk is found out.
    load(lua, name, text.clone())?;
    let wrapped = [b"return function(_ENV, ...) ".as_slice(), &text, b"\nend"].concat();
    let maker = load(lua, name, wrapped)?;
    maker.call(()).map_err(|_| LuaError::Memory)
}

fn load(lua: &Lua, name: &str, text: Vec<u8>) -> Result<Function, LuaError> {
    let chunk = lua.load(text).set_name(format!("@{name}")).set_mode(ChunkMode::Text);
    chunk.into_function().map_err(|error| match error {
        mlua::Error::SyntaxError { message, .. } => LuaError::Syntax { message },
        mlua::Error::MemoryError(_) => LuaError::Memory,
        other => LuaError::Syntax { message: other.to_string() },
    })
}

fn load_prelude(lua: &Lua, context: &Rc<Context>, host: &Weak<Host>) -> mlua::Result<Prelude> {
    let run = |source: &'static str| {
        lua.load(source).set_name(format!("={}", place::PRELUDE)).into_function()
    };
    let (kit, raw) = (lua.create_table()?, lua.create_table()?);
    kit::install(lua, context, host, &kit)?;
    calls::install(lua, &kit, &raw)?;
    let base = standard_base(lua, context)?;
    let caught: Function =
        run(include_str!("prelude/base.lua"))?.call((kit.clone(), base.clone()))?;
    let system: Table =
        run(include_str!("prelude/system.lua"))?.call((kit.clone(), raw, base.clone()))?;
    let trap: Function = system.raw_get("trap")?;
    let (coroutines, close): (Table, Function) =
        run(include_str!("prelude/coroutines.lua"))?.call((trap, caught))?;
    let tostring = base.raw_get("tostring")?;
    let parts = (kit, base, system, coroutines);
    let made: Table = run(include_str!("prelude/finish.lua"))?.call(parts)?;
    Ok(Prelude {
        handle: made.raw_get("handle")?,
        run_hooks: made.raw_get("run_hooks")?,
        close,
        tostring,
        debug: Debug::of(lua)?,
        globals: made.raw_get("globals")?,
        names: made.raw_get("names")?,
        values: made.raw_get("values")?,
    })
}

/// The standard functions that programs get, made the same in every run.
fn standard_base(lua: &Lua, context: &Rc<Context>) -> mlua::Result<Table> {
    const NAMES: &[&str] = &[
        "_VERSION",
        "assert",
        "error",
        "getmetatable",
        "ipairs",
        "load",
        "next",
        "pairs",
        "pcall",
        "rawequal",
        "rawget",
        "rawlen",
        "rawset",
        "select",
        "setmetatable",
        "tonumber",
        "tostring",
        "type",
        "xpcall",
        "string",
        "table",
        "math",
        "utf8",
        "coroutine",
    ];
    let (base, globals) = (lua.create_table()?, lua.globals());
    for &name in NAMES {
        base.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let (weak, warner) = (lua.weak(), context.clone());
    library::install(lua, &base, &context.budget, move || match weak.try_upgrade() {
        Some(lua) => warner.warn(&lua),
        None => Ok(()),
    })?;
    base.raw_get::<Table>("string")?.raw_set("dump", Value::Nil)?;
    Ok(base)
}
