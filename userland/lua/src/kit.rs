//! What the prelude needs from Rust besides the system calls.

use std::path::Path;
use std::rc::{Rc, Weak};

use hothouse_abi::{Name, Program};
use mlua::{Error, Function, Lua, MultiValue, Table, Value};

use crate::context::{Context, Current};
use crate::fork::Image;
use crate::host::{self, Host};
use crate::process::{LuaProcess, Main, Start};
use crate::record::Record;
use crate::{dates, failure, library, place, values};

/// What a helper returns: a value, or nil and the text of an error for the prelude to raise.
pub(crate) type Answer = (Value, Option<String>);

/// Puts the helpers into `kit`.
///
/// # Errors
///
/// A memory error.
pub(crate) fn install(
    lua: &Lua,
    context: &Rc<Context>,
    host: &Weak<Host>,
    kit: &Table,
) -> mlua::Result<()> {
    let put = |name: &str, function: mlua::Result<Function>| kit.raw_set(name, function?);
    let ctx = || context.clone();
    put("place", lua.create_function(|lua, text: String| Ok(place::prefix_in(lua, &text))))?;
    let c = ctx();
    put("shelf", lua.create_function(move |lua, name: String| shelf(lua, &c, &name)))?;
    let c = ctx();
    put("globals", lua.create_function(move |_, ()| Ok(c.record()?.globals.clone())))?;
    let c = ctx();
    put("catchable", lua.create_function(move |lua, error| catchable(lua, &c, &error)))?;
    put("show", lua.create_function(|_, error| Ok(show(&error))))?;
    put("scale", lua.create_function(|_, (bits, from, to)| Ok(scale(bits, from, to))))?;
    put(
        "freeze",
        lua.create_function(|lua, (name, table): (String, Table)| {
            library::freeze(lua, &name, &table)
        }),
    )?;
    put("time", lua.create_function(|lua, date: Table| Ok(dates::time(lua, &date))))?;
    put("date", lua.create_function(|lua, (format, time)| dates::date(lua, format, time)))?;
    let (c, h) = (ctx(), host.clone());
    put(
        "start",
        lua.create_function(move |lua, (path, args): (Value, MultiValue)| {
            start(lua, &c, &h, &path, &args)
        }),
    )?;
    let (c, h) = (ctx(), host.clone());
    put("module", lua.create_function(move |_, name: String| module(&c, &h, &name)))?;
    let (c, h) = (ctx(), host.clone());
    put(
        "fork",
        lua.create_function(
            move |lua, (function, name, args): (Function, Option<mlua::LuaString>, MultiValue)| {
                fork(lua, &c, &h, &function, name, &args)
            },
        ),
    )
}

/// The process's table of that name, made when it is first asked for.
fn shelf(lua: &Lua, context: &Context, name: &str) -> mlua::Result<Table> {
    let record = context.record()?;
    let kept = record.rare_if(|rare| rare.shelf.clone());
    let shelf = match kept {
        Some(shelf) => shelf,
        None => {
            let shelf = lua.create_table()?;
            record.rare().shelf.insert(shelf).clone()
        }
    };
    if let Value::Table(table) = shelf.raw_get::<Value>(name)? {
        return Ok(table);
    }
    let table = lua.create_table()?;
    shelf.raw_set(name, &table)?;
    Ok(table)
}

/// The text of an error as a program may catch it; `None` if it ends the process.
fn catchable(lua: &Lua, context: &Context, error: &Value) -> mlua::Result<Option<Value>> {
    let text = match error {
        Value::Error(error) if failure::is_doom(error) || failure::is_memory(error) => {
            let (text, _) = failure::describe(error, context.doom_text().as_deref());
            context.doom(&text);
            return Ok(None);
        }
        Value::Error(error) => failure::text(error),
        Value::String(_) => {
            context.doom("not enough memory");
            return Ok(None);
        }
        _ => return Ok(None),
    };
    Ok(Some(Value::String(lua.create_string(text)?)))
}

/// An error value as text, without a call of its metamethods.
fn show(error: &Value) -> String {
    match error {
        Value::String(text) => text.to_string_lossy(),
        Value::Integer(int) => int.to_string(),
        Value::Number(float) => float.to_string(),
        Value::Nil | Value::Boolean(_) => format!("(error object is {})", values::type_name(error)),
        Value::Error(error) => failure::text(error),
        other => format!("(error object is a {} value)", values::type_name(other)),
    }
}

