//! What a structured text holds: nothing is lost of order, duplicate keys and places.

use std::ops::Range;

/// A value and the bytes that it is written in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Integer(i64),
    /// A number with a fraction, an exponent, or more digits than an integer has.
    Fraction,
    /// A date or a time of day.
    Date,
    Text(String),
    Array(Vec<Value>),
    /// What JSON calls an object.
    Object(Vec<Member>),
    /// What TOML calls a table.
    Table(Vec<Member>),
}

impl Kind {
    /// What to call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Integer(_) => "an integer",
            Kind::Fraction => "a number that is no 64-bit integer",
            Kind::Date => "a date",
            Kind::Text(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
            Kind::Table(_) => "a table",
        }
    }
}

/// One entry of an object or a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    /// `None` for a key alone.
    pub(crate) value: Option<Value>,
}

impl Member {
    /// The bytes of its value, or of its key if it has none.
    pub(crate) fn place(&self) -> &Range<usize> {
        self.value.as_ref().map_or(&self.key_span, |value| &value.span)
    }

    pub(crate) fn kind(&self) -> Option<&Kind> {
        self.value.as_ref().map(|value| &value.kind)
    }
}

/// The last member with this key.
pub(crate) fn last<'a>(members: &'a [Member], key: &str) -> Option<&'a Member> {
    members.iter().rfind(|member| member.key == key)
}
