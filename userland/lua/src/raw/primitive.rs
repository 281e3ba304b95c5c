//! Primitives of the library that a call through mlua would cost several times what they do.
//!
//! What they hold while they push has nothing to drop, since Lua jumps out of a push for which
//! there is no memory.

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use mlua::{Function, Lua, Value, ffi};

use super::NoLimit;
use super::stack::{Item, Slot, Stack};
use crate::library::{Account, Budget, Capture, Found, How, Matcher, seek};

/// `string.find`. `again` is called with the arguments of [`search_function`] where a search could not
/// end, and is to raise the error.
///
/// # Errors
///
/// If there is no room on Lua's stack.
pub(crate) fn find_function(
    lua: &Lua,
    budget: &Budget,
    again: &Function,
) -> mlua::Result<Function> {
    function(lua, budget, Some(again), find)
}

/// `string.match`, likewise.
///
/// # Errors
///
/// If there is no room on Lua's stack.
pub(crate) fn match_function(
    lua: &Lua,
    budget: &Budget,
    again: &Function,
) -> mlua::Result<Function> {
    function(lua, budget, Some(again), first_match)
}

/// `search(s, pattern, from, except, how)` in Lua: the offsets of start and end of the first match, and
/// its values; nil if there is none; false if it has to be searched again, for an error.
///
/// # Errors
///
/// If there is no room on Lua's stack.
pub(crate) fn search_function(lua: &Lua, budget: &Budget) -> mlua::Result<Function> {
    function(lua, budget, None, search)
}

/// `keys(t, run)` in Lua: the keys of a table other than 1 to run, and their number, if they are all
/// numbers or all strings; in order if there are no more than [`FEW`]. No table if there are none;
/// nothing if they are of several kinds.
///
/// # Errors
///
/// If there is no room on Lua's stack.
pub(crate) fn keys_function(lua: &Lua, budget: &Budget) -> mlua::Result<Function> {
    function(lua, budget, None, keys)
}

fn function(
    lua: &Lua,
    budget: &Budget,
    again: Option<&Function>,
    code: ffi::lua_CFunction,
) -> mlua::Result<Function> {
    // Kept as long as the state: the function has the account's address only.
    lua.set_app_data(budget.clone());
    let no_limit = NoLimit::of(lua);
    let value = lua.exec_raw_lua(|raw| {
        let state = raw.state();
        // SAFETY: there is room, by the check; without a limit the allocation raises no error.
        unsafe {
            if ffi::lua_checkstack(state, 2) == 0 {
                return Value::Nil;
            }
            ffi::lua_pushlightuserdata(state, budget.account().cast_mut().cast());
            if raw.push(again).is_err() {
                ffi::lua_pushnil(state);
            }
            ffi::lua_pushcclosure(state, code, 2);
            raw.pop_value()
        }
    });
    drop(no_limit);
    match value {
        Value::Function(function) => Ok(function),
        _ => Err(mlua::Error::StackError),
    }
}

/// # Safety
///
/// `state` runs a function that [`function`] made.
unsafe fn account<'a>(state: *mut ffi::lua_State) -> &'a Account {
    // SAFETY: by the contract the address is there, and the state keeps what lies there.
    unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast() }
}

unsafe extern "C-unwind" fn find(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it.
    unsafe {
        let plain = ffi::lua_toboolean(state, 4) != 0;
        from_program(state, c"find", if plain { How::PLAIN } else { How::FIND }, Some(1))
    }
}

unsafe extern "C-unwind" fn first_match(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it.
    unsafe { from_program(state, c"match", How::MATCH, None) }
}

