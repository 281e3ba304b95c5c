//! The standard libraries as programs see them: the same in every run, and bounded.
//!
//! Whatever may call back into a program (`table.sort`, `string.gsub`, `__tostring`) is written in
//! Lua, so that the callback can park; what loops over bytes is written in Rust and counts its steps
//! against a [`Budget`]. Errors are texts with the position of the program's own line: most
//! of the Rust side hands back a message, and the Lua side raises it.

mod budget;
mod freeze;
mod pattern;
mod strings;

#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod pattern_tests;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;

pub(crate) use budget::{Account, Budget, BudgetExhausted};
pub(crate) use freeze::freeze;
pub(crate) use pattern::{Capture, Matcher};
pub(crate) use strings::{Found, How, seek};

use mlua::{Error, Function, Lua, LuaString, Result, Table, Value};

use crate::raw;

/// The parts that are written in Lua, in order of loading: each gets Lua's own libraries, the
/// primitives, the helpers, and the table whose functions it replaces.
const CHUNKS: [&str; 5] = [
    include_str!("guard.lua"),
    include_str!("display.lua"),
    include_str!("order.lua"),
    include_str!("strings.lua"),
    include_str!("tables.lua"),
];

/// The name that the library's Lua code has in tracebacks, all of its files alike.
pub(crate) const CHUNK_NAME: &str = "=[library]";

/// Replaces in `base`, which has the libraries `string`, `table` and `utf8`, what differs from run
/// to run, is not bounded, or calls back where a program could not park; sets the metatable of
/// strings.
///
/// The functions that it builds on are those of the state's globals: call it once for a state,
/// before they are changed. `base` may be the globals or share the tables of its libraries with them; it
/// must not have frozen ones. `warn` is called
/// each time a program iterates over a table with several keys that have no order (tables, functions,
/// coroutines); the message of an error that it returns is raised in the program, anything else
/// that it returns as an error is passed on as it is.
///
/// # Errors
///
/// If `base` lacks one of the standard libraries, or memory runs out.
pub(crate) fn install(
    lua: &Lua,
    base: &Table,
    budget: &Budget,
    warn: impl Fn() -> Result<()> + 'static,
) -> Result<()> {
    let prim = primitives(lua, budget, warn)?;
    let std = lua.globals();
    let helpers: Table = chunk(lua, include_str!("check.lua"))?.call(&std)?;
    for source in CHUNKS {
        chunk(lua, source)?.call::<()>((&std, &prim, &helpers, base))?;
    }
    string_metatable(lua, base)
}

fn chunk(lua: &Lua, source: &str) -> Result<Function> {
    // An empty environment: library code that used a global by mistake would depend on the program.
    lua.load(source).set_name(CHUNK_NAME).set_environment(lua.create_table()?).into_function()
}

/// What the Lua side needs from Rust.
fn primitives(
    lua: &Lua,
    budget: &Budget,
    warn: impl Fn() -> Result<()> + 'static,
) -> Result<Table> {
    let prim = lua.create_table()?;
    strings::primitives(lua, &prim, budget)?;
    prim.raw_set("keys", raw::keys_function(lua, budget)?)?;
    let account = budget.clone();
    prim.raw_set("charge", lua.create_function(move |_, steps: u64| account.charge(steps))?)?;
    let metafields = |_: &Lua, (table, a, b): (Table, LuaString, Option<LuaString>)| {
        let Some(metatable) = table.metatable() else {
            return Ok((Value::Nil, Value::Nil));
        };
        let second = b.map_or(Ok(Value::Nil), |b| metatable.raw_get(b))?;
        Ok((metatable.raw_get::<Value>(a)?, second))
    };
    prim.raw_set("metafields", lua.create_function(metafields)?)?;
    let warned = move |_: &Lua, ()| match warn() {
        Ok(()) => Ok(None),
        Err(Error::RuntimeError(message)) => Ok(Some(message)),
        Err(other) => Err(other),
    };
    prim.raw_set("warn", lua.create_function(warned)?)?;
    prim.raw_set("frozen", freeze::originals(lua)?)?;
    Ok(prim)
}

/// Strings index the string library, and their metatable is shown as a frozen one.
fn string_metatable(lua: &Lua, base: &Table) -> Result<()> {
    let strings: Table = base.raw_get("string")?;
    let metatable = match lua.type_metatable::<LuaString>() {
        Some(metatable) => metatable,
        None => lua.create_table()?,
    };
    let shown = lua.create_table()?;
    shown.raw_set("__index", freeze(lua, "string", &strings)?)?;
    metatable.raw_set("__index", strings)?;
    metatable.raw_set("__metatable", freeze(lua, "string metatable", &shown)?)?;
    lua.set_type_metatable::<LuaString>(Some(metatable));
    Ok(())
}
