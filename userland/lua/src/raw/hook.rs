//! The count of instructions.

use std::ffi::c_int;
use std::rc::Rc;

use mlua::{Lua, Thread, ffi};

use super::NoLimit;
use super::call::{Then, guarded};
use super::stack::Stack;
use crate::context::Context;

/// The hook that a state calls every so many instructions.
#[derive(Clone, Copy)]
pub(crate) struct Hook(c_int);

/// The address under which a state's registry has that of its context.
static CONTEXT: u8 = 0;

impl Hook {
    /// Sets it for a state, and so for each coroutine that is made from now on.
    pub(crate) fn install(lua: &Lua, context: &Rc<Context>, period: u32) -> Hook {
        let hook = Hook(c_int::try_from(period).unwrap_or(c_int::MAX).max(1));
        let no_limit = NoLimit::of(lua);
        lua.exec_raw_lua(|raw| {
            let state = raw.state();
            // SAFETY: mlua leaves room for a value, and without a limit nothing raises an error.
            // The context lives as long as the state.
            unsafe {
                ffi::lua_pushlightuserdata(state, Rc::as_ptr(context).cast_mut().cast());
                ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, (&raw const CONTEXT).cast());
            }
        });
        drop(no_limit);
        hook.restore(lua, None);
        hook
    }

    /// Makes it the hook of a coroutine, or of the one that runs now.
    pub(crate) fn restore(self, lua: &Lua, thread: Option<&Thread>) {
        lua.exec_raw_lua(|raw| {
            let state = thread.map_or_else(|| raw.state(), Thread::state);
            // SAFETY: `state` is that of a coroutine or the one that runs now, alive while `raw`
            // and `thread` are borrowed, and its registry has the context.
            unsafe { ffi::lua_sethook(state, Some(count), ffi::LUA_MASKCOUNT, self.0) }
        });
    }
}

/// A period of instructions was run.
unsafe extern "C-unwind" fn count(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls it as a hook, with room for LUA_MINSTACK values. The registry has the
    // context, which is alive. A yield of a hook returns here; no frame with something to drop is
    // left then.
    unsafe {
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, (&raw const CONTEXT).cast());
        let context: &Context = &*ffi::lua_touserdata(state, -1).cast();
        ffi::lua_settop(state, -2);
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