/// A search that a program asks for, with the arguments that it gave: subject, pattern and where to
/// begin. What is `first` of a string's places is as in [`show_first`].
///
/// # Safety
///
/// `state` runs a function that [`find_function`] or [`match_function`] made, called by Lua.
unsafe fn from_program(
    state: *mut ffi::lua_State,
    name: &CStr,
    how: How,
    first: Option<ffi::lua_Integer>,
) -> c_int {
    // SAFETY: there is room for LUA_MINSTACK values above the arguments. Errors jump out with nothing
    // left to drop.
    unsafe {
        ffi::lua_settop(state, 3);
        for at in 1..=2 {
            if ffi::lua_tolstring(state, at, ptr::null_mut()).is_null() {
                mistyped(state, at, name, c"string");
            }
        }
        let length = ffi::lua_rawlen(state, 1);
        let from = match ffi::lua_type(state, 3) {
            ffi::LUA_TNIL => 0,
            _ => offset(integer(state, 3, name), length),
        };
        if from > length {
            ffi::lua_pushnil(state);
            return 1;
        }
        match show_first(state, from, None, how, first) {
            Some(count) => count,
            None => {
                ffi::lua_settop(state, 2);
                ffi::luaL_where(state, 1);
                ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
                ffi::lua_rotate(state, 1, 2);
                ffi::lua_pushinteger(state, from as ffi::lua_Integer);
                ffi::lua_pushnil(state);
                ffi::lua_pushinteger(state, how.bits() as ffi::lua_Integer);
                ffi::lua_call(state, 5, 1);
                ffi::lua_concat(state, 2);
                ffi::lua_error(state)
            }
        }
    }
}

/// The offset in a string of a length at which a search starts.
fn offset(init: ffi::lua_Integer, length: usize) -> usize {
    match usize::try_from(init) {
        Ok(init) => init.saturating_sub(1),
        Err(_) => length.saturating_sub(usize::try_from(init.unsigned_abs()).unwrap_or(length)),
    }
}

/// The integer that an argument is, or an error.
///
/// # Safety
///
/// As that of [`mistyped`].
unsafe fn integer(state: *mut ffi::lua_State, at: c_int, name: &CStr) -> ffi::lua_Integer {
    // SAFETY: by the contract.
    unsafe {
        let mut is_integer = 0;
        let integer = ffi::lua_tointegerx(state, at, &mut is_integer);
        if is_integer == 0 {
            if ffi::lua_isnumber(state, at) != 0 {
                let format = c"bad argument #%d to '%s' (number has no integer representation)";
                ffi::luaL_error(state, format.as_ptr(), at, name.as_ptr());
            }
            mistyped(state, at, name, c"number");
        }
        integer
    }
}

/// Raises the error of an argument of a wrong type.
///
/// # Safety
///
/// `state` runs a C function that Lua called, with room for some values, and no frame up to Lua's has
/// something to drop.
unsafe fn mistyped(state: *mut ffi::lua_State, at: c_int, name: &CStr, expected: &CStr) -> ! {
    // SAFETY: by the contract; the format has as many texts.
    unsafe {
        let got = ffi::lua_typename(state, ffi::lua_type(state, at));
        let format = c"bad argument #%d to '%s' (%s expected, got %s)";
        ffi::luaL_error(state, format.as_ptr(), at, name.as_ptr(), expected.as_ptr(), got);
        ffi::lua_error(state)
    }
}

unsafe extern "C-unwind" fn search(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it.
    unsafe {
        let stack = Stack::new(state);
        let number = |at| match stack.get(Slot::arg(at)) {
            Item::Int(int) => usize::try_from(int).ok(),
            _ => None,
        };
        let (from, except, how) = (number(2).unwrap_or(0), number(3), number(4).unwrap_or(0));
        show_first(state, from, except, How::from_bits(how), Some(0))
            .unwrap_or_else(|| again(state))
    }
}

/// Pushes the first match, or nil, and returns how many values that are. `None` if it has to be
/// searched again, for an error. `first` is the number of the first place in a string, if start and end
/// are to be shown.
///
/// # Safety
///
/// `state` runs a function that [`function`] made, with subject and pattern as its first arguments.
/// No frame up to Lua's has something to drop: a push may raise an error of memory.
unsafe fn show_first(
    state: *mut ffi::lua_State,
    from: usize,
    except: Option<usize>,
    how: How,
    first: Option<ffi::lua_Integer>,
) -> Option<c_int> {
    // SAFETY: there is room for LUA_MINSTACK values above the arguments; more is made for captures.
    // The subject lies on the stack until Lua goes on, and so do the captures' bytes.
    unsafe {
        let stack = Stack::new(state);
        let (Item::Bytes(subject), Item::Bytes(pattern)) =
            (stack.get(Slot::arg(0)), stack.get(Slot::arg(1)))
        else {
            return None;
        };
        let account = account(state);
        let mut matcher = Matcher::new(subject, pattern, account.left());
        let mut work = || seek(&mut matcher, account, from, except, how);
        // An error's text, or the payload of a panic, is dropped here: it is found again.
        let found = catch_unwind(AssertUnwindSafe(|| work().ok())).ok().flatten()?;
        let Some(Found { start, end, values }) = found else {
            ffi::lua_pushnil(state);
            return Some(1);
        };
        if ffi::lua_checkstack(state, values as c_int + 2) == 0 {
            return None;
        }
        if let Some(first) = first {
            ffi::lua_pushinteger(state, start as ffi::lua_Integer + first);
            ffi::lua_pushinteger(state, end as ffi::lua_Integer);
        }
        for index in 0..values {
            match matcher.capture(index, start, end).ok() {
                Some(Capture::Text(text)) => {
                    ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
                }
                Some(Capture::Position(at)) => {
                    ffi::lua_pushinteger(state, at as ffi::lua_Integer);
                }
                None => ffi::lua_pushnil(state),
            }
        }
        Some(values as c_int + if first.is_some() { 2 } else { 0 })
    }
}

