//! The few things that Lua's C interface has and mlua offers no safe call for.
// The one file of the crate with unsafe code, so that it can be read in one sitting.
#![allow(unsafe_code)]

use mlua::{Lua, LuaOptions, StdLib, Thread, Value, ffi};

/// A Lua state with the standard libraries that the prelude needs, `debug` among them.
///
/// The prelude keeps `debug` to itself: `fork` reads and joins upvalues through it, and no
/// program ever sees it.
pub(crate) fn new_lua() -> Lua {
    let libs = StdLib::TABLE
        | StdLib::STRING
        | StdLib::UTF8
        | StdLib::MATH
        | StdLib::COROUTINE
        | StdLib::DEBUG;
    // SAFETY: what makes `debug` unsafe is that programs could break mlua's own tables with it.
    // The base that programs get (`state.rs`) is without it, and without `package`, by
    // which C modules would be loaded.
    unsafe { Lua::unsafe_new_with(libs, LuaOptions::default()) }
}

/// Whether the coroutine that runs now may yield from here: no C function lies between it and
/// its resume.
pub(crate) fn is_yieldable(lua: &Lua) -> bool {
    lua.exec_raw_lua(|raw| {
        // SAFETY: `state` is the state that runs now, alive while `raw` is borrowed, and
        // `lua_isyieldable` only reads a counter in it.
        unsafe { ffi::lua_isyieldable(raw.state()) != 0 }
    })
}

/// The hook that a state calls every so many instructions.
#[derive(Clone, Copy)]
pub(crate) struct Hook {
    function: ffi::lua_Hook,
    period: std::ffi::c_int,
}

impl Hook {
    /// The one that the state has.
    pub(crate) fn of(lua: &Lua) -> Option<Hook> {
        lua.exec_raw_lua(|raw| {
            let state = raw.state();
            // SAFETY: `state` is alive while `raw` is borrowed; both functions only read fields.
            unsafe {
                let function = ffi::lua_gethook(state)?;
                Some(Hook { function, period: ffi::lua_gethookcount(state) })
            }
        })
    }

    /// Makes it the hook of a coroutine, or of the one that runs now.
    pub(crate) fn restore(self, lua: &Lua, thread: Option<&Thread>) {
        lua.exec_raw_lua(|raw| {
            let state = thread.map_or_else(|| raw.state(), Thread::state);
            // SAFETY: `state` is that of a coroutine or the one that runs now, alive while `raw`
            // and `thread` are borrowed, and the function is the hook of the same Lua.
            unsafe { ffi::lua_sethook(state, Some(self.function), ffi::LUA_MASKCOUNT, self.period) }
        });
    }
}

/// What lies at this address is never read: the address marks the error of [`fail_on`].
static DOOMED: u8 = 0;

/// Makes the coroutine that runs now fail at its next instruction, and at each one after that.
///
/// For places where Lua can't yield. A hook that returns an error to mlua would have the variables
/// of the interrupted function closed inside the hook, where nothing bounds what that runs.
pub(crate) fn fail_on(lua: &Lua) {
    lua.exec_raw_lua(|raw| {
        // SAFETY: the state that runs now is alive while `raw` is borrowed.
        unsafe { ffi::lua_sethook(raw.state(), Some(fail), ffi::LUA_MASKCOUNT, 1) }
    });
}

/// Raises an error that no `pcall` of the prelude catches.
unsafe extern "C-unwind" fn fail(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    let mark = (&raw const DOOMED).cast_mut().cast();
    // SAFETY: called by Lua as a hook of `state`, which leaves room on its stack; no Rust frame
    // with something to drop lies between here and Lua.
    unsafe {
        ffi::lua_pushlightuserdata(state, mark);
        ffi::lua_error(state)
    }
}

/// What a coroutine did.
pub(crate) enum Resumed {
    Yielded,
    /// The first of its results.
    Returned(Value),
    /// The error value as it is: mlua's own resume would show it, by the program's metamethods and
    /// with addresses.
    Failed(Value),
    OutOfMemory,
}

/// Resumes a coroutine. What it yields is dropped.
pub(crate) fn resume(lua: &Lua, thread: &Thread, args: &[Value]) -> Resumed {
    lua.exec_raw_lua(|raw| {
        let (state, co) = (raw.state(), thread.state());
        let Ok(count) = i32::try_from(args.len()) else { return Resumed::OutOfMemory };
        // SAFETY: both states are alive while `raw` and `thread` are borrowed. Each push has room,
        // by the checks, which like all that is called here raise no error: `lua_resume` catches
        // those of the coroutine. Values are taken off where they were put, and `co` keeps the rest
        // of its stack, which a coroutine that a hook stopped needs.
        unsafe {
            if ffi::lua_checkstack(state, count + 2) == 0 || ffi::lua_checkstack(co, count + 2) == 0
            {
                return Resumed::OutOfMemory;
            }
            for (i, arg) in args.iter().enumerate() {
                if raw.push_value(arg).is_err() {
                    ffi::lua_pop(state, i as i32);
                    return Resumed::OutOfMemory;
                }
            }
            ffi::lua_xmove(state, co, count);
            let mut results = 0;
            let status = ffi::lua_resume(co, state, count, &mut results);
            match status {
                ffi::LUA_YIELD => {
                    ffi::lua_pop(co, results);
                    Resumed::Yielded
                }
                ffi::LUA_OK if results == 0 => Resumed::Returned(Value::Nil),
                ffi::LUA_ERRMEM => Resumed::OutOfMemory,
                _ => {
                    if status == ffi::LUA_OK {
                        ffi::lua_pop(co, results - 1);
                    }
                    ffi::lua_xmove(co, state, 1);
                    let value = raw.pop_value();
                    if status == ffi::LUA_OK {
                        Resumed::Returned(value)
                    } else {
                        Resumed::Failed(value)
                    }
                }
            }
        }
    })
}
