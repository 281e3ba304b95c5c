use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use crate::{Bytes, Name, Pid};

/// The data of an event: immutable, so that a copy costs O(1) and nothing that sender or receiver
/// does afterwards is seen by the other.
///
/// ```
/// use hothouse_abi::Value;
/// let value = Value::map([("x", Value::from(1)), ("who", "me".into())]);
/// assert_eq!(value.get("x").as_int(), Some(1));
/// assert_eq!(value.get("none"), &Value::Nil);
/// assert_eq!(value.to_string(), r#"{who = "me", x = 1}"#);
/// ```
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A byte string.
    Bytes(Bytes),
    /// A sequence.
    List(Rc<List>),
    /// A table.
    Map(Rc<Map>),
}

const _: () = assert!(size_of::<Value>() == 24);

/// How deeply lists and maps may nest.
const MAX_DEPTH: u32 = 128;

/// Lists and maps nest deeper than 128 levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthError;

impl fmt::Display for DepthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lists and maps nest deeper than {MAX_DEPTH} levels")
    }
}

impl std::error::Error for DepthError {}

/// The items of a [`Value::List`], with the bytes that they count for.
#[derive(Debug)]
pub struct List {
    items: Box<[Value]>,
    measure: Measure,
}

/// The entries of a [`Value::Map`], in the order numbers, strings, booleans, then the rest.
#[derive(Debug)]
pub struct Map {
    // invariant: sorted by `key_order`, no two keys equal, no key nil or NaN.
    entries: Box<[(Value, Value)]>,
    measure: Measure,
}

/// Kept with each list and map, so that a send need not walk its data.
#[derive(Clone, Copy, Debug)]
struct Measure {
    size: usize,
    depth: u32,
}

impl Measure {
    fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Measure, DepthError> {
        let mut measure = Measure { size: 0, depth: 1 };
        for value in values {
            measure.size += size_of::<Value>() + value.size();
            measure.depth = measure.depth.max(value.depth() + 1);
        }
        if measure.depth > MAX_DEPTH { Err(DepthError) } else { Ok(measure) }
    }
}

impl List {
    /// The items in order.
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Map {
    /// The entries in order.
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// The value under `key`, or nil.
    pub fn get(&self, key: &Value) -> &Value {
        match self.entries.binary_search_by(|(k, _)| key_order(k, key)) {
            Ok(at) => &self.entries[at].1,
            Err(_) => &Value::Nil,
        }
    }
}

impl Value {
    /// A list.
    ///
    /// # Panics
    ///
    /// If it nests deeper than 128 levels; see [`Value::try_list`].
    pub fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
        Value::try_list(items.into_iter().map(Into::into).collect()).expect("a list that nests")
    }

    /// A list.
    ///
    /// # Errors
    ///
    /// [`DepthError`] if it nests deeper than 128 levels.
    pub fn try_list(items: Vec<Value>) -> Result<Value, DepthError> {
        let measure = Measure::of(items.iter())?;
        Ok(Value::List(Rc::new(List { items: items.into(), measure })))
    }

    /// A map. Of several entries with the same key the last counts; a float key with an integer's
    /// value is that integer; entries whose key is nil or NaN, or whose value is nil, are left out.
    ///
    /// # Panics
    ///
    /// If it nests deeper than 128 levels; see [`Value::try_map`].
    pub fn map<K: Into<Value>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Value {
        let entries = entries.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Value::try_map(entries).expect("a map that nests")
    }

    /// A map, by the rules of [`Value::map`].
    ///
    /// # Errors
    ///
    /// [`DepthError`] if it nests deeper than 128 levels.
    pub fn try_map(entries: Vec<(Value, Value)>) -> Result<Value, DepthError> {
        let mut entries: Vec<_> = entries
            .into_iter()
            .map(|(key, value)| (normal_key(key), value))
            .filter(|(key, value)| is_key(key) && !matches!(value, Value::Nil))
            .collect();
        // A stable sort keeps later duplicates behind earlier ones, so the last wins below.
        entries.sort_by(|a, b| key_order(&a.0, &b.0));
        entries.reverse();
        entries.dedup_by(|a, b| key_order(&a.0, &b.0) == Ordering::Equal);
        entries.reverse();
        let measure = Measure::of(entries.iter().flat_map(|(key, value)| [key, value]))?;
        Ok(Value::Map(Rc::new(Map { entries: entries.into(), measure })))
    }

