//! TOML as a tree with places.

use std::ops::Range;
use std::sync::Arc;

use toml_edit::{Document, Item, TableLike, Value as Toml};

use crate::tree::{Kind, Member, Value};
use crate::{Diagnostic, Source};

/// Reads a text.
///
/// # Errors
///
/// Where and why it is no TOML.
pub(super) fn parse(source: &Arc<Source>) -> Result<Vec<Member>, Diagnostic> {
    let document = Document::parse(source.text.as_str()).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        Diagnostic::new(source, span, message).help("the file is no TOML here")
    })?;
    Ok(members(document.as_table()))
}

fn members(table: &dyn TableLike) -> Vec<Member> {
    let member = |(key, item): (&str, &Item)| {
        let key_span = table.key(key).and_then(toml_edit::Key::span).unwrap_or(0..0);
        let value = value(item, &key_span);
        Member { key: key.to_owned(), key_span, value: Some(value) }
    };
    table.iter().map(member).collect()
}

/// A table that dotted keys make has no place of its own: that of its key stands for it.
fn value(item: &Item, key_span: &Range<usize>) -> Value {
    let span = item.span().unwrap_or_else(|| key_span.clone());
    let kind = match item {
        Item::None => Kind::Null,
        Item::Value(value) => return toml_value(value, key_span),
        Item::Table(table) => Kind::Table(members(table)),
        Item::ArrayOfTables(tables) => {
            let one = |table: &toml_edit::Table| Value {
                kind: Kind::Table(members(table)),
                span: table.span().unwrap_or_else(|| key_span.clone()),
            };
            Kind::Array(tables.iter().map(one).collect())
        }
    };
    Value { kind, span }
}

fn toml_value(value: &Toml, key_span: &Range<usize>) -> Value {
    let span = value.span().unwrap_or_else(|| key_span.clone());
    let kind = match value {
        Toml::String(text) => Kind::Text(text.value().clone()),
        Toml::Integer(number) => Kind::Integer(*number.value()),
        Toml::Float(_) => Kind::Fraction,
        Toml::Boolean(it) => Kind::Bool(*it.value()),
        Toml::Datetime(_) => Kind::Date,
        Toml::Array(values) => {
            Kind::Array(values.iter().map(|it| toml_value(it, key_span)).collect())
        }
        Toml::InlineTable(table) => Kind::Table(members(table)),
    };
    Value { kind, span }
}
