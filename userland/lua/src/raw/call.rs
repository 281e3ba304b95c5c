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

/// What a system call's function in Lua has the address of.
struct Bound {
    call: &'static Call,
    /// It lives as long as the Lua state (`State`).
    context: *const Context,
}

/// The functions of a state's system calls have its address: it must outlive the Lua state.
pub(crate) struct Bounds(Box<[Bound]>);

impl Bounds {
    /// Calls made for one context.
    pub(crate) fn new(calls: impl Iterator<Item = &'static Call>, context: &Rc<Context>) -> Bounds {
        let context = Rc::as_ptr(context);
        Bounds(calls.map(|call| Bound { call, context }).collect())
    }

    /// Each call, with its function in Lua.
    ///
    /// # Errors
    ///
    /// If there is no room on Lua's stack.
    pub(crate) fn functions<'a>(
        &'a self,
        lua: &'a Lua,
    ) -> impl Iterator<Item = mlua::Result<(&'static Call, Function)>> + 'a {
        self.0.iter().map(|bound| Ok((bound.call, function(lua, bound)?)))
    }
}

fn function(lua: &Lua, bound: &Bound) -> mlua::Result<Function> {
    let no_limit = NoLimit::of(lua);
    let value = lua.exec_raw_lua(|raw| {
        let state = raw.state();
        // SAFETY: there is room, by the check; without a limit the allocation raises no error.
        unsafe {
            if ffi::lua_checkstack(state, 1) == 0 {
                return Value::Nil;
            }
            ffi::lua_pushlightuserdata(state, ptr::from_ref(bound).cast_mut().cast());
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
    // SAFETY: Lua calls it with room for LUA_MINSTACK values above the arguments.
    unsafe { go_on(state, Call::make) }
}

/// A system call that parked has its answer.
unsafe extern "C-unwind" fn answered(
    state: *mut ffi::lua_State,
    _: c_int,
    _: ffi::lua_KContext,
) -> c_int {
    // SAFETY: Lua calls it with the stack that the call had when it yielded: coroutines that park
    // are resumed with nothing.
    unsafe { go_on(state, Call::answered) }
}

/// Lets the call work, and does what it says. No frame with something to drop is left when Lua
/// jumps out of this one.
///
/// # Safety
///
/// `state` runs a function of a [`Bounds`], with its arguments on the stack.
#[inline(always)]
unsafe fn go_on(
    state: *mut ffi::lua_State,
    work: fn(&Call, &Context, &mut Stack<'_>) -> Then,
) -> c_int {
    // SAFETY: the address is the one that the function was made with, and what it points to is
    // alive. What `work` pushed is on the stack.
    unsafe {
        let bound = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Bound>();
        let Bound { call, context } = *bound;
        let mut stack = Stack::new(state);
        match guarded(&*context, || work(call, &*context, &mut stack)) {
            Then::Return(count) => count as c_int,
            Then::Raise => ffi::lua_error(state),
            Then::Park => ffi::lua_yieldk(state, 0, 0, Some(answered)),
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