    /// The value under a string key of a map; nil for anything else.
    pub fn get(&self, key: &str) -> &Value {
        match self {
            Value::Map(map) => map.get(&Value::from(key)),
            _ => &Value::Nil,
        }
    }

    /// The item at `index` of a list, from 0; nil for anything else.
    pub fn at(&self, index: usize) -> &Value {
        match self {
            Value::List(list) => list.items.get(index).unwrap_or(&Value::Nil),
            _ => &Value::Nil,
        }
    }

    /// Whether it is nil.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Whether it owns nothing.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) => true,
            Value::Bytes(bytes) => bytes.is_short(),
            Value::List(_) | Value::Map(_) => false,
        }
    }

    /// Moves the value to another place, without a call if the one there owns nothing, and leaves
    /// nil.
    #[inline(always)]
    pub fn move_to(&mut self, to: &mut Value) {
        let value = std::mem::take(self);
        if to.is_plain() {
            std::mem::forget(std::mem::replace(to, value));
        } else {
            *to = value;
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The integer, if it is one or a float with an integer's value.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            Value::Float(float) => float_to_int(*float),
            _ => None,
        }
    }

    /// The number as a float, if it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Int(int) => Some(*int as f64),
            Value::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// The bytes, if it is a byte string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text, if it is a byte string that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The pid, if it is a number that can be one.
    pub fn as_pid(&self) -> Option<Pid> {
        self.as_int().and_then(|int| u64::try_from(int).ok()).map(Pid::new)
    }

    /// The items, if it is a list; none for anything else.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::List(list) => &list.items,
            _ => &[],
        }
    }

    /// The bytes that it counts for beyond `size_of::<Value>()`, found in O(1).
    #[inline]
    pub fn size(&self) -> usize {
        match self {
            Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.measure.size,
            Value::Map(map) => map.measure.size,
        }
    }

    /// How deeply it nests: 0 for what is no list and no map.
    fn depth(&self) -> u32 {
        match self {
            Value::List(list) => list.measure.depth,
            Value::Map(map) => map.measure.depth,
            _ => 0,
        }
    }
}

/// The integer that a float stands for, as Lua converts keys.
fn float_to_int(float: f64) -> Option<i64> {
    let int = float as i64;
    (int as f64 == float && float < 9.2e18).then_some(int)
}

fn normal_key(key: Value) -> Value {
    match key {
        Value::Float(float) => float_to_int(float).map_or(key, Value::Int),
        other => other,
    }
}

fn is_key(key: &Value) -> bool {
    !matches!(key, Value::Nil) && !matches!(key, Value::Float(float) if float.is_nan())
}

/// The order of keys: numbers by value, byte strings by bytes, booleans, lists, maps.
fn key_order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Int(a), Value::Float(b)) => (*a as f64).total_cmp(b).then(Ordering::Less),
        (Value::Float(a), Value::Int(b)) => a.total_cmp(&(*b as f64)).then(Ordering::Greater),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let pairs = a.items.iter().zip(&*b.items).map(|(a, b)| key_order(a, b));
            first_difference(pairs).then(a.items.len().cmp(&b.items.len()))
        }
        (Value::Map(a), Value::Map(b)) => {
            let pairs = a.entries.iter().zip(&*b.entries);
            first_difference(pairs.map(|(a, b)| key_order(&a.0, &b.0).then(key_order(&a.1, &b.1))))
                .then(a.entries.len().cmp(&b.entries.len()))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Nil => 0,
        Value::Int(_) | Value::Float(_) => 1,
        Value::Bytes(_) => 2,
        Value::Bool(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b) || a.items == b.items,
            (Value::Map(a), Value::Map(b)) => Rc::ptr_eq(a, b) || a.entries == b.entries,
            _ => false,
        }
    }
}

