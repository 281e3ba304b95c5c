//! Faults in text.

use std::fmt;
use std::ops::Range;

use hothouse_abi::{Errno, Signal, Span, Trap};

use super::{Fault, Faults, Pattern, Route, Rule, When};
use crate::policy::parse_span;

/// How long a reordered event waits for one that overtakes it, if nothing else is said.
const WITHIN: Span = Span::from_millis(10);

/// The faults with their own keys.
const FAULTS: [(&str, &[&str]); 8] = [
    ("drop", &["from", "to", "event"]),
    ("delay", &["from", "to", "event", "by"]),
    ("duplicate", &["from", "to", "event"]),
    ("reorder", &["from", "to", "event", "within"]),
    ("kill", &["process", "at", "signal"]),
    ("stop", &["process", "at", "for"]),
    ("skew", &["process", "by"]),
    ("fail", &["process", "call", "errno"]),
];

/// The keys that every fault has, but for `skew`, which holds all the time.
const WHEN: [&str; 6] = ["p", "nth", "every", "max", "after", "before"];

/// What is wrong with a text about faults, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct FaultError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, what was expected, and what to do.
    pub message: String,
}

/// A part of a text, with its place.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Part<'a> {
    /// A part of it, without the white space around.
    fn part(self, range: Range<usize>) -> Part<'a> {
        let text = &self.text[range.clone()];
        let start = range.start + (text.len() - text.trim_start().len());
        let column = self.column + self.text[..start].chars().count();
        Part { text: text.trim(), line: self.line, column }
    }

    /// The parts between a separator.
    fn split(self, separator: char) -> impl Iterator<Item = Part<'a>> {
        let mut start = 0;
        self.text.split(separator).map(move |text| {
            let part = self.part(start..start + text.len());
            start += text.len() + separator.len_utf8();
            part
        })
    }

    /// The parts before and behind the first separator.
    fn split_once(self, separator: char) -> Option<(Part<'a>, Part<'a>)> {
        let at = self.text.find(separator)?;
        Some((self.part(0..at), self.part(at + separator.len_utf8()..self.text.len())))
    }

    fn error(self, message: impl fmt::Display) -> FaultError {
        FaultError { line: self.line, column: self.column, message: message.to_string() }
    }
}

pub(super) fn parse(text: &str) -> Result<Faults, FaultError> {
    let lines = text.lines().zip(1..).map(|(text, line)| {
        let end = text.find('#').unwrap_or(text.len());
        Part { text, line, column: 1 }.part(0..end)
    });
    let rules = lines.flat_map(|line| line.split(';').collect::<Vec<_>>());
    let rules = rules.filter(|rule| !rule.text.is_empty());
    let rules: Vec<_> = rules.map(rule).collect::<Result<_, _>>()?;
    if rules.is_empty() {
        let message = "there is no fault; write one, such as `drop:from=client,p=0.1`";
        return Err(Part { text, line: 1, column: 1 }.error(message));
    }
    Ok(Faults { rules })
}

fn rule(part: Part<'_>) -> Result<Rule, FaultError> {
    let (word, pairs) = match part.split_once(':') {
        Some((word, pairs)) => (word, Some(pairs)),
        None => (part, None),
    };
    let Some((word, own)) = FAULTS.iter().find(|(name, _)| *name == word.text) else {
        let words = FAULTS.iter().map(|(name, _)| *name);
        return Err(word.error(unknown("fault", word.text, words)));
    };
    let mut known: Vec<&'static str> = own.to_vec();
    if *word != "skew" {
        known.extend(WHEN);
    }
    let mut keys = Keys { word, part, pairs: Vec::new() };
    for pair in pairs.iter().flat_map(|pairs| pairs.split(',')) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(pair.error(format!("\"{}\" is no key=value", pair.text)));
        };
        let Some(name) = known.iter().find(|name| **name == key.text) else {
            let what = format!("key of {word}");
            return Err(key.error(unknown(&what, key.text, known.iter().copied())));
        };
        if keys.pairs.iter().any(|(other, _)| other == name) {
            return Err(key.error(format!("\"{name}\" is given twice")));
        }
        keys.pairs.push((name, value));
    }
    Ok(Rule { fault: keys.fault()?, when: keys.when()? })
}

/// The message for a word that is not known.
fn unknown<'a>(what: &str, given: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = known
        .clone()
        .map(|word| {
            (strsim::damerau_levenshtein(&given.to_lowercase(), &word.to_lowercase()), word)
        })
        .filter(|(distance, word)| distance * 2 <= word.len())
        .min_by_key(|(distance, _)| *distance);
    let hint =
        near.map_or_else(|| ".".to_owned(), |(_, near)| format!("; did you mean \"{near}\"?"));
    let all: Vec<_> = known.collect();
    format!("no {what} \"{given}\"{hint} There are: {}", all.join(", "))
}

/// The keys of one rule.
struct Keys<'a> {
    word: &'static str,
    part: Part<'a>,
    pairs: Vec<(&'static str, Part<'a>)>,
}

