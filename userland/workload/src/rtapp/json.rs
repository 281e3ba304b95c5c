//! JSON as people write it: nothing is lost of order, duplicate keys and places.
//!
//! Beyond the standard it takes comments (`//` and `/* */`), a comma before a closing bracket, and
//! a string alone in an object, which is a key without a value.

use std::ops::Range;
use std::sync::Arc;

use crate::tree::{Kind, Member, Value};
use crate::{Diagnostic, Source};

/// How deep brackets may nest.
const DEPTH: usize = 64;

/// Reads one value and nothing after it.
///
/// # Errors
///
/// Where and why the text is no JSON.
pub(super) fn parse(source: &Arc<Source>) -> Result<Value, Diagnostic> {
    let start = if source.text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut reader = Reader { source, at: start, depth: 0 };
    let value = reader.value()?;
    reader.blank()?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => {
            Err(reader.wrong("more after the end of the value", "expected the end of the file"))
        }
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.source.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn at(&self, span: Range<usize>, message: impl Into<String>, help: &str) -> Diagnostic {
        Diagnostic::new(self.source, span, message).help(help)
    }

    fn wrong(&self, message: &str, help: &str) -> Diagnostic {
        let width = self.peek().map_or(0, char::len_utf8);
        self.at(self.at..self.at + width, message, help)
    }

    fn unexpected(&self, help: &str) -> Diagnostic {
        match self.peek() {
            Some(letter) => self.wrong(&format!("unexpected {letter:?}"), help),
            None => self.wrong("the file ends too early", help),
        }
    }

    /// Skips blanks and comments.
    fn blank(&mut self) -> Result<(), Diagnostic> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    let span = self.at..self.at + 2;
                    return Err(self.at(span, "the comment has no end", "close it with */"));
                };
                self.at += 2 + end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self) -> Result<Value, Diagnostic> {
        self.blank()?;
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => self.nested(Reader::object)?,
            Some('[') => self.nested(Reader::array)?,
            Some('"') => Kind::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(letter) if letter.is_ascii_alphabetic() => self.word()?,
            _ => return Err(self.unexpected("expected a value")),
        };
        Ok(Value { kind, span: start..self.at })
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Kind, Diagnostic>,
    ) -> Result<Kind, Diagnostic> {
        if self.depth == DEPTH {
            return Err(self.wrong("brackets nest too deep", "at most 64 levels"));
        }
        self.depth += 1;
        self.at += 1;
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Result<Kind, Diagnostic> {
        let mut members = Vec::new();
        loop {
            self.blank()?;
            if self.take('}') {
                return Ok(Kind::Object(members));
            }
            let start = self.at;
            if self.peek() != Some('"') {
                return Err(self.unexpected("expected a key in double quotes, or }"));
            }
            let key = self.string()?;
            let key_span = start..self.at;
            self.blank()?;
            let value = if self.take(':') { Some(self.value()?) } else { None };
            members.push(Member { key, key_span, value });
            self.blank()?;
            if !self.take(',') && self.peek() != Some('}') {
                return Err(self.unexpected("expected , or }"));
            }
        }
    }

    fn array(&mut self) -> Result<Kind, Diagnostic> {
        let mut values = Vec::new();
        loop {
            self.blank()?;
            if self.take(']') {
                return Ok(Kind::Array(values));
            }
            values.push(self.value()?);
            self.blank()?;
            if !self.take(',') && self.peek() != Some(']') {
                return Err(self.unexpected("expected , or ]"));
            }
        }
    }

    fn word(&mut self) -> Result<Kind, Diagnostic> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..end];
        let kind = match word {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            _ => {
                let message = format!("\"{word}\" is no value");
                return Err(self.at(self.at..self.at + end, message, "put text in double quotes"));
            }
        };
        self.at += end;
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, Diagnostic> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && !matches!(c, '+' | '-' | '.' | '_'))
            .unwrap_or(rest.len());
        let text = &rest[..end];
        let digits = text.strip_prefix('-').unwrap_or(text);
        let kind = if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
            text.parse().map_or(Kind::Fraction, Kind::Integer)
        } else if digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
            && text.parse::<f64>().is_ok()
        {
            Kind::Fraction
        } else {
            let message = format!("\"{text}\" is no number");
            let help = "write decimal digits, without a unit";
            return Err(self.at(self.at..self.at + end, message, help));
        };
        self.at += end;
        Ok(kind)
    }

    fn string(&mut self) -> Result<String, Diagnostic> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let begun = self.at;
            let Some(letter) = self.peek().filter(|&letter| letter != '\n') else {
                return Err(self.at(start..self.at, "the string has no end", "close it with \""));
            };
            self.at += letter.len_utf8();
            match letter {
                '"' => return Ok(text),
                '\\' => {
                    let Some(letter) = self.escape() else {
                        let end = self.source.text.len().min(self.at + 1);
                        let help = "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX";
                        return Err(self.at(begun..end, "no such escape", help));
                    };
                    text.push(letter);
                }
                _ => text.push(letter),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                if !self.take('\\') || !self.take('u') {
                    return None;
                }
                let second = self.unit().filter(|unit| (0xdc00..0xe000).contains(unit))?;
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = u32::from_str_radix(digits, 16).ok().filter(|_| plain)?;
        self.at += 4;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Value, Diagnostic> {
        parse(&Source::new("t.json", text))
    }

    fn show(value: &Value) -> String {
        let list = |parts: Vec<String>| parts.join(",");
        match &value.kind {
            Kind::Null => "null".into(),
            Kind::Bool(it) => it.to_string(),
            Kind::Integer(it) => it.to_string(),
            Kind::Fraction => "fraction".into(),
            Kind::Text(it) => format!("{it:?}"),
            Kind::Array(all) => format!("[{}]", list(all.iter().map(show).collect())),
            Kind::Date | Kind::Table(_) => unreachable!("JSON has none"),
            Kind::Object(all) => {
                let one = |it: &Member| match &it.value {
                    Some(value) => format!("{:?}:{}", it.key, show(value)),
                    None => format!("{:?}", it.key),
                };
                format!("{{{}}}", list(all.iter().map(one).collect()))
            }
        }
    }

    #[test]
    fn order_duplicates_comments_and_loose_commas_are_kept_or_passed_over() {
        let text =
            "{ // one\n \"run\": 1, /* * */ \"sleep\": -2, \"run\": [3,], \"suspend\", }\n// end";
        let found = read(text).unwrap();
        assert_eq!(show(&found), r#"{"run":1,"sleep":-2,"run":[3],"suspend"}"#);
        let Kind::Object(members) = found.kind else { panic!() };
        assert_eq!(&text[members[2].key_span.clone()], "\"run\"");
        assert_eq!(&text[members[2].value.as_ref().unwrap().span.clone()], "[3,]");
    }

    #[test]
    fn escapes_and_numbers() {
        assert_eq!(read(r#""\u00e9\ud83d\ude00\n\/""#).unwrap().kind, Kind::Text("é😀\n/".into()));
        assert_eq!(read("9223372036854775807").unwrap().kind, Kind::Integer(i64::MAX));
        assert_eq!(read("9223372036854775808").unwrap().kind, Kind::Fraction);
        assert_eq!(read("1.5e3").unwrap().kind, Kind::Fraction);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let cases = [
            ("{\"a\" 1}", "1:6", "unexpected '1'"),
            ("{\"a\": 1\n\"b\": 2}", "2:1", "unexpected '\"'"),
            ("[1", "1:3", "the file ends too early"),
            ("\"a", "1:1", "the string has no end"),
            ("/* a", "1:1", "the comment has no end"),
            ("0x10", "1:1", "\"0x10\" is no number"),
            ("10ms", "1:1", "\"10ms\" is no number"),
            ("[yes]", "1:2", "\"yes\" is no value"),
            ("\"\\q\"", "1:2", "no such escape"),
            ("\"\\ud800x\"", "1:2", "no such escape"),
            ("{} {}", "1:4", "more after the end of the value"),
            ("", "1:1", "the file ends too early"),
            ("[,]", "1:2", "unexpected ','"),
        ];
        for (text, place, message) in cases {
            let found = read(text).unwrap_err().to_string();
            assert!(found.starts_with(&format!("t.json:{place}: {message}")), "{text}: {found}");
        }
        assert!(read(&"[".repeat(100_000)).unwrap_err().message.contains("too deep"));
    }

    fn values() -> impl Strategy<Value = Value> {
        let kind = prop_oneof![
            Just(Kind::Null),
            any::<bool>().prop_map(Kind::Bool),
            any::<i64>().prop_map(Kind::Integer),
            "[a-z \u{e9}]{0,4}".prop_map(Kind::Text),
        ];
        kind.prop_map(|kind| Value { kind, span: 0..0 }).prop_recursive(3, 20, 4, |inner| {
            let member = ("[ab]", proptest::option::of(inner.clone()));
            let member = member.prop_map(|(key, value)| Member { key, key_span: 0..0, value });
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Kind::Array),
                proptest::collection::vec(member, 0..4).prop_map(Kind::Object),
            ]
            .prop_map(|kind| Value { kind, span: 0..0 })
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let text = show(&value);
            let found = read(&text).unwrap();
            prop_assert_eq!(show(&found), text.clone());
            prop_assert_eq!(found.span, 0..text.len());
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}\",:a1\\\\u/* \n\u{e9}-]{0,40}") {
            let _ = read(&text);
        }
    }
}
