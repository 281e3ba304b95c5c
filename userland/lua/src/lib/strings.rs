//! What the string library needs from Rust: matching, replacing and splitting by patterns.
//!
//! Searches run on Lua's stack (raw/primitive.rs), and again here for the error if there is one: a
//! message for a faulty pattern, [`BudgetExhausted`] when the steps run out.

use mlua::{Error, IntoLua, Lua, LuaString, MultiValue, Result, Table, Value};

use super::pattern::{Fault, Matcher};
use super::{Account, Budget, BudgetExhausted};
use crate::raw;

/// Bytes that a pattern for a plain search doesn't have.
const SPECIALS: &[u8] = b"^$*+?.([%-";

/// How many bytes of plain copying or comparing count as a step.
const BYTES_PER_STEP: usize = 16;

/// The longest result that a replacement may have: it is built outside the state's memory limit.
const RESULT: usize = 256 << 20;

/// Puts the functions into `prim`.
pub(super) fn primitives(lua: &Lua, prim: &Table, budget: &Budget) -> Result<()> {
    prim.raw_set("search", raw::search_function(lua, budget)?)?;
    let account = budget.clone();
    type Search = (LuaString, LuaString, usize, Option<usize>, usize);
    let fault = move |_: &Lua, (s, p, from, except, how): Search| {
        let (s, p) = (s.as_bytes(), p.as_bytes());
        let sought = counted(&account, &s, &p, |matcher| {
            matcher.find_first(from, except, How::from_bits(how)).map(drop)
        });
        sought.map(std::result::Result::err)
    };
    let fault = lua.create_function(fault)?;
    prim.raw_set("find", raw::find_function(lua, budget, &fault)?)?;
    prim.raw_set("match", raw::match_function(lua, budget, &fault)?)?;
    prim.raw_set("fault", fault)?;
    let account = budget.clone();
    let replace = move |lua: &Lua, args: (LuaString, LuaString, LuaString, i64)| {
        let (s, p, template, most) = args;
        replace(lua, &account, (&s.as_bytes(), &p.as_bytes(), &template.as_bytes()), most)
    };
    prim.raw_set("replace", lua.create_function(replace)?)
}

/// Runs `work` with a matcher and charges the steps that it took.
fn counted<'a, T>(
    budget: &Budget,
    subject: &'a [u8],
    pattern: &'a [u8],
    work: impl FnOnce(&mut Matcher<'a>) -> std::result::Result<T, Fault>,
) -> Result<std::result::Result<T, String>> {
    let mut matcher = Matcher::new(subject, pattern, budget.left());
    let done = work(&mut matcher);
    budget.charge(matcher.steps())?;
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(Fault::Message(message)) => Ok(Err(message)),
        Err(Fault::Exhausted) => Err(Error::external(BudgetExhausted)),
    }
}

/// How to search: bits that the Lua side adds up.
#[derive(Clone, Copy)]
pub(crate) struct How(usize);

impl How {
    /// Text is searched for, not a pattern.
    pub(crate) const PLAIN: How = How(1);
    /// A leading `^` holds the match to the first place.
    const ANCHOR: How = How(2);
    /// A match without captures has one value, itself.
    const WHOLE: How = How(4);
    /// Only the first value is asked for.
    const FIRST: How = How(8);
    pub(crate) const FIND: How = How::ANCHOR;
    pub(crate) const MATCH: How = How(How::ANCHOR.0 | How::WHOLE.0);

    pub(crate) fn from_bits(bits: usize) -> How {
        How(bits)
    }

    pub(crate) fn bits(self) -> usize {
        self.0
    }

    fn has(self, other: How) -> bool {
        self.0 & other.0 != 0
    }
}

/// A match: the offsets of its start and end, and how many values it has.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) values: usize,
}

