//! Read-only libraries.

use mlua::{Lua, Result, Table, Value};

/// Registry name of the map from a frozen proxy to its original.
const ORIGINALS: &str = "hothouse.frozen.originals";
/// Registry name of the map from an original to its frozen proxy.
const PROXIES: &str = "hothouse.frozen.proxies";

/// Raises the error of a write; `...` is the library's name.
const WRITE: &str = r#"
local error, type, name = ...
return function(_, key)
  local kind = type(key)
  local field = (kind == "string" or kind == "number") and key or "[" .. kind .. "]"
  error("attempt to change a frozen library (" .. name .. "." .. field .. ")", 2)
end
"#;

/// A read-only view of the library `table`, called `name` in the errors of writes to it.
///
/// The view is live: what is put into `table` later shows. Each table has one view, however often
/// it is asked for. The `pairs`, `next`, `rawget` and `rawlen` of this crate see through it, `rawset`
/// refuses it. Tables inside `table` are not frozen with it. A view lives as long as the state.
///
/// # Errors
///
/// If memory runs out.
pub(crate) fn freeze(lua: &Lua, name: &str, table: &Table) -> Result<Table> {
    let (originals, proxies) = (originals(lua)?, registry_table(lua, PROXIES)?);
    if let Value::Table(proxy) = proxies.raw_get(table)? {
        return Ok(proxy);
    }
    let proxy = lua.create_table()?;
    let metatable = lua.create_table()?;
    let error: Value = lua.globals().get("error")?;
    let kind: Value = lua.globals().get("type")?;
    let write = lua.load(WRITE).set_name(super::CHUNK_NAME).call::<Value>((error, kind, name))?;
    metatable.raw_set("__index", table)?;
    metatable.raw_set("__newindex", write)?;
    metatable.raw_set("__metatable", "frozen")?;
    proxy.set_metatable(Some(metatable))?;
    originals.raw_set(&proxy, table)?;
    proxies.raw_set(table, &proxy)?;
    Ok(proxy)
}

/// The map from a frozen proxy to its original.
pub(super) fn originals(lua: &Lua) -> Result<Table> {
    registry_table(lua, ORIGINALS)
}

fn registry_table(lua: &Lua, name: &str) -> Result<Table> {
    if let Value::Table(table) = lua.named_registry_value(name)? {
        return Ok(table);
    }
    let table = lua.create_table()?;
    lua.set_named_registry_value(name, &table)?;
    Ok(table)
}
