//! Lua 5.4 patterns over bytes, in steps that are counted.
//!
//! The matcher backtracks, as the language asks for, so that a pattern can take time exponential in
//! its length. What keeps it bounded is the number of steps that the caller grants. Character
//! classes are those of the C locale. Depth of nesting and number of captures are limited as in
//! Lua's own library, and with the same messages.

use std::fmt;

/// How deep matches may nest before "pattern too complex".
const DEPTH: usize = 200;

/// How many captures a pattern may have.
const CAPTURES: usize = 32;

const ESCAPE: u8 = b'%';

/// Why a match could not be tried to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The pattern, or a replacement, is wrong: the message that Lua gives.
    Message(String),
    /// The granted steps are used up.
    Exhausted,
}

impl Fault {
    fn new<T>(message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::Message(message.into()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Message(message) => f.write_str(message),
            Fault::Exhausted => f.write_str("pattern step limit reached"),
        }
    }
}

/// How much of the subject a capture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Its `)` has not been reached.
    Open,
    /// `()`: only where it stands counts.
    Position,
    /// This many bytes.
    Closed(usize),
}

/// A value that a match captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture<'a> {
    /// A part of the subject.
    Text(&'a [u8]),
    /// A position in the subject, the first byte being 1.
    Position(usize),
}

/// A pattern at work on a subject.
pub(crate) struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    captures: [(usize, Extent); CAPTURES],
    /// How many of `captures` count.
    level: usize,
    depth: usize,
    steps: u64,
    limit: u64,
}

impl<'a> Matcher<'a> {
    /// A matcher that may take `limit` steps in all.
    pub(crate) fn new(subject: &'a [u8], pattern: &'a [u8], limit: u64) -> Self {
        let captures = [(0, Extent::Open); CAPTURES];
        Matcher { subject, pattern, captures, level: 0, depth: 0, steps: 0, limit }
    }