impl<'a> Keys<'a> {
    fn get(&self, key: &str) -> Option<Part<'a>> {
        self.pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// The value of a key, read by `read`.
    fn read<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, FaultError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let bad = || value.error(format!("bad {key} \"{}\": it is {expected}", value.text));
        read(value.text).map(Some).ok_or_else(bad)
    }

    fn needed<T>(&self, key: &str, example: &str, value: Option<T>) -> Result<T, FaultError> {
        let word = self.word;
        value.ok_or_else(|| self.part.error(format!("{word} needs {key}, such as {key}={example}")))
    }

    fn span(&self, key: &str) -> Result<Option<Span>, FaultError> {
        self.read(key, "a duration with a unit (ns, us, ms, s), such as 2.5ms", parse_span)
    }

    fn count(&self, key: &str) -> Result<Option<u64>, FaultError> {
        let positive = |text: &str| text.parse().ok().filter(|&number| number > 0);
        self.read(key, "a whole number from 1 on", positive)
    }

    fn pattern(&self, key: &str) -> Result<Option<Pattern>, FaultError> {
        let expected = "a pid, or a name in which * stands for any text";
        self.read(key, expected, |text| (!text.is_empty()).then(|| Pattern::new(text)))
    }

    fn process(&self) -> Result<Pattern, FaultError> {
        self.needed("process", "server", self.pattern("process")?)
    }

    fn route(&self) -> Result<Route, FaultError> {
        let event = self.read("event", "the name of an event", |text| Some(text.to_owned()))?;
        Ok(Route { from: self.pattern("from")?, to: self.pattern("to")?, event })
    }

    fn when(&self) -> Result<When, FaultError> {
        let chance = |text: &str| text.parse().ok().filter(|p| (0.0..=1.0).contains(p));
        let p = self.read("p", "a probability from 0 to 1, such as 0.1", chance)?;
        Ok(When {
            probability: p.unwrap_or(1.0),
            nth: self.count("nth")?,
            every: self.count("every")?,
            max: self.count("max")?,
            after: self.span("after")?.unwrap_or(Span::ZERO),
            before: self.span("before")?,
        })
    }

    fn fault(&self) -> Result<Fault, FaultError> {
        Ok(match self.word {
            "drop" => Fault::Drop(self.route()?),
            "delay" => {
                let range = |text: &str| {
                    let (least, most) = text.split_once("..").unwrap_or((text, text));
                    let range = (parse_span(least.trim())?, parse_span(most.trim())?);
                    (range.0 <= range.1).then_some(range)
                };
                let expected = "a duration with a unit, or a range of them, such as 1ms..5ms";
                let by = self.read("by", expected, range)?;
                let (least, most) = self.needed("by", "5ms", by)?;
                Fault::Delay { route: self.route()?, least, most }
            }
            "duplicate" => Fault::Duplicate(self.route()?),
            "reorder" => {
                let within = self.span("within")?.unwrap_or(WITHIN);
                Fault::Reorder { route: self.route()?, within }
            }
            "kill" => {
                let signal = |text: &str| text.parse().ok();
                let signal = self.read("signal", "a name such as TERM, or a number", signal)?;
                let signal = signal.unwrap_or(Signal::SIGKILL);
                Fault::Kill { process: self.process()?, at: self.count("at")?, signal }
            }
            "stop" => {
                let span = self.span("for")?;
                Fault::Stop { process: self.process()?, at: self.count("at")?, span }
            }
            "skew" => Fault::Skew { process: self.process()?, ahead: self.ahead()? },
            _ => self.fail()?,
        })
    }

    fn ahead(&self) -> Result<i64, FaultError> {
        let signed = |text: &str| {
            let behind = text.starts_with('-');
            let span = parse_span(text.trim_start_matches(['+', '-']))?;
            let nanos = i64::try_from(span.nanos()).ok()?;
            Some(if behind { -nanos } else { nanos })
        };
        let by = self.read("by", "a duration, with + or - before it, such as -5ms", signed)?;
        self.needed("by", "+5ms", by)
    }

    fn fail(&self) -> Result<Fault, FaultError> {
        let call = match self.get("call") {
            None => None,
            Some(value) => Some(failing(value)?),
        };
        let errno = match self.get("errno") {
            None => self.needed("errno", "EAGAIN", None)?,
            Some(value) => Errno::from_name(value.text).ok_or_else(|| {
                let names = Errno::ALL.iter().map(|errno| errno.name());
                value.error(unknown("errno", value.text, names))
            })?,
        };
        let process = self.pattern("process")?.unwrap_or_else(|| Pattern::new("*"));
        Ok(Fault::Fail { process, call, errno })
    }
}

/// The calls that can't fail: what ends a process or a handler has nobody to tell.
const NEVER: [&str; 2] = ["exit", "sigreturn"];

/// The name of a call that can be made to fail.
fn failing(value: Part<'_>) -> Result<&'static str, FaultError> {
    let calls = Trap::NAMES.into_iter().filter(|name| !NEVER.contains(name));
    let call = calls.clone().find(|name| *name == value.text);
    call.ok_or_else(|| value.error(unknown("call", value.text, calls)))
}

/// Whether a call may be made to fail.
pub(crate) fn may_fail(call: &str) -> bool {
    !NEVER.contains(&call)
}

#[cfg(test)]
mod tests;