/// The random bits as an integer between the two, both included.
fn scale(bits: i64, from: i64, to: i64) -> i64 {
    let range = u128::from(to.wrapping_sub(from).cast_unsigned()) + 1;
    let offset = (u128::from(bits.cast_unsigned()) * range) >> 64;
    from.wrapping_add((offset as u64).cast_signed())
}

/// Makes a child ready that runs a file.
fn start(
    lua: &Lua,
    context: &Context,
    host: &Weak<Host>,
    path: &Value,
    args: &MultiValue,
) -> mlua::Result<Answer> {
    let fail = |text: &str| Ok((Value::Nil, Some(place::prefix_in(lua, text))));
    let Value::String(path) = path else {
        let got = values::type_name(path);
        return fail(&format!("bad argument #1 (expected string, got {got})"));
    };
    let path = path.to_string_lossy();
    let (record, host) = (context.record()?, upgrade(host)?);
    let Some(folder) = &record.folder else {
        return fail("this program has no folder to start others from");
    };
    let mut data = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        match values::of_value(lua, arg) {
            Ok(arg) => data.push(arg),
            Err(text) => return fail(&format!("bad argument #{} ({text})", i + 2)),
        }
    }
    match host::inside(folder, &path).and_then(|file| host.load(&file, data)) {
        Ok(program) => {
            let name = Path::new(&path).file_name().unwrap_or_default().to_string_lossy();
            Ok(ready(&record, Name::from(&*name), program))
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn ready(record: &Record, name: Name, program: Program) -> Answer {
    record.rare().child = Some((name, program));
    (Value::Boolean(true), None)
}

fn upgrade(host: &Weak<Host>) -> mlua::Result<Rc<Host>> {
    host.upgrade().ok_or_else(|| Error::runtime("the Lua host is gone"))
}

/// The chunk of a module of the user's, or nil and why there is none.
fn module(
    context: &Context,
    host: &Weak<Host>,
    name: &str,
) -> mlua::Result<(Option<Function>, Option<String>)> {
    let current = context.current();
    let Some(Current { record, state, .. }) = &*current else {
        return Ok((None, Some("no process runs".to_owned())));
    };
    let host = upgrade(host)?;
    let Some(folder) = &record.folder else {
        return Ok((None, Some(format!("no module '{name}': this program has no folder"))));
    };
    // A dot separates folders, as in Lua; a name that starts with one would be absolute.
    let file = format!("{}.lua", name.replace('.', "/"));
    let found = host::inside(folder, &file)
        .and_then(|path| Ok((host.source(&path)?, path)))
        .and_then(|(source, path)| state.chunk(&crate::state::chunk_name(&path), &source.text));
    Ok(match found {
        Ok(chunk) => (Some(state.function(chunk)), None),
        Err(error) => (None, Some(format!("no module '{name}': {error}"))),
    })
}

/// Makes a child ready that runs a copy of a function.
fn fork(
    lua: &Lua,
    context: &Context,
    host: &Weak<Host>,
    function: &Function,
    name: Option<mlua::LuaString>,
    args: &MultiValue,
) -> mlua::Result<Answer> {
    let current = context.current();
    let Some(Current { record, state, .. }) = &*current else {
        return Ok((Value::Nil, Some("no process runs".to_owned())));
    };
    let image = match Image::encode(state, record, function, args) {
        Ok(image) => image,
        Err(Error::RuntimeError(text)) => {
            return Ok((Value::Nil, Some(place::prefix_in(lua, &text))));
        }
        Err(error) => return Err(error),
    };
    let tenant = match upgrade(host)?.tenant() {
        Ok(tenant) => tenant,
        Err(error) => return Ok((Value::Nil, Some(error.to_string()))),
    };
    let name = name.map_or(Name::short("fork"), |name| Name::from(&name.as_bytes()[..]));
    let start = Start { folder: record.folder.clone(), main: Main::Fork(Box::new(image)) };
    let process = LuaProcess::new(tenant, start);
    Ok(ready(record, name, Program::stepped(process)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_bits_stay_in_the_interval() {
        assert_eq!(scale(0, 1, 6), 1);
        assert_eq!(scale(-1, 1, 6), 6);
        assert_eq!(scale(-1, i64::MIN, i64::MAX), i64::MAX);
        assert_eq!(scale(0, i64::MIN, i64::MAX), i64::MIN);
        assert_eq!(scale(i64::MIN, 5, 5), 5);
    }
}