/// The first match from offset `from` on that doesn't end at `except`, with its steps charged.
///
/// # Errors
///
/// If the pattern is faulty, or the steps run out.
pub(crate) fn seek(
    matcher: &mut Matcher<'_>,
    account: &Account,
    from: usize,
    except: Option<usize>,
    how: How,
) -> std::result::Result<Option<Found>, Fault> {
    let found = matcher.find_first(from, except, how);
    if account.take(matcher.steps()) { found } else { Err(Fault::Exhausted) }
}

impl Matcher<'_> {
    fn find_first(
        &mut self,
        from: usize,
        except: Option<usize>,
        how: How,
    ) -> std::result::Result<Option<Found>, Fault> {
        let pattern = self.pattern();
        if !how.has(How::WHOLE) {
            self.step(pattern.len() / BYTES_PER_STEP)?;
            if how.has(How::PLAIN) || !pattern.iter().any(|byte| SPECIALS.contains(byte)) {
                let at = find_plain(self, &self.subject()[from..], pattern)?;
                let end = |start| start + pattern.len();
                let start = at.map(|at| from + at);
                return Ok(start.map(|start| Found { start, end: end(start), values: 0 }));
            }
        }
        let anchored = how.has(How::ANCHOR) && self.strip_anchor();
        let Some((start, end)) = self.search(from, anchored, except)? else { return Ok(None) };
        let values = if how.has(How::FIRST) {
            1
        } else {
            self.level().max(usize::from(how.has(How::WHOLE)))
        };
        for index in 0..values {
            self.capture(index, start, end)?;
        }
        Ok(Some(Found { start, end, values }))
    }
}

/// A leading `^`, and the rest.
fn anchor(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    }
}

/// Where `needle` first is in `text`.
fn find_plain(
    steps: &mut Matcher<'_>,
    text: &[u8],
    needle: &[u8],
) -> std::result::Result<Option<usize>, Fault> {
    let Some((first, rest)) = needle.split_first() else {
        return Ok(Some(0));
    };
    let Some(starts) = (text.len() + 1).checked_sub(needle.len()) else {
        return Ok(None);
    };
    let mut from = 0;
    while let Some(skip) = text[from..starts].iter().position(|byte| byte == first) {
        // What was skipped and what is compared both count, the latter as often as it is compared.
        steps.step(1 + (skip + rest.len()) / BYTES_PER_STEP)?;
        let at = from + skip;
        if text[at + 1..].starts_with(rest) {
            return Ok(Some(at));
        }
        from = at + 1;
    }
    steps.step((starts - from) / BYTES_PER_STEP)?;
    Ok(None)
}

/// `replace(s, p, template, most)`: the new string, and how many matches were replaced.
fn replace(
    lua: &Lua,
    budget: &Budget,
    (subject, pattern, template): (&[u8], &[u8], &[u8]),
    most: i64,
) -> Result<MultiValue> {
    let (anchored, pattern) = anchor(pattern);
    let outcome = counted(budget, subject, pattern, |matcher| {
        let (mut out, mut count, mut from, mut except) = (Vec::new(), 0, 0, None);
        matcher.step(subject.len() / BYTES_PER_STEP)?;
        while count < most {
            let Some((start, end)) = matcher.search(from, anchored, except)? else { break };
            out.extend_from_slice(&subject[from..start]);
            let before = out.len();
            matcher.expand(template, start, end, &mut out)?;
            matcher.step(1 + (out.len() - before + template.len()) / BYTES_PER_STEP)?;
            if out.len() > RESULT {
                return Err(Fault::Message("not enough memory".into()));
            }
            (count, from, except) = (count + 1, end, Some(end));
            if anchored {
                break;
            }
        }
        out.extend_from_slice(&subject[from..]);
        Ok((out, count))
    })?;
    Ok(MultiValue::from_iter(match outcome {
        Ok((out, count)) => [Value::String(lua.create_string(out)?), Value::Integer(count)],
        Err(message) => [Value::Boolean(false), message.into_lua(lua)?],
    }))
}
