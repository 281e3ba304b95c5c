//! A text as it was given, and what is to be said about places in it.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use unicode_width::UnicodeWidthChar;

/// How many columns a tab is shown as.
const TAB: usize = 4;
/// How many columns of a long line are shown.
const WIDTH: usize = 96;
/// How many columns before a mark are shown at least, where a long line is cut.
const BEFORE: usize = 32;

/// A text and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name of the file, as it was given.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl Source {
    /// A text of this name, ready to be shared by the diagnostics about it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into() })
    }

    /// The line and column of a byte offset, both from 1, the column in characters. An offset past
    /// the end is the end; one inside a character is the character's start.
    ///
    /// ```
    /// use hothouse_workload::Source;
    /// let source = Source::new("a.json", "{\n  é: 1\n}");
    /// assert_eq!(source.place(2), (2, 1));
    /// assert_eq!(source.place(6), (2, 4));
    /// assert_eq!(source.place(999), (3, 2));
    /// ```
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.floor(offset)];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        (line, before[start..].chars().count() + 1)
    }

    /// The bytes of the line that holds an offset, without its end.
    fn line(&self, offset: usize) -> Range<usize> {
        let offset = self.floor(offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        start..end
    }

    fn floor(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

/// What is wrong, or worth a warning, at a place of a text.
///
/// ```
/// use hothouse_workload::{Diagnostic, Source};
/// let source = Source::new("a.jobs", "cat, 0ms, 5\n");
/// let error = Diagnostic::new(&source, 10..11, "the duration \"5\" has no unit").help("write 5ms");
/// assert_eq!(
///     error.to_string(),
///     "a.jobs:1:11: the duration \"5\" has no unit\n  \
///      | cat, 0ms, 5\n  |           ^\n  = write 5ms"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one line.
    pub message: String,
    /// The bytes that it is about.
    pub span: Range<usize>,
    /// What was expected, or what to do.
    pub help: Option<String>,
    /// The text that it is about.
    pub source: Arc<Source>,
}

impl Diagnostic {
    /// A message about these bytes of a text.
    pub fn new(source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { message: message.into(), span, help: None, source: source.clone() }
    }

    /// The same with a line that says what was expected, or what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The line and column of its start, both from 1.
    pub fn place(&self) -> (usize, usize) {
        self.source.place(self.span.start)
    }
}

/// Where something stands, if it comes from a text.
///
/// Any two are equal, so that two workloads are equal if they say the same, wherever it stands.
///
/// ```
/// use hothouse_workload::{Place, Source};
/// let source = Source::new("a.jobs", "cat, 0ms, 5h\n");
/// let place = Place::new(&source, 10..12);
/// assert!(place.tell("this is long").starts_with("a.jobs:1:11: this is long\n"));
/// assert_eq!(Place::default().tell("this is long"), "this is long");
/// assert_eq!(place, Place::default());
/// ```
#[derive(Clone, Default)]
pub struct Place(Option<(Arc<Source>, Range<usize>)>);

impl Place {
    /// These bytes of a text.
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Place {
        Place(Some((source.clone(), span)))
    }

    /// A message with the place in front and the line under it, as far as there is one.
    pub fn tell(&self, message: impl Into<String>) -> String {
        match &self.0 {
            Some((source, span)) => Diagnostic::new(source, span.clone(), message).to_string(),
            None => message.into(),
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl Eq for Place {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((source, span)) => {
                let (line, column) = source.place(span.start);
                write!(f, "{}:{line}:{column}", source.name)
            }
            None => f.write_str("nowhere"),
        }
    }
}

/// A line as it is shown: no tabs or other controls, cut around the mark where it is long.
struct Shown {
    text: String,
    before: usize,
    marked: usize,
}

impl Shown {
    fn new(line: &str, mark: Range<usize>) -> Shown {
        let mut cells: Vec<(String, usize, bool, bool)> = Vec::new();
        for (at, letter) in line.char_indices() {
            let text = match letter {
                '\t' => " ".repeat(TAB),
                '\r' if at + 1 == line.len() => continue,
                other if other.is_control() => char::REPLACEMENT_CHARACTER.to_string(),
                other => other.to_string(),
            };
            let width = text.chars().map(|c| c.width().unwrap_or(0)).sum();
            cells.push((text, width, at < mark.start, mark.contains(&at)));
        }
        let total: usize = cells.iter().map(|cell| cell.1).sum();
        let mut before: usize = cells.iter().filter(|cell| cell.2).map(|cell| cell.1).sum();
        let marked: usize = cells.iter().filter(|cell| cell.3).map(|cell| cell.1).sum();
        let mut skip = if total <= WIDTH { 0 } else { before.saturating_sub(BEFORE) };
        let mut text = String::new();
        if skip > 0 {
            text.push('…');
            before = before + 1 - skip;
        }
        let mut room = WIDTH;
        for (cell, width, ..) in cells {
            if skip > 0 {
                // A wide character that straddles the cut leaves blanks of what is left of it.
                let hidden = skip.min(width);
                skip -= hidden;
                text.push_str(&" ".repeat(if hidden > 0 { width - hidden } else { 0 }));
                continue;
            }
            if width > room {
                text.push('…');
                break;
            }
            room -= width;
            text.push_str(&cell);
        }
        Shown { text, before, marked: marked.clamp(1, (WIDTH + 1).saturating_sub(before).max(1)) }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.place();
        writeln!(f, "{}:{line}:{column}: {}", self.source.name, self.message)?;
        let whole = self.source.line(self.span.start);
        let start = self.source.floor(self.span.start);
        let mark = start - whole.start..self.span.end.max(start).min(whole.end) - whole.start;
        let shown = Shown::new(&self.source.text[whole], mark);
        writeln!(f, "  | {}", shown.text.trim_end())?;
        write!(f, "  | {:2$}{}", "", "^".repeat(shown.marked), shown.before)?;
        match &self.help {
            Some(help) => write!(f, "\n  = {help}"),
            None => Ok(()),
        }
    }
}

impl Error for Diagnostic {}

/// All that is wrong with a text, in the order of its places; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics(vec![diagnostic])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tab_and_a_wide_character_keep_the_mark_in_place() {
        let source = Source::new("x", "\t\"漢\": bad\r\nnext");
        let at = source.text.find("bad").unwrap();
        let shown = Diagnostic::new(&source, at..at + 3, "m").to_string();
        assert_eq!(shown, "x:1:7: m\n  |     \"漢\": bad\n  |           ^^^");
    }

    #[test]
    fn a_mark_past_the_end_stands_after_the_last_character() {
        let source = Source::new("x", "ab");
        assert_eq!(Diagnostic::new(&source, 2..2, "m").to_string(), "x:1:3: m\n  | ab\n  |   ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}HERE{}", "a".repeat(300), "b".repeat(300));
        let shown = Diagnostic::new(&Source::new("x", text), 300..304, "m").to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].chars().count() <= WIDTH + 6);
        let mark = lines[2].find('^').unwrap();
        assert_eq!(lines[1].chars().skip(mark).take(4).collect::<String>(), "HERE");
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_is_shown(text in "(\\PC|\t|\r|\n|漢){0,400}", start in 0usize..1500, length in 0usize..50) {
            let source = Source::new("x", text);
            let shown = Diagnostic::new(&source, start..start + length, "m").to_string();
            prop_assert!(shown.contains('^'));
            prop_assert!(shown.lines().count() >= 3);
        }
    }
}
