//! The few things that Lua's C interface has and mlua offers no safe call for, or none that is cheap
//! enough.
// The one module of the crate with unsafe code, so that it can be read in one sitting.
#![allow(unsafe_code)]

mod call;
mod hook;
mod primitive;
mod resume;
mod stack;

use mlua::{Lua, LuaOptions, StdLib};

pub(crate) use call::{Then, bind, call_function};
pub(crate) use hook::Hook;
pub(crate) use primitive::{find_function, keys_function, match_function, search_function};
pub(crate) use resume::{Args, Resumed, resume};
pub(crate) use stack::{Item, Slot, Stack, StackFull, value_of};

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

/// Proof that no limit of memory holds while it lives: what allocates in Lua raises no error, so
/// that Rust values may be held meanwhile.
pub(crate) struct NoLimit<'a> {
    lua: &'a Lua,
    before: usize,
}

impl NoLimit<'_> {
    pub(crate) fn of(lua: &Lua) -> NoLimit<'_> {
        // Only Lua 5.1 states that mlua does not own refuse a limit.
        NoLimit { lua, before: lua.set_memory_limit(0).unwrap_or_default() }
    }
}

impl Drop for NoLimit<'_> {
    fn drop(&mut self) {
        let _ = self.lua.set_memory_limit(self.before);
    }
}
