//! The few things that Lua's C interface has and mlua offers no safe call for.
// The one file of the crate with unsafe code, so that it can be read in one sitting.
#![allow(unsafe_code)]

use mlua::{Lua, LuaOptions, StdLib, ffi};

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
    // The sandbox (`sandbox.rs`) hands programs a base without it, and without `package`, by
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