    pub(super) fn subject(&self) -> &'a [u8] {
        self.subject
    }

    pub(super) fn pattern(&self) -> &'a [u8] {
        self.pattern
    }

    /// Takes a leading `^` off the pattern. Returns whether there was one.
    pub(super) fn strip_anchor(&mut self) -> bool {
        let rest = self.pattern.strip_prefix(b"^");
        self.pattern = rest.unwrap_or(self.pattern);
        rest.is_some()
    }

    /// The steps taken so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts steps.
    pub(crate) fn step(&mut self, steps: usize) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(steps as u64);
        if self.steps > self.limit { Err(Fault::Exhausted) } else { Ok(()) }
    }

    /// The end of the match that starts exactly at `start`, if there is one.
    pub(crate) fn match_at(&mut self, start: usize) -> Result<Option<usize>, Fault> {
        self.level = 0;
        self.depth = 0;
        self.run(start, 0)
    }

    /// The first match that starts at `from` or later, only there if `anchored`, and whose end is
    /// not `except`: start and end.
    pub(crate) fn search(
        &mut self,
        from: usize,
        anchored: bool,
        except: Option<usize>,
    ) -> Result<Option<(usize, usize)>, Fault> {
        for start in from..=self.subject.len() {
            match self.match_at(start)? {
                Some(end) if Some(end) != except => return Ok(Some((start, end))),
                _ if anchored => break,
                _ => {}
            }
        }
        Ok(None)
    }

    /// How many captures the last match has.
    pub(crate) fn level(&self) -> usize {
        self.level
    }

    /// Value `index` of the last match, which spans `start..end`.
    pub(crate) fn capture(
        &self,
        index: usize,
        start: usize,
        end: usize,
    ) -> Result<Capture<'a>, Fault> {
        if index >= self.level {
            return match index {
                0 => Ok(Capture::Text(&self.subject[start..end])),
                _ => Fault::new(format!("invalid capture index %{}", index + 1)),
            };
        }
        match self.captures[index] {
            (at, Extent::Closed(len)) => Ok(Capture::Text(&self.subject[at..at + len])),
            (at, Extent::Position) => Ok(Capture::Position(at + 1)),
            (_, Extent::Open) => Fault::new("unfinished capture"),
        }
    }

    /// Appends a replacement string to `out`, with its `%0` to `%9` filled in.
    pub(crate) fn expand(
        &self,
        template: &[u8],
        start: usize,
        end: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut bytes = template.iter();
        while let Some(&byte) = bytes.next() {
            if byte != ESCAPE {
                out.push(byte);
                continue;
            }
            match bytes.next() {
                Some(&ESCAPE) => out.push(ESCAPE),
                Some(b'0') => out.extend_from_slice(&self.subject[start..end]),
                Some(&digit @ b'1'..=b'9') => {
                    match self.capture(usize::from(digit - b'1'), start, end)? {
                        Capture::Text(text) => out.extend_from_slice(text),
                        Capture::Position(at) => out.extend_from_slice(at.to_string().as_bytes()),
                    }
                }
                _ => return Fault::new("invalid use of '%' in replacement string"),
            }
        }
        Ok(())
    }

    /// The byte of the pattern at `p`; past the end, 0.
    fn pat(&self, p: usize) -> u8 {
        self.pattern.get(p).copied().unwrap_or(0)
    }

    /// Matches the pattern from `p` on against the subject from `s` on.
    fn run(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        if self.depth == DEPTH {
            return Fault::new("pattern too complex");
        }
        self.depth += 1;
        let end = self.items(s, p);
        self.depth -= 1;
        end
    }

    /// The loop of [`run`](Self::run), one pattern item a turn.
    fn items(&mut self, mut s: usize, mut p: usize) -> Result<Option<usize>, Fault> {
        while p < self.pattern.len() {
            self.step(1)?;
            match (self.pat(p), self.pat(p + 1)) {
                (b'(', b')') => return self.open_capture(s, p + 2, Extent::Position),
                (b'(', _) => return self.open_capture(s, p + 1, Extent::Open),
                (b')', _) => return self.close_capture(s, p + 1),
                (b'$', _) if p + 1 == self.pattern.len() => {
                    return Ok((s == self.subject.len()).then_some(s));
                }
                (ESCAPE, b'b') => match self.balance(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (ESCAPE, b'f') => match self.frontier(s, p + 2)? {
                    Some(next) => p = next,
                    None => return Ok(None),
                },
                (ESCAPE, digit @ b'0'..=b'9') => match self.back_reference(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => {
                    let next = self.class_end(p)?;
                    let one = self.single(s, p, next)?;
                    match self.pat(next) {
                        b'?' => {
                            if one && let Some(end) = self.run(s + 1, next + 1)? {
                                return Ok(Some(end));
                            }
                            p = next + 1;
                        }
                        b'+' if !one => return Ok(None),
                        b'+' => return self.longest(s + 1, p, next),
                        b'*' if !one => p = next + 1,
                        b'*' => return self.longest(s, p, next),
                        b'-' if !one => p = next + 1,
                        b'-' => return self.shortest(s, p, next),
                        _ if !one => return Ok(None),
                        _ => (s, p) = (s + 1, next),
                    }
                }
            }
        }
        Ok(Some(s))
    }

    fn open_capture(&mut self, s: usize, p: usize, extent: Extent) -> Result<Option<usize>, Fault> {
        if self.level == CAPTURES {
            return Fault::new("too many captures");
        }
        self.captures[self.level] = (s, extent);
        self.level += 1;
        let end = self.run(s, p)?;
        if end.is_none() {
            self.level -= 1;
        }
        Ok(end)
    }

    fn close_capture(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        let open = self.captures[..self.level].iter().rposition(|c| c.1 == Extent::Open);
        let Some(index) = open else {
            return Fault::new("invalid pattern capture");
        };
        self.captures[index].1 = Extent::Closed(s - self.captures[index].0);
        let end = self.run(s, p)?;
        if end.is_none() {
            self.captures[index].1 = Extent::Open;
        }
        Ok(end)
    }

    /// `%b`, whose two arguments stand at `p`.
    fn balance(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        if p + 1 >= self.pattern.len() {
            return Fault::new("malformed pattern (missing arguments to '%b')");
        }
        let (open, close) = (self.pattern[p], self.pattern[p + 1]);
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut nested = 1;
        for at in s + 1..self.subject.len() {
            self.step(1)?;
            let byte = self.subject[at];
            if byte == close {
                nested -= 1;
                if nested == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == open {
                nested += 1;
            }
        }
        Ok(None)
    }

    /// `%f`, whose set stands at `p`: where the pattern goes on, if the subject is at a frontier.
    fn frontier(&mut self, s: usize, p: usize) -> Result<Option<usize>, Fault> {
        if self.pat(p) != b'[' {
            return Fault::new("missing '[' after '%f' in pattern");
        }
        let next = self.class_end(p)?;
        let before = if s == 0 { 0 } else { self.subject[s - 1] };
        let after = self.subject.get(s).copied().unwrap_or(0);
        let at = !self.in_set(before, p, next - 1)? && self.in_set(after, p, next - 1)?;
        Ok(at.then_some(next))
    }

    fn back_reference(&mut self, s: usize, digit: u8) -> Result<Option<usize>, Fault> {
        let index = usize::from(digit).wrapping_sub(usize::from(b'1'));
        let (at, len) = match self.captures[..self.level].get(index) {
            Some((at, Extent::Closed(len))) => (*at, *len),
            // A position captures no text, so that there is nothing that could equal it.
            Some((_, Extent::Position)) => return Ok(None),
            Some((_, Extent::Open)) | None => {
                let number = index.wrapping_add(1);
                return Fault::new(format!("invalid capture index %{number}"));
            }
        };
        self.step(len / 8)?;
        let same = self.subject[s..].starts_with(&self.subject[at..at + len]);
        Ok(same.then_some(s + len))
    }

    /// As many repeats as there are, then fewer.
    fn longest(&mut self, s: usize, p: usize, next: usize) -> Result<Option<usize>, Fault> {
        let mut count = 0;
        while self.single(s + count, p, next)? {
            self.step(1)?;
            count += 1;
        }
        loop {
            if let Some(end) = self.run(s + count, next + 1)? {
                return Ok(Some(end));
            }
            if count == 0 {
                return Ok(None);
            }
            self.step(1)?;
            count -= 1;
        }
    }

    /// As few repeats as will do.
    fn shortest(&mut self, mut s: usize, p: usize, next: usize) -> Result<Option<usize>, Fault> {
        loop {
            if let Some(end) = self.run(s, next + 1)? {
                return Ok(Some(end));
            }
            if !self.single(s, p, next)? {
                return Ok(None);
            }
            self.step(1)?;
            s += 1;
        }
    }

    /// Where the single-character class at `p` ends.
    fn class_end(&mut self, p: usize) -> Result<usize, Fault> {
        let len = self.pattern.len();
        match self.pat(p) {
            ESCAPE if p + 1 == len => Fault::new("malformed pattern (ends with '%')"),
            ESCAPE => Ok(p + 2),
            b'[' => {
                let mut at = if self.pat(p + 1) == b'^' { p + 2 } else { p + 1 };
                // The first character of a set belongs to it even if it is a `]`.
                loop {
                    if at >= len {
                        return Fault::new("malformed pattern (missing ']')");
                    }
                    at += if self.pat(at) == ESCAPE && at + 1 < len { 2 } else { 1 };
                    if self.pat(at) == b']' && at < len {
                        self.step((at - p) / 4)?;
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the class `p..next` matches the byte at `s`.
    fn single(&mut self, s: usize, p: usize, next: usize) -> Result<bool, Fault> {
        let Some(&byte) = self.subject.get(s) else {
            return Ok(false);
        };
        match self.pattern[p] {
            b'.' => Ok(true),
            ESCAPE => Ok(in_class(byte, self.pattern[p + 1])),
            b'[' => self.in_set(byte, p, next - 1),
            literal => Ok(literal == byte),
        }
    }

    /// Whether `byte` is in the set whose `[` stands at `p` and whose `]` at `close`.
    fn in_set(&mut self, byte: u8, p: usize, close: usize) -> Result<bool, Fault> {
        self.step((close - p) / 4)?;
        let set = &self.pattern[p + 1..close];
        let (wanted, set) = match set {
            [b'^', rest @ ..] => (false, rest),
            _ => (true, set),
        };
        let mut rest = set;
        loop {
            let (found, after) = match rest {
                [] => return Ok(!wanted),
                [ESCAPE, class, after @ ..] => (in_class(byte, *class), after),
                [low, b'-', high, after @ ..] => ((*low..=*high).contains(&byte), after),
                [literal, after @ ..] => (*literal == byte, after),
            };
            if found {
                return Ok(wanted);
            }
            rest = after;
        }
    }
}

/// Whether `byte` is in the class `%class`.
fn in_class(byte: u8, class: u8) -> bool {
    let member = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | 9..=13),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => return class == byte,
    };
    member != class.is_ascii_uppercase()
}
