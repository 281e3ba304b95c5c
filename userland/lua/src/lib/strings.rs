//! What the string library needs from Rust: matching, replacing and splitting by patterns.
//!
//! Each function answers `false, message` for a faulty pattern, and raises
//! [`BudgetExhausted`] when the steps run out.

use mlua::{Error, IntoLua, Lua, LuaString, MultiValue, Result, Table, Value};

use super::pattern::{Capture, Fault, Matcher};
use super::{Budget, BudgetExhausted};

/// Bytes that a pattern for a plain search doesn't have.
const SPECIALS: &[u8] = b"^$*+?.([%-";

/// How many bytes of plain copying or comparing count as a step.
const BYTES_PER_STEP: usize = 16;

/// The longest result that a replacement may have: it is built outside the state's memory limit.
const RESULT: usize = 256 << 20;

/// Puts the functions into `prim`.
pub(super) fn primitives(lua: &Lua, prim: &Table, budget: &Budget) -> Result<()> {
    let account = budget.clone();
    let find = move |lua: &Lua, (s, p, init, plain): (LuaString, LuaString, usize, bool)| {
        find(lua, &account, &s.as_bytes(), &p.as_bytes(), init, plain)
    };
    prim.raw_set("find", lua.create_function(find)?)?;
    let account = budget.clone();
    let matches = move |lua: &Lua, (s, p, init): (LuaString, LuaString, usize)| {
        first_match(lua, &account, &s.as_bytes(), &p.as_bytes(), init)
    };
    prim.raw_set("match", lua.create_function(matches)?)?;
    let account = budget.clone();
    let next = move |lua: &Lua, args: (LuaString, LuaString, usize, Option<usize>, bool, bool)| {
        let (s, p, from, except, anchored, first) = args;
        let values = if first { Values::First } else { Values::All };
        next_match(lua, &account, (&s.as_bytes(), &p.as_bytes()), (from, except, anchored), values)
    };
    prim.raw_set("next_match", lua.create_function(next)?)?;
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

/// The answer of a primitive: its values, nil, or `false` and a message.
fn answer(
    lua: &Lua,
    outcome: std::result::Result<Option<MultiValue>, String>,
) -> Result<MultiValue> {
    match outcome {
        Ok(Some(values)) => Ok(values),
        Ok(None) => Ok(MultiValue::from_iter([Value::Nil])),
        Err(message) => Ok(MultiValue::from_iter([Value::Boolean(false), message.into_lua(lua)?])),
    }
}

/// A match: where it starts and ends, and its values.
type Found<'a> = (usize, usize, Vec<Capture<'a>>);

/// Which values of a match are asked for.
#[derive(Clone, Copy)]
enum Values {
    /// Its captures.
    Captures,
    /// Its captures; if it has none, the whole of it.
    All,
    /// The first of those.
    First,
}

/// The values of a match.
fn found<'a>(
    matcher: &Matcher<'a>,
    (start, end): (usize, usize),
    values: Values,
) -> std::result::Result<Found<'a>, Fault> {
    let count = match values {
        Values::Captures => matcher.level(),
        Values::All => matcher.level().max(1),
        Values::First => 1,
    };
    let captures = (0..count).map(|index| matcher.capture(index, start, end));
    Ok((start, end, captures.collect::<std::result::Result<_, _>>()?))
}

fn push(lua: &Lua, to: &mut MultiValue, captures: &[Capture<'_>]) -> Result<()> {
    for capture in captures {
        to.push_back(match capture {
            Capture::Text(text) => Value::String(lua.create_string(text)?),
            Capture::Position(at) => at.into_lua(lua)?,
        });
    }
    Ok(())
}

/// A leading `^`, and the rest.
fn anchor(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    }
}

/// `find(s, p, init, plain)`, `init` being an offset within `s`: start, end, captures.
fn find(
    lua: &Lua,
    budget: &Budget,
    subject: &[u8],
    pattern: &[u8],
    init: usize,
    plain: bool,
) -> Result<MultiValue> {
    budget.charge((pattern.len() / BYTES_PER_STEP) as u64)?;
    let plain = plain || !pattern.iter().any(|byte| SPECIALS.contains(byte));
    let outcome = if plain {
        let at = counted(budget, subject, pattern, |matcher| {
            find_plain(matcher, &subject[init..], pattern)
        })?;
        at.map(|at| at.map(|at| (init + at, init + at + pattern.len(), Vec::new())))
    } else {
        let (anchored, pattern) = anchor(pattern);
        counted(budget, subject, pattern, |matcher| {
            let span = matcher.search(init, anchored, None)?;
            span.map(|span| found(matcher, span, Values::Captures)).transpose()
        })?
    };
    let outcome = match outcome {
        Ok(Some((start, end, captures))) => {
            let mut values =
                MultiValue::from_iter([(start + 1).into_lua(lua)?, end.into_lua(lua)?]);
            push(lua, &mut values, &captures)?;
            Ok(Some(values))
        }
        Ok(None) => Ok(None),
        Err(message) => Err(message),
    };
    answer(lua, outcome)
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

/// `match(s, p, init)`: true, captures or the whole match.
fn first_match(
    lua: &Lua,
    budget: &Budget,
    subject: &[u8],
    pattern: &[u8],
    init: usize,
) -> Result<MultiValue> {
    let (anchored, pattern) = anchor(pattern);
    let outcome = counted(budget, subject, pattern, |matcher| {
        let span = matcher.search(init, anchored, None)?;
        span.map(|span| found(matcher, span, Values::All)).transpose()
    })?;
    let outcome = match outcome {
        Ok(Some((_, _, captures))) => {
            let mut values = MultiValue::from_iter([Value::Boolean(true)]);
            push(lua, &mut values, &captures)?;
            Ok(Some(values))
        }
        Ok(None) => Ok(None),
        Err(message) => Err(message),
    };
    answer(lua, outcome)
}

/// `next_match(s, p, from, except, anchored, first)`: the offsets of start and end of the first match
/// from offset `from` on that doesn't end at `except`, then its values, or the first of them only.
fn next_match(
    lua: &Lua,
    budget: &Budget,
    (subject, pattern): (&[u8], &[u8]),
    (from, except, anchored): (usize, Option<usize>, bool),
    values: Values,
) -> Result<MultiValue> {
    let outcome = counted(budget, subject, pattern, |matcher| {
        let span = matcher.search(from, anchored, except)?;
        span.map(|span| found(matcher, span, values)).transpose()
    })?;
    let outcome = match outcome {
        Ok(Some((start, end, captures))) => {
            let mut values = MultiValue::from_iter([start.into_lua(lua)?, end.into_lua(lua)?]);
            push(lua, &mut values, &captures)?;
            Ok(Some(values))
        }
        Ok(None) => Ok(None),
        Err(message) => Err(message),
    };
    answer(lua, outcome)
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
    let outcome = match outcome {
        Ok((out, count)) => {
            let text = Value::String(lua.create_string(out)?);
            Ok(Some(MultiValue::from_iter([text, Value::Integer(count)])))
        }
        Err(message) => Err(message),
    };
    answer(lua, outcome)
}
