//! System calls as functions of Lua.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use mlua::{Function, Lua, Value, ffi};

use super::stack::Stack;
use super::{NoLimit, hook};
use crate::calls::Call;
use crate::context::Context;

/// What becomes of a program after a system call, or after a look at its instructions.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// The call returns as many values from the top of the stack.
    Return(usize),
    /// The value on top of the stack is raised.
    Raise,
    /// The coroutine yields, and goes on when it is resumed.
    Park,
    /// The process ends, whatever it catches.
    End,
}

/// Gives a state its context, and so each coroutine that is made in it from now on.
///
/// The context must outlive the state.
pub(crate) fn bind(lua: &Lua, context: &Rc<Context>) {
    lua.exec_raw_lua(|raw| {
        // SAFETY: Lua keeps this space beside each coroutine for its user and copies the main one's
        // into new ones. mlua has no use for it in Lua 5.4.
        unsafe {
            ffi::lua_getextraspace(raw.state()).cast::<*const Context>().write(Rc::as_ptr(context));
        }
    });
}

/// The context of the state that a coroutine is of.
///
/// # Safety
///
/// `state` is one of a state that was bound.
pub(super) unsafe fn context_of<'a>(state: *mut ffi::lua_State) -> &'a Context {
    // SAFETY: by the contract it is there, and alive.
    unsafe { &**ffi::lua_getextraspace(state).cast::<*const Context>() }
}

/// A system call as Lua calls it, for states that are bound.
///
/// # Errors
///
/// If there is no room on Lua's stack.
pub(crate) fn call_function(lua: &Lua, call: &'static Call) -> mlua::Result<Function> {
    let no_limit = NoLimit::of(lua);
    let value = lua.exec_raw_lua(|raw| {
        let state = raw.state();
        // SAFETY: there is room, by the check; without a limit the allocation raises no error.
        unsafe {
            if ffi::lua_checkstack(state, 1) == 0 {
                return Value::Nil;
            }
            ffi::lua_pushlightuserdata(state, ptr::from_ref(call).cast_mut().cast());
            ffi::lua_pushcclosure(state, make, 1);
            raw.pop_value()
        }
    });
    drop(no_limit);
    match value {
        Value::Function(function) => Ok(function),
        _ => Err(mlua::Error::StackError),
    }
}

/// A system call is made.
unsafe extern "C-unwind" fn make(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it with room for LUA_MINSTACK values above the arguments. The address is that
    // of the call which the function was made with.
    unsafe {
        let call = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast();
        go_on(state, call, Call::make)
    }
}

/// A system call that parked has its answer.
unsafe extern "C-unwind" fn answered(
    state: *mut ffi::lua_State,
    _: c_int,
    call: ffi::lua_KContext,
) -> c_int {
    // SAFETY: Lua calls it with the stack that the call had when it yielded: coroutines that park
    // are resumed with nothing. The number is the address that `go_on` gave Lua to keep.
    unsafe { go_on(state, ptr::with_exposed_provenance(call as usize), Call::answered) }
}

/// Lets the call work, and does what it says. No frame with something to drop is left when Lua
/// jumps out of this one.
///
/// # Safety
///
/// `state` runs the function that [`call_function`] made for `call`, with its arguments on the stack.
#[inline(always)]
unsafe fn go_on(
    state: *mut ffi::lua_State,
    call: *const Call,
    work: fn(&Call, &Context, &mut Stack<'_>) -> Then,
) -> c_int {
    // SAFETY: the call lives for ever. What `work` pushed is on the stack.
    unsafe {
        let call = &*call;
        let context = context_of(state);
        let mut stack = Stack::new(state);
        match guarded(context, || work(call, context, &mut stack)) {
            Then::Return(count) => count as c_int,
            Then::Raise => ffi::lua_error(state),
            Then::Park => {
                let call = ptr::from_ref(call).expose_provenance();
                ffi::lua_yieldk(state, 0, call as ffi::lua_KContext, Some(answered))
            }
            Then::End if ffi::lua_isyieldable(state) != 0 => ffi::lua_yieldk(state, 0, 0, None),
            Then::End => {
                hook::push_doomed(state);
                ffi::lua_error(state)
            }
        }
    }
}

/// A panic must not unwind through Lua: the process's body passes it on.
#[inline(always)]
pub(super) fn guarded(context: &Context, work: impl FnOnce() -> Then) -> Then {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        context.keep_panic(payload);
        Then::End
    })
}
