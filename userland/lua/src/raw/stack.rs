use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr;

use hothouse_abi::Value as Data;
use mlua::{Lua, Value, ffi};

use super::NoLimit;

/// A place on a [`Stack`].
#[derive(Clone, Copy)]
pub(crate) struct Slot(c_int);

impl Slot {
    /// That of an argument of a system call, counted from 0.
    pub(crate) const fn arg(at: usize) -> Slot {
        Slot(at as c_int + 1)
    }
}

/// A value on a [`Stack`].
#[derive(Clone, Copy)]
pub(crate) enum Item<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(&'a [u8]),
    Table,
    Function,
    Thread,
    Userdata,
}

impl Item<'_> {
    /// The type's name as Lua's `type` says it.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Item::Nil => "nil",
            Item::Bool(_) => "boolean",
            Item::Int(_) | Item::Float(_) => "number",
            Item::Bytes(_) => "string",
            Item::Table => "table",
            Item::Function => "function",
            Item::Thread => "thread",
            Item::Userdata => "userdata",
        }
    }
}

/// There is no room on Lua's stack.
#[derive(Debug)]
pub(crate) struct StackFull;

/// The stack of the coroutine that runs now. Nothing on it raises an error or calls a program.
///
/// mlua's own values are not used for system calls: each costs a protected call and a reference,
/// several times what the trap itself costs.
pub(crate) struct Stack<'a> {
    // invariant: alive for 'a, with ROOM free places beyond those that are reserved.
    state: *mut ffi::lua_State,
    lives: PhantomData<&'a Lua>,
}

/// Places that a system call always has above its arguments.
const ROOM: c_int = ffi::LUA_MINSTACK;

