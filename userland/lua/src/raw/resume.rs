use hothouse_abi::Value as Data;
use mlua::{Lua, Table, Thread, Value, ffi};

use super::Stack;
use crate::values;

/// What a coroutine did.
pub(crate) enum Resumed {
    Yielded,
    /// A copy of the first of its results.
    Returned(Data),
    /// The error value as it is: mlua's own resume would show it, by the program's metamethods and
    /// with addresses.
    Failed(Value),
    OutOfMemory,
}

/// What a coroutine is resumed with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Args<'a> {
    /// The table of globals, by reference: a second handle to a table costs 32 bytes for as long as
    /// the first one lives.
    pub(crate) globals: Option<&'a Table>,
    pub(crate) others: &'a [Value],
}

/// Resumes a coroutine, which yields nothing.
pub(crate) fn resume(lua: &Lua, thread: &Thread, args: Args<'_>) -> Resumed {
    lua.exec_raw_lua(|raw| {
        let (state, co) = (raw.state(), thread.state());
        // SAFETY: both states are alive while `raw` and `thread` are borrowed. Each push has room,
        // by the checks, which like all that is called here raise no error: `lua_resume` catches
        // those of the coroutine. Values are taken off where they were put, and `co` keeps the rest
        // of its stack, which a coroutine that a hook stopped needs.
        unsafe {
            let count = args.others.len() + usize::from(args.globals.is_some());
            let Ok(count) = i32::try_from(count) else { return Resumed::OutOfMemory };
            if count > 0 {
                let room = |of| ffi::lua_checkstack(of, count + 2) != 0;
                if !room(state) || !room(co) {
                    return Resumed::OutOfMemory;
                }
                let top = ffi::lua_gettop(state);
                let pushed = args.globals.map_or(Ok(()), |globals| raw.push(globals));
                let pushed = pushed
                    .and_then(|()| args.others.iter().try_for_each(|arg| raw.push_value(arg)));
                if pushed.is_err() {
                    ffi::lua_settop(state, top);
                    return Resumed::OutOfMemory;
                }
                ffi::lua_xmove(state, co, count);
            }
            let mut results = 0;
            match ffi::lua_resume(co, state, count, &mut results) {
                ffi::LUA_YIELD => {
                    ffi::lua_pop(co, results);
                    Resumed::Yielded
                }
                ffi::LUA_OK if results == 0 => Resumed::Returned(Data::Nil),
                ffi::LUA_OK => {
                    ffi::lua_pop(co, results - 1);
                    if ffi::lua_checkstack(co, ffi::LUA_MINSTACK) == 0 {
                        return Resumed::OutOfMemory;
                    }
                    let mut stack = Stack::new(co);
                    let first = stack.top();
                    Resumed::Returned(values::to_data(&mut stack, first).unwrap_or_default())
                }
                ffi::LUA_ERRMEM => Resumed::OutOfMemory,
                _ => {
                    ffi::lua_xmove(co, state, 1);
                    Resumed::Failed(raw.pop_value())
                }
            }
        }
    })
}
