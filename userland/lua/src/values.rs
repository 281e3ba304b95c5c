//! Event data on its way into and out of Lua: always a copy.

use hothouse_abi::Value as Data;
use mlua::{Lua, Table, Value};

/// How deeply data may nest, as the kernel has it.
const MAX_DEPTH: usize = 128;

/// How many values a copy may have: tables that share tables would grow without bound.
const MAX_VALUES: usize = 1 << 21;

/// A copy of a Lua value as event data. Metatables are not looked at.
///
/// # Errors
///
/// Words for a program, if the value holds what can't be copied.
pub(crate) fn to_data(value: &Value) -> Result<Data, String> {
    let mut left = MAX_VALUES;
    copy(value, 0, &mut left)
}

fn copy(value: &Value, depth: usize, left: &mut usize) -> Result<Data, String> {
    *left =
        left.checked_sub(1).ok_or_else(|| format!("cannot copy more than {MAX_VALUES} values"))?;
    Ok(match value {
        Value::Nil => Data::Nil,
        Value::Boolean(truth) => Data::Bool(*truth),
        Value::Integer(int) => Data::Int(*int),
        Value::Number(float) => Data::Float(*float),
        Value::String(text) => Data::Bytes((&text.as_bytes()[..]).into()),
        Value::Table(table) => return copy_table(table, depth + 1, left),
        Value::Thread(_) => return Err("cannot copy a coroutine".to_owned()),
        other => return Err(format!("cannot copy a {}", type_name(other))),
    })
}

fn copy_table(table: &Table, depth: usize, left: &mut usize) -> Result<Data, String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "cannot copy a table that holds itself or nests over {MAX_DEPTH} deep"
        ));
    }
    let length = table.raw_len();
    let mut entries = Vec::new();
    let mut items = vec![Data::Nil; bounded(length, table)];
    let mut filled = 0;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| error.to_string())?;
        if matches!(key, Value::Table(_)) {
            return Err("cannot copy a table key that is a table".to_owned());
        }
        let value = copy(&value, depth, left)?;
        match key {
            Value::Integer(at) if at >= 1 && (at as usize) <= items.len() => {
                items[at as usize - 1] = value;
                filled += 1;
            }
            key => entries.push((copy(&key, depth, left)?, value)),
        }
    }
    let data = if entries.is_empty() && filled == items.len() && filled > 0 {
        Data::try_list(items)
    } else {
        let numbered = items.into_iter().enumerate().map(|(i, item)| (Data::from(i + 1), item));
        entries.extend(numbered);
        Data::try_map(entries)
    };
    data.map_err(|error| error.to_string())
}

/// `raw_len` is any border, which may lie far past the number of entries of a sparse table.
fn bounded(length: usize, table: &Table) -> usize {
    if length <= 64 { length } else { length.min(table.pairs::<Value, Value>().count()) }
}

/// A Lua value with a copy of the data.
///
/// # Errors
///
/// A memory error.
pub(crate) fn to_lua(lua: &Lua, data: &Data) -> mlua::Result<Value> {
    Ok(match data {
        Data::Nil => Value::Nil,
        Data::Bool(truth) => Value::Boolean(*truth),
        Data::Int(int) => Value::Integer(*int),
        Data::Float(float) => Value::Number(*float),
        Data::Bytes(bytes) => Value::String(lua.create_string(bytes.as_slice())?),
        Data::List(list) => {
            let table = lua.create_table_with_capacity(list.items().len(), 0)?;
            for (i, item) in list.items().iter().enumerate() {
                table.raw_set(i + 1, to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
        Data::Map(map) => {
            let table = lua.create_table_with_capacity(0, map.entries().len())?;
            for (key, value) in map.entries() {
                table.raw_set(to_lua(lua, key)?, to_lua(lua, value)?)?;
            }
            Value::Table(table)
        }
    })
}

/// The type's name as Lua's `type` says it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_of(source: &str) -> Result<Data, String> {
        to_data(&Lua::new().load(source).eval().unwrap())
    }

    #[test]
    fn sequences_are_lists_and_all_else_maps() {
        assert_eq!(data_of("{1, 'a', {true}}").unwrap().to_string(), r#"{1, "a", {true}}"#);
        assert!(matches!(data_of("{1, 2, 3}").unwrap(), Data::List(_)));
        assert!(matches!(data_of("{}").unwrap(), Data::Map(_)));
        assert_eq!(data_of("{1, 2, x = 3}").unwrap().to_string(), "{[1] = 1, [2] = 2, x = 3}");
        assert_eq!(data_of("{1, nil, 3}").unwrap().to_string(), "{[1] = 1, [3] = 3}");
    }

    #[test]
    fn what_cannot_be_copied_is_named() {
        assert_eq!(data_of("print"), Err("cannot copy a function".to_owned()));
        assert_eq!(data_of("{coroutine.create(print)}"), Err("cannot copy a coroutine".to_owned()));
        assert!(data_of("(function() local t = {} t[1] = t return t end)()").is_err());
        assert!(data_of("{[{}] = 1}").is_err());
        let doubled = "(function() local t = {} for _ = 1, 100 do t = {t, t} end return t end)()";
        assert_eq!(data_of(doubled), Err("cannot copy more than 2097152 values".to_owned()));
    }

    #[test]
    fn data_survives_the_way_there_and_back() {
        let lua = Lua::new();
        let data = Data::map([("list", Data::list([1, 2])), ("f", Data::Float(1.5))]);
        assert_eq!(to_data(&to_lua(&lua, &data).unwrap()), Ok(data));
    }
}
