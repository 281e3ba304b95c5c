//! Values as JSON, for the command line and for reports.

use hothouse_abi::Value;
use serde_json::{Map, Number, Value as Json};

/// The JSON of a value. Keys that are no strings are written as Lua would, floats that JSON does
/// not know become strings, and so do bytes that are no UTF-8, with `\xNN` for each.
///
/// ```
/// use hothouse::{Value, json};
/// let value = Value::map([("x", Value::from(1)), ("l", Value::list([true, false]))]);
/// assert_eq!(json::to_json(&value).to_string(), r#"{"l":[true,false],"x":1}"#);
/// ```
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(int) => Json::Number((*int).into()),
        Value::Float(float) => {
            Number::from_f64(*float).map_or_else(|| Json::String(float.to_string()), Json::Number)
        }
        Value::Bytes(bytes) => Json::String(bytes.to_string()),
        Value::List(list) => Json::Array(list.items().iter().map(to_json).collect()),
        Value::Map(map) => {
            let entries = map.entries().iter().map(|(key, value)| {
                let key = match key {
                    Value::Bytes(bytes) => bytes.to_string(),
                    other => other.to_string(),
                };
                (key, to_json(value))
            });
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// The value of some JSON.
///
/// # Errors
///
/// If it nests deeper than an event may.
///
/// ```
/// use hothouse::{Value, json};
/// let json = serde_json::from_str(r#"{"x":[1,2.5,null]}"#)?;
/// let value = json::from_json(json)?;
/// assert_eq!(value.get("x").at(1), &Value::Float(2.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn from_json(json: Json) -> Result<Value, hothouse_abi::DepthError> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => text.into(),
        Json::Array(items) => {
            Value::try_list(items.into_iter().map(from_json).collect::<Result<_, _>>()?)?
        }
        Json::Object(entries) => {
            let entries = entries.into_iter();
            let entries = entries.map(|(key, value)| Ok((key.into(), from_json(value)?)));
            Value::try_map(entries.collect::<Result<_, _>>()?)?
        }
    })
}
