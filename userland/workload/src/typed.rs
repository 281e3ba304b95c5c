//! Values of the type and range that a key wants, or an error at their place.

use std::ops::RangeInclusive;

use hothouse_abi::Span;

use crate::report::Report;
use crate::tree::{Kind, Member};

/// The most microseconds that a [`Span`] can hold.
const MOST_MICROS: i64 = (u64::MAX / 1_000) as i64;

impl Report {
    pub(crate) fn mismatch(&mut self, member: &Member, wanted: &str) {
        let key = &member.key;
        let help = format!("expected {wanted}");
        match &member.value {
            Some(value) => {
                let message = format!("\"{key}\" has {} for a value", value.kind.name());
                self.error(&value.span, message, help);
            }
            None => self.error(&member.key_span, format!("\"{key}\" has no value"), help),
        }
    }

    pub(crate) fn integer(&mut self, member: &Member, range: RangeInclusive<i64>) -> Option<i64> {
        let (low, high) = (range.start(), range.end());
        let wanted = format!("an integer from {low} to {high}");
        let Some(value) = &member.value else {
            self.mismatch(member, &wanted);
            return None;
        };
        match value.kind {
            Kind::Integer(number) if range.contains(&number) => Some(number),
            Kind::Integer(number) => {
                let message = format!("{number} is out of range for \"{}\"", member.key);
                self.error(&value.span, message, format!("expected {wanted}"));
                None
            }
            _ => {
                self.mismatch(member, &wanted);
                None
            }
        }
    }

    pub(crate) fn micros(&mut self, member: &Member) -> Option<Span> {
        let micros = self.integer(member, 0..=MOST_MICROS)?;
        Some(Span::from_micros(micros.unsigned_abs()))
    }

    pub(crate) fn boolean(&mut self, member: &Member) -> Option<bool> {
        match member.kind() {
            Some(&Kind::Bool(it)) => Some(it),
            // Old files write 0 and 1.
            Some(&Kind::Integer(it @ (0 | 1))) => Some(it == 1),
            _ => {
                self.mismatch(member, "true or false");
                None
            }
        }
    }

    pub(crate) fn text<'a>(&mut self, member: &'a Member, wanted: &str) -> Option<&'a str> {
        if let Some(Kind::Text(text)) = member.kind() {
            return Some(text);
        }
        self.mismatch(member, wanted);
        None
    }

    /// A name that is not empty.
    pub(crate) fn name(&mut self, member: &Member) -> Option<String> {
        let text = self.text(member, "a name, as a string")?;
        if text.is_empty() {
            self.error(
                member.place(),
                format!("\"{}\" has an empty name", member.key),
                "expected a name",
            );
            return None;
        }
        Some(text.to_string())
    }

    pub(crate) fn members<'a>(&mut self, member: &'a Member, wanted: &str) -> Option<&'a [Member]> {
        if let Some(Kind::Object(members) | Kind::Table(members)) = member.kind() {
            return Some(members);
        }
        self.mismatch(member, wanted);
        None
    }

    pub(crate) fn integers(
        &mut self,
        member: &Member,
        range: &RangeInclusive<i64>,
    ) -> Option<Vec<i64>> {
        const WANTED: &str = "an array of integers";
        let Some(Kind::Array(values)) = member.kind() else {
            self.mismatch(member, WANTED);
            return None;
        };
        let one = |value| {
            let (key, key_span) = (member.key.clone(), member.key_span.clone());
            Member { key, key_span, value: Some(value) }
        };
        let all: Vec<Option<i64>> =
            values.iter().map(|value| self.integer(&one(value.clone()), range.clone())).collect();
        all.into_iter().collect()
    }

    /// Says of each of these keys that is given again that the last one counts.
    pub(crate) fn repeated(&mut self, members: &[Member], is_setting: impl Fn(&str) -> bool) {
        for (index, member) in members.iter().enumerate() {
            let before = &members[..index];
            if is_setting(&member.key) && before.iter().any(|other| other.key == member.key) {
                let message = format!("\"{}\" is given twice", member.key);
                self.warning(&member.key_span, message, "the last one counts");
            }
        }
    }
}