/// # Safety
///
/// `state` has room for a value.
unsafe fn again(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: by the contract.
    unsafe { ffi::lua_pushboolean(state, 0) }
    1
}

/// So many keys are sorted here.
const FEW: ffi::lua_Integer = 8;

/// The steps that a key counts for, as many as the instructions of such a loop in Lua.
const STEPS_PER_KEY: u64 = 12;

unsafe extern "C-unwind" fn keys(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls it with a table and room for LUA_MINSTACK values, of which it needs seven.
    // `lua_next` is given keys of the table, which nothing changes. Where Lua raises an error, for
    // want of memory, no value that has to be dropped is left. Comparing two numbers or two strings
    // calls nothing.
    unsafe {
        const TABLE: c_int = 1;
        const KEYS: c_int = 3;
        if ffi::lua_type(state, TABLE) != ffi::LUA_TTABLE {
            return 0;
        }
        let run = ffi::lua_tointegerx(state, 2, ptr::null_mut());
        ffi::lua_settop(state, 2);
        ffi::lua_pushnil(state);
        let (mut count, mut kind, mut seen) = (0, ffi::LUA_TNIL, 0);
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, TABLE) != 0 {
            ffi::lua_settop(state, KEYS + 1);
            seen += 1;
            let own = ffi::lua_type(state, KEYS + 1);
            if own == ffi::LUA_TNUMBER && ffi::lua_isinteger(state, KEYS + 1) != 0 {
                let key = ffi::lua_tointegerx(state, KEYS + 1, ptr::null_mut());
                if (1..=run).contains(&key) {
                    continue;
                }
            }
            if count == 0 {
                kind = own;
                ffi::lua_createtable(state, 4, 0);
                ffi::lua_replace(state, KEYS);
            }
            if own != kind || !matches!(own, ffi::LUA_TNUMBER | ffi::LUA_TSTRING) {
                return 0;
            }
            count += 1;
            ffi::lua_pushvalue(state, KEYS + 1);
            ffi::lua_rawseti(state, KEYS, count);
        }
        // Without steps left the loop in Lua goes on, and ends by them.
        if !account(state).take(seen * STEPS_PER_KEY) {
            return 0;
        }
        if count <= FEW {
            sort(state, KEYS, count);
        }
        ffi::lua_settop(state, KEYS);
        ffi::lua_pushinteger(state, count);
        2
    }
}

/// Sorts the first items of a table by insertion.
///
/// # Safety
///
/// At `table` is a table in which they are all numbers or all strings; `state` has room for three
/// values.
unsafe fn sort(state: *mut ffi::lua_State, table: c_int, count: ffi::lua_Integer) {
    // SAFETY: by the contract; places that are taken grow no table.
    unsafe {
        for at in 2..=count {
            ffi::lua_rawgeti(state, table, at);
            let mut to = at;
            while to > 1 {
                ffi::lua_rawgeti(state, table, to - 1);
                if ffi::lua_compare(state, -2, -1, ffi::LUA_OPLT) == 0 {
                    ffi::lua_settop(state, -2);
                    break;
                }
                ffi::lua_rawseti(state, table, to);
                to -= 1;
            }
            ffi::lua_rawseti(state, table, to);
        }
    }
}