macro_rules! from {
    ($($type:ty, $from:ident => $value:expr;)*) => {
        $(impl From<$type> for Value {
            #[inline]
            fn from($from: $type) -> Value {
                $value
            }
        })*
    };
}

from! {
    (), _unit => Value::Nil;
    bool, truth => Value::Bool(truth);
    i32, int => Value::Int(int.into());
    i64, int => Value::Int(int);
    u32, int => Value::Int(int.into());
    u8, int => Value::Int(int.into());
    u64, int => i64::try_from(int).map_or(Value::Float(int as f64), Value::Int);
    usize, int => Value::from(int as u64);
    f64, float => Value::Float(float);
    &str, text => Value::Bytes(text.into());
    String, text => Value::Bytes(text.into());
    &[u8], bytes => Value::Bytes(bytes.into());
    Vec<u8>, bytes => Value::Bytes(bytes.into());
    Bytes, bytes => Value::Bytes(bytes);
    Name, name => Value::Bytes(name.into());
    &Name, name => Value::Bytes(name.bytes().clone());
    Pid, pid => Value::from(pid.number());
    &Value, value => value.clone();
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Value {
        option.map_or(Value::Nil, Into::into)
    }
}

/// Lua's notation.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(truth) => truth.fmt(f),
            Value::Int(int) => int.fmt(f),
            Value::Float(float) if float.fract() == 0.0 && float.abs() < 1e15 => {
                write!(f, "{float:.1}")
            }
            Value::Float(float) => float.fmt(f),
            Value::Bytes(bytes) => fmt::Debug::fmt(bytes, f),
            Value::List(list) => {
                write_joined(f, list.items.iter(), |f, item| fmt::Display::fmt(item, f))
            }
            Value::Map(map) => write_joined(f, map.entries.iter(), |f, (key, value)| {
                match key.as_str() {
                    Some(name) if is_identifier(name) => f.write_str(name)?,
                    _ => write!(f, "[{key}]")?,
                }
                write!(f, " = {value}")
            }),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write_joined<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("{")?;
    for (i, item) in items.enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    f.write_str("}")
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts() {
        let map = Value::map([(Value::Int(1), 1), (Value::Float(1.0), 2), (Value::Int(1), 3)]);
        assert_eq!(map, Value::map([(1, 3)]));
    }

    #[test]
    fn a_value_is_moved_and_what_was_there_is_dropped() {
        let old = Value::list([1]);
        let Value::List(list) = &old else { unreachable!() };
        let mut place = old.clone();
        let mut from = Value::from("a text that does not fit in place");
        from.move_to(&mut place);
        assert_eq!((Rc::strong_count(list), &from), (1, &Value::Nil));
        assert_eq!(place, "a text that does not fit in place".into());
        Value::Int(7).move_to(&mut from);
        assert_eq!(from, Value::Int(7));
    }

    #[test]
    fn keys_are_in_canonical_order() {
        let map = Value::map([
            (Value::from(true), 1),
            ("b".into(), 1),
            (Value::Float(1.5), 1),
            ("a".into(), 1),
            (Value::Int(2), 1),
            (Value::Int(1), 1),
        ]);
        assert_eq!(map.to_string(), "{[1] = 1, [1.5] = 1, [2] = 1, a = 1, b = 1, [true] = 1}");
    }

    #[test]
    fn nesting_is_bounded() {
        let mut value = Value::Nil;
        for _ in 0..MAX_DEPTH {
            value = Value::try_list(vec![value]).unwrap();
        }
        assert_eq!(Value::try_list(vec![value]), Err(DepthError));
    }

    #[test]
    fn integer_conversions_are_exact() {
        assert_eq!(Value::Float(1e300).as_int(), None);
        assert_eq!(Value::Float(9_223_372_036_854_775_808.0).as_int(), None);
        assert_eq!(Value::Float(-3.0).as_int(), Some(-3));
        assert_eq!(Value::from(u64::MAX), Value::Float(u64::MAX as f64));
    }

    #[test]
    fn size_counts_all_that_is_reached() {
        assert_eq!(Value::list([1, 2]).size(), 48);
        assert_eq!(Value::from("abc").size(), 3);
    }
}