impl Stack<'_> {
    /// # Safety
    ///
    /// `state` is alive for 'a and has LUA_MINSTACK free places.
    pub(super) unsafe fn new<'a>(state: *mut ffi::lua_State) -> Stack<'a> {
        Stack { state, lives: PhantomData }
    }

    /// Works on the stack of what runs now in `lua`, which is as before afterwards.
    pub(crate) fn with<R>(lua: &Lua, work: impl FnOnce(&mut Stack<'_>) -> R) -> R {
        lua.exec_raw_lua(|raw| {
            let state = raw.state();
            // SAFETY: `state` is alive while `raw` is borrowed; what was pushed is popped. That
            // there is room is what mlua itself relies on between its calls.
            unsafe {
                let top = ffi::lua_gettop(state);
                let _ = ffi::lua_checkstack(state, ROOM);
                let result = work(&mut Stack::new(state));
                ffi::lua_settop(state, top);
                result
            }
        })
    }

    /// The same with a value on it.
    pub(crate) fn with_value<R>(
        lua: &Lua,
        value: &Value,
        work: impl FnOnce(&mut Stack<'_>, Slot) -> R,
    ) -> R {
        Stack::with(lua, |stack| {
            // SAFETY: there is room for one. What the push of a reference does raises nothing.
            let pushed = lua.exec_raw_lua(|raw| unsafe { raw.push_value(value) });
            if pushed.is_err() {
                stack.push_nil();
            }
            let slot = stack.top();
            work(stack, slot)
        })
    }

    /// Whether the coroutine may yield from here: no C function lies between it and its resume.
    pub(crate) fn is_yieldable(&self) -> bool {
        // SAFETY: by the invariant; it only reads a counter.
        unsafe { ffi::lua_isyieldable(self.state) != 0 }
    }

    /// The value at a place; nil where there is none.
    #[inline(always)]
    pub(crate) fn get(&self, Slot(at): Slot) -> Item<'_> {
        // SAFETY: `at` is the place of an argument or was the top, so it is one that Lua knows or
        // answers with LUA_TNONE. Nothing here converts the value, which is what could allocate.
        // A string's bytes stay while it is on the stack, which needs `&mut self` to change.
        unsafe {
            match ffi::lua_type(self.state, at) {
                ffi::LUA_TNIL | ffi::LUA_TNONE => Item::Nil,
                ffi::LUA_TBOOLEAN => Item::Bool(ffi::lua_toboolean(self.state, at) != 0),
                ffi::LUA_TNUMBER if ffi::lua_isinteger(self.state, at) != 0 => {
                    Item::Int(ffi::lua_tointegerx(self.state, at, ptr::null_mut()))
                }
                ffi::LUA_TNUMBER => {
                    Item::Float(ffi::lua_tonumberx(self.state, at, ptr::null_mut()))
                }
                ffi::LUA_TSTRING => {
                    let mut length = 0;
                    let start = ffi::lua_tolstring(self.state, at, &mut length);
                    Item::Bytes(std::slice::from_raw_parts(start.cast(), length))
                }
                ffi::LUA_TTABLE => Item::Table,
                ffi::LUA_TFUNCTION => Item::Function,
                ffi::LUA_TTHREAD => Item::Thread,
                _ => Item::Userdata,
            }
        }
    }

    /// A border of a table; 0 of what is none.
    pub(crate) fn length(&self, Slot(at): Slot) -> usize {
        // SAFETY: as in `get`; it looks at no metamethod.
        unsafe {
            match ffi::lua_type(self.state, at) {
                ffi::LUA_TTABLE => ffi::lua_rawlen(self.state, at),
                _ => 0,
            }
        }
    }

    /// Shows each entry of a table, as keys and values on the stack, to `each`, until that fails.
    ///
    /// # Errors
    ///
    /// What `each` fails with, or [`StackFull`].
    pub(crate) fn for_each<E: From<StackFull>>(
        &mut self,
        Slot(table): Slot,
        mut each: impl FnMut(&mut Self, Slot, Slot) -> Result<(), E>,
    ) -> Result<(), E> {
        // SAFETY: there is room for a key and a value, by the check. `lua_next` raises an error only
        // for a key that the table has not, and nothing changes it meanwhile. `each` can't pop.
        unsafe {
            if ffi::lua_checkstack(self.state, ROOM) == 0 {
                return Err(StackFull.into());
            }
            if ffi::lua_type(self.state, table) != ffi::LUA_TTABLE {
                return Ok(());
            }
            let top = ffi::lua_gettop(self.state);
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, table) != 0 {
                let done = each(self, Slot(top + 1), Slot(top + 2));
                if done.is_err() {
                    ffi::lua_settop(self.state, top);
                    return done;
                }
                ffi::lua_settop(self.state, top + 1);
            }
        }
        Ok(())
    }

    /// Shows the item of a table at an index to `look`.
    pub(crate) fn item<R>(
        &mut self,
        Slot(table): Slot,
        index: usize,
        look: impl FnOnce(Item<'_>) -> R,
    ) -> R {
        // SAFETY: a raw read raises nothing and needs one place; nothing else is pushed meanwhile.
        unsafe {
            if ffi::lua_type(self.state, table) == ffi::LUA_TTABLE {
                ffi::lua_rawgeti(self.state, table, index as ffi::lua_Integer);
            } else {
                ffi::lua_pushnil(self.state);
            }
            let result = look(self.get(self.top()));
            ffi::lua_settop(self.state, -2);
            result
        }
    }

    pub(super) fn top(&self) -> Slot {
        // SAFETY: by the invariant.
        Slot(unsafe { ffi::lua_gettop(self.state) })
    }

    // A system call pushes a code and two results at most, for which ROOM is enough. Tables reserve
    // what they need.

    /// Pushes data that needs no memory. Returns whether it was of that kind.
    pub(crate) fn push_scalar(&mut self, data: &Data) -> bool {
        match data {
            Data::Nil => self.push_nil(),
            Data::Bool(truth) => self.push_bool(*truth),
            Data::Int(int) => self.push_int(*int),
            Data::Float(float) => self.push_float(*float),
            Data::Bytes(_) | Data::List(_) | Data::Map(_) => return false,
        }
        true
    }

    pub(crate) fn push_nil(&mut self) {
        // SAFETY: there is room, see above.
        unsafe { ffi::lua_pushnil(self.state) }
    }

    pub(crate) fn push_bool(&mut self, truth: bool) {
        // SAFETY: there is room, see above.
        unsafe { ffi::lua_pushboolean(self.state, truth.into()) }
    }

    pub(crate) fn push_int(&mut self, int: i64) {
        // SAFETY: there is room, see above.
        unsafe { ffi::lua_pushinteger(self.state, int) }
    }

    pub(crate) fn push_float(&mut self, float: f64) {
        // SAFETY: there is room, see above.
        unsafe { ffi::lua_pushnumber(self.state, float) }
    }

    /// Pushes the value at a place again.
    pub(crate) fn push_copy(&mut self, Slot(at): Slot) {
        // SAFETY: there is room, see above; the place is one that has a value.
        unsafe { ffi::lua_pushvalue(self.state, at) }
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8], _: &NoLimit<'_>) {
        // SAFETY: there is room, see above. Without a limit the allocation raises no error.
        unsafe {
            ffi::lua_pushlstring(self.state, bytes.as_ptr().cast(), bytes.len());
        }
    }

    /// Pushes a copy of the data.
    ///
    /// # Errors
    ///
    /// [`StackFull`]; then something is pushed all the same.
    pub(crate) fn push_data(
        &mut self,
        data: &Data,
        no_limit: &NoLimit<'_>,
    ) -> Result<(), StackFull> {
        match data {
            Data::Bytes(bytes) => self.push_bytes(bytes, no_limit),
            Data::List(list) => {
                self.push_table(list.items().len(), 0, no_limit)?;
                for (i, item) in list.items().iter().enumerate() {
                    self.push_data(item, no_limit)?;
                    // SAFETY: the table is below the item. Without a limit it grows without error.
                    unsafe { ffi::lua_rawseti(self.state, -2, i as ffi::lua_Integer + 1) }
                }
            }
            Data::Map(map) => {
                self.push_table(0, map.entries().len(), no_limit)?;
                for (key, value) in map.entries() {
                    self.push_data(key, no_limit)?;
                    self.push_data(value, no_limit)?;
                    // SAFETY: the table is below both. No key of a map is nil or NaN, so that with
                    // no limit nothing raises an error.
                    unsafe { ffi::lua_rawset(self.state, -3) }
                }
            }
            scalar => {
                self.push_scalar(scalar);
            }
        }
        Ok(())
    }

    /// Pushes a table with these fields.
    ///
    /// # Errors
    ///
    /// [`StackFull`]; then something is pushed all the same.
    pub(crate) fn push_fields(
        &mut self,
        fields: &[(&str, Data)],
        no_limit: &NoLimit<'_>,
    ) -> Result<(), StackFull> {
        self.push_table(0, fields.len(), no_limit)?;
        for (name, value) in fields {
            self.push_bytes(name.as_bytes(), no_limit);
            self.push_data(value, no_limit)?;
            // SAFETY: as in `push_data`.
            unsafe { ffi::lua_rawset(self.state, -3) }
        }
        Ok(())
    }

    /// Pushes an empty table, with room for entries in it and on the stack.
    fn push_table(
        &mut self,
        items: usize,
        entries: usize,
        _: &NoLimit<'_>,
    ) -> Result<(), StackFull> {
        let size = |count: usize| c_int::try_from(count).unwrap_or(0);
        // SAFETY: the check makes room; without a limit the allocation raises no error.
        unsafe {
            if ffi::lua_checkstack(self.state, ROOM) == 0 {
                self.push_nil();
                return Err(StackFull);
            }
            ffi::lua_createtable(self.state, size(items), size(entries));
        }
        Ok(())
    }

    /// File and line of a level of the call stack, 0 being the innermost: `None` past the
    /// outermost, `Some(None)` where there is no line.
    pub(crate) fn line(&self, level: usize) -> Option<Option<(String, c_int)>> {
        // SAFETY: an all-zero `lua_Debug` is one; the two calls fill in what is read, raise nothing
        // with these options, and the text ends with a zero.
        unsafe {
            let mut debug: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(self.state, level as c_int, &mut debug) == 0 {
                return None;
            }
            ffi::lua_getinfo(self.state, c"Sl".as_ptr(), &mut debug);
            let file = CStr::from_ptr(debug.short_src.as_ptr()).to_string_lossy().into_owned();
            Some((debug.currentline >= 0).then_some((file, debug.currentline)))
        }
    }
}

/// A Lua value with a copy of the data.
///
/// # Errors
///
/// If there is no room on Lua's stack.
pub(crate) fn value_of(lua: &Lua, data: &Data) -> mlua::Result<Value> {
    let no_limit = NoLimit::of(lua);
    Stack::with(lua, |stack| {
        stack.push_data(data, &no_limit).map_err(|_| mlua::Error::StackError)?;
        // SAFETY: mlua works on the same stack, whose top is the value.
        Ok(lua.exec_raw_lua(|raw| unsafe { raw.pop_value() }))
    })
}
