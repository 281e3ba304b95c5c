//! Event data on its way into and out of Lua: always a copy.

use hothouse_abi::Value as Data;
use mlua::{Lua, Value};

use crate::raw::{Item, Slot, Stack, StackFull};

/// How deeply data may nest, as the kernel has it.
const MAX_DEPTH: usize = 128;

/// How many values a copy may have: tables that share tables would grow without bound.
const MAX_VALUES: usize = 1 << 21;

impl From<StackFull> for String {
    fn from(_: StackFull) -> String {
        "stack overflow".to_owned()
    }
}

/// A copy of a Lua value as event data. Metatables are not looked at.
///
/// # Errors
///
/// Words for a program, if the value holds what can't be copied.
#[inline]
pub(crate) fn to_data(stack: &mut Stack<'_>, value: Slot) -> Result<Data, String> {
    match stack.get(value) {
        Item::Nil => Ok(Data::Nil),
        Item::Int(int) => Ok(Data::Int(int)),
        _ => copy(stack, value, 0, &mut MAX_VALUES.clone()),
    }
}

/// The same of a value that is not on the stack.
///
/// # Errors
///
/// As [`to_data`].
pub(crate) fn of_value(lua: &Lua, value: &Value) -> Result<Data, String> {
    Stack::with_value(lua, value, to_data)
}

fn copy(
    stack: &mut Stack<'_>,
    value: Slot,
    depth: usize,
    left: &mut usize,
) -> Result<Data, String> {
    *left =
        left.checked_sub(1).ok_or_else(|| format!("cannot copy more than {MAX_VALUES} values"))?;
    Ok(match stack.get(value) {
        Item::Nil => Data::Nil,
        Item::Bool(truth) => Data::Bool(truth),
        Item::Int(int) => Data::Int(int),
        Item::Float(float) => Data::Float(float),
        Item::Bytes(text) => Data::Bytes(text.into()),
        Item::Table => return copy_table(stack, value, depth + 1, left),
        Item::Thread => return Err("cannot copy a coroutine".to_owned()),
        other => return Err(format!("cannot copy a {}", other.type_name())),
    })
}

fn copy_table(
    stack: &mut Stack<'_>,
    table: Slot,
    depth: usize,
    left: &mut usize,
) -> Result<Data, String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "cannot copy a table that holds itself or nests over {MAX_DEPTH} deep"
        ));
    }
    let mut entries = Vec::new();
    let mut items = vec![Data::Nil; bounded(stack, table)?];
    let mut filled = 0;
    stack.for_each(table, |stack, key, value| {
        if matches!(stack.get(key), Item::Table) {
            return Err("cannot copy a table key that is a table".to_owned());
        }
        let value = copy(stack, value, depth, left)?;
        match stack.get(key) {
            Item::Int(at) if at >= 1 && (at as usize) <= items.len() => {
                items[at as usize - 1] = value;
                filled += 1;
            }
            _ => entries.push((copy(stack, key, depth, left)?, value)),
        }
        Ok(())
    })?;
    let data = if entries.is_empty() && filled == items.len() && filled > 0 {
        Data::try_list(items)
    } else {
        let numbered = items.into_iter().enumerate().map(|(i, item)| (Data::from(i + 1), item));
        entries.extend(numbered);
        Data::try_map(entries)
    };
    data.map_err(|error| error.to_string())
}

/// The length of a table, which is any border and may lie far past the number of its entries: no
/// more than those.
fn bounded(stack: &mut Stack<'_>, table: Slot) -> Result<usize, StackFull> {
    let length = stack.length(table);
    if length <= 64 {
        return Ok(length);
    }
    let mut count = 0;
    stack.for_each(table, |_, _, _| {
        count += 1;
        Ok::<(), StackFull>(())
    })?;
    Ok(length.min(count))
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
    use crate::raw;

    fn data_of(source: &str) -> Result<Data, String> {
        let lua = Lua::new();
        let value = lua.load(source).eval().unwrap();
        of_value(&lua, &value)
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
        let value = raw::value_of(&lua, &data).unwrap();
        assert_eq!(of_value(&lua, &value), Ok(data));
    }
}
