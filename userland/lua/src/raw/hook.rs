//! The count of instructions.

use std::ffi::c_int;

use mlua::{Lua, Thread, ffi};

use super::call::{Then, context_of, guarded};
use super::stack::Stack;

/// The hook that a state calls every so many instructions.
#[derive(Clone, Copy)]
pub(crate) struct Hook(c_int);

impl Hook {
    /// Sets it for a state that is bound, and so for each coroutine that is made from now on.
    pub(crate) fn install(lua: &Lua, period: u32) -> Hook {
        let hook = Hook(c_int::try_from(period).unwrap_or(c_int::MAX).max(1));
        hook.restore(lua, None);
        hook
    }

    /// Makes it the hook of a coroutine, or of the one that runs now.
    pub(crate) fn restore(self, lua: &Lua, thread: Option<&Thread>) {
        lua.exec_raw_lua(|raw| {
            let state = thread.map_or_else(|| raw.state(), Thread::state);
            // SAFETY: `state` is that of a coroutine or the one that runs now, alive while `raw`
            // and `thread` are borrowed, and it has its context.
            unsafe { ffi::lua_sethook(state, Some(count), ffi::LUA_MASKCOUNT, self.0) }
        });
    }
}

/// A period of instructions was run.
unsafe extern "C-unwind" fn count(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls it as a hook, with room for LUA_MINSTACK values. A yield of a hook returns
    // here; no frame with something to drop is left then.
    unsafe {
        let context = context_of(state);
        let stack = Stack::new(state);
        match guarded(context, || context.count(&stack)) {
            // A yield that is never resumed goes through every `pcall`, and leaves the coroutine
            // in order, so that it can be closed.
            Then::Park | Then::End if ffi::lua_isyieldable(state) != 0 => {
                ffi::lua_yield(state, 0);
            }
            // Where Lua can't yield, the coroutine fails at its next instruction, and at each one
            // after that: an error raised here would have the variables of the interrupted function
            // closed inside the hook, where nothing bounds what that runs.
            Then::End => ffi::lua_sethook(state, Some(fail), ffi::LUA_MASKCOUNT, 1),
            _ => {}
        }
    }
}

/// What lies at this address is never read: the address marks the error of [`fail`].
static DOOMED: u8 = 0;

/// # Safety
///
/// `state` has room for a value.
pub(super) unsafe fn push_doomed(state: *mut ffi::lua_State) {
    // SAFETY: by the contract.
    unsafe { ffi::lua_pushlightuserdata(state, (&raw const DOOMED).cast_mut().cast()) }
}

/// Raises an error that no `pcall` of the prelude catches.
unsafe extern "C-unwind" fn fail(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: called by Lua as a hook of `state`, which leaves room on its stack; no Rust frame
    // with something to drop lies between here and Lua.
    unsafe {
        push_doomed(state);
        ffi::lua_error(state)
    }
}
