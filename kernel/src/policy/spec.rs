//! Policies by their specs: `"rr"`, `"rr:slice=5ms"`, `"prio:preempt=false,slice=2.5ms"`.

use std::fmt;

use hothouse_abi::Span;

use super::{
    BsdMlfq, Cfs, Edf, Eevdf, Fifo, Lottery, Mlfq, MlfqOptions, Partitioned, Policy, Prio, Random,
    Rm, Rr, Sjf, Srtf, Stride,
};
use crate::stream::Stream;

/// Every policy: its id, its parameters with their defaults, and what it does.
pub const POLICIES: &[(&str, &str, &str)] = &[
    ("fifo", "", "first come, first served, run to block"),
    ("rr", "slice=10ms", "round robin"),
    (
        "prio",
        "preempt=true,slice=10ms",
        "fixed priority, lower nice first, round robin among equals",
    ),
    ("sjf", "", "shortest next burst first, run to block"),
    ("srtf", "", "shortest remaining time first, preemptive"),
    (
        "mlfq",
        "levels=3,slice=10ms,allotment=slice,boost=off,stay=false,iobump=false",
        "feedback queue: who uses much CPU time sinks, level by level",
    ),
    ("bsdmlfq", "", "feedback queue of 4.4BSD: who used much CPU time lately runs later"),
    ("lottery", "slice=10ms", "each dispatch draws a ticket"),
    ("stride", "slice=10ms", "proportional shares by tickets, without chance"),
    (
        "cfs",
        "latency=6ms,granularity=750us",
        "completely fair: the least CPU time by weight first, a part of a period each",
    ),
    ("eevdf", "slice=3ms", "earliest eligible virtual deadline first, fair by weight"),
    ("edf", "", "earliest deadline first"),
    ("p-edf", "", "earliest deadline first on each CPU, with a home CPU for each task"),
    ("rm", "", "rate monotonic: fixed priority by period"),
    ("p-rm", "", "rate monotonic on each CPU, with a home CPU for each task"),
    ("random", "seed=N", "uniform choice; without a seed, drawn from the machine's"),
];

/// The units of a duration, in nanoseconds; longest first.
const UNITS: [(&str, u64); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// The policy that a spec asks for; `stream` is the policy's own, for one that draws.
///
/// A spec is an id of [`POLICIES`], or an id, a colon and parameters `key=value` with commas between
/// them. A duration needs a unit (ns, us, ms, s) and may have a fraction.
///
/// # Errors
///
/// A [`PolicyError`] that names what is wrong, the nearest that would be right, and what there is.
///
/// ```
/// use hothouse_kernel::policy::policy;
/// use hothouse_kernel::{Stream, StreamKind};
/// let stream = Stream::derive(42, StreamKind::Policy, 0);
/// assert_eq!(policy("rr:slice=2.5ms", stream.clone()).unwrap().spec(), "rr:slice=2.5ms");
/// let error = policy("rrr", stream).err().unwrap();
/// let text = r#"no policy "rrr"; did you mean "rr"? There are: fifo, rr, "#;
/// assert!(error.to_string().starts_with(text));
/// ```
pub fn policy(spec: &str, stream: Stream) -> Result<Box<dyn Policy>, PolicyError> {
    let mut params = Params::parse(spec)?;
    Ok(match params.id {
        "fifo" => Box::new(Fifo::new()),
        "rr" => Box::new(Rr::new(params.span("slice")?.unwrap_or(Rr::SLICE))),
        "prio" => {
            let preempt = params.flag("preempt")?.unwrap_or(true);
            Box::new(Prio::new(preempt, params.span("slice")?.unwrap_or(Prio::SLICE)))
        }
        "sjf" => Box::new(Sjf::new()),
        "srtf" => Box::new(Srtf::new()),
        "mlfq" => Box::new(Mlfq::new(params.mlfq()?)),
        "bsdmlfq" => Box::new(BsdMlfq::new()),
        "lottery" => {
            Box::new(Lottery::new(params.span("slice")?.unwrap_or(Lottery::SLICE), stream))
        }
        "stride" => Box::new(Stride::new(params.span("slice")?.unwrap_or(Stride::SLICE))),
        "cfs" => {
            let latency = params.span("latency")?.unwrap_or(Cfs::LATENCY);
            Box::new(Cfs::new(latency, params.span("granularity")?.unwrap_or(Cfs::GRANULARITY)))
        }
        "eevdf" => Box::new(Eevdf::new(params.span("slice")?.unwrap_or(Eevdf::SLICE))),
        "edf" => Box::new(Edf::new()),
        "p-edf" => Box::new(Partitioned::edf()),
        "p-rm" => Box::new(Partitioned::rm()),
        "rm" => Box::new(Rm::new()),
        "random" => match params.number("seed")? {
            Some(seed) => Box::new(Random::seeded(seed)),
            None => Box::new(Random::new(stream)),
        },
        id => unreachable!("policy {id} is in the list of policies but can't be made"),
    })
}

/// A spec that no policy has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// There is no policy with this id.
    UnknownPolicy {
        /// The id.
        id: String,
        /// The id that is nearest to it, if one is near.
        nearest: Option<&'static str>,
    },
    /// The policy has no such parameter.
    UnknownKey {
        /// The policy's id.
        policy: &'static str,
        /// The parameter's key.
        key: String,
        /// The key that is nearest to it, if one is near.
        nearest: Option<&'static str>,
    },
    /// What should be a parameter has no `=`.
    NotAPair {
        /// The policy's id.
        policy: &'static str,
        /// What is there.
        text: String,
    },
    /// A parameter is given twice.
    Repeated {
        /// The policy's id.
        policy: &'static str,
        /// The parameter's key.
        key: &'static str,
    },
    /// The value is none for this parameter.
    BadValue {
        /// The policy's id.
        policy: &'static str,
        /// The parameter's key.
        key: &'static str,
        /// The value.
        value: String,
        /// The value that is nearest to it, if one is near.
        nearest: Option<String>,
        /// What values there are.
        expected: &'static str,
    },
}

impl std::error::Error for PolicyError {}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = |nearest: Option<&str>| {
            nearest.map_or(String::new(), |nearest| format!("; did you mean \"{nearest}\"?"))
        };
        match self {
            PolicyError::UnknownPolicy { id, nearest } => {
                let hint = hint(*nearest);
                let end = if hint.is_empty() { "." } else { "" };
                let ids: Vec<_> = POLICIES.iter().map(|(id, ..)| *id).collect();
                write!(f, "no policy \"{id}\"{hint}{end} There are: {}", ids.join(", "))
            }
            PolicyError::UnknownKey { policy, key, nearest } => {
                let hint = hint(*nearest);
                let end = if hint.is_empty() { "." } else { "" };
                write!(f, "policy \"{policy}\" has no parameter \"{key}\"{hint}{end} ")?;
                match keys(policy).collect::<Vec<_>>() {
                    keys if keys.is_empty() => f.write_str("It has none"),
                    keys => write!(f, "There are: {}", keys.join(", ")),
                }
            }
            PolicyError::NotAPair { policy, text } => {
                write!(f, "policy \"{policy}\": \"{text}\" is no key=value")
            }
            PolicyError::Repeated { policy, key } => {
                write!(f, "policy \"{policy}\": \"{key}\" is given twice")
            }
            PolicyError::BadValue { policy, key, value, nearest, expected } => {
                let hint = hint(nearest.as_deref());
                let end = if hint.is_empty() { "." } else { "" };
                write!(f, "policy \"{policy}\": bad {key} \"{value}\"{hint}{end} It is {expected}")
            }
        }
    }
}

/// The keys of a policy's parameters.
fn keys(id: &str) -> impl Iterator<Item = &'static str> + use<> {
    let params = POLICIES.iter().find(|policy| policy.0 == id).map_or("", |policy| policy.1);
    params.split(',').filter_map(|param| Some(param.split_once('=')?.0))
}

/// The known word that is nearest to `given`, if at most half of its letters differ.
fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let near = known.filter_map(|word| {
        let distance = strsim::damerau_levenshtein(&given, word);
        (distance * 2 <= word.len()).then_some((distance, word))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// The parameters of a spec: keys that the policy has, each at most once.
struct Params<'a> {
    id: &'static str,
    pairs: Vec<(&'static str, &'a str)>,
}

impl<'a> Params<'a> {
    fn parse(spec: &'a str) -> Result<Params<'a>, PolicyError> {
        let (given, text) = match spec.split_once(':') {
            Some((id, text)) => (id, Some(text)),
            None => (spec, None),
        };
        let ids = || POLICIES.iter().map(|(id, ..)| *id);
        let Some(id) = ids().find(|id| *id == given) else {
            let nearest = nearest(given, ids());
            return Err(PolicyError::UnknownPolicy { id: given.to_string(), nearest });
        };
        let mut params = Params { id, pairs: Vec::new() };
        for pair in text.into_iter().flat_map(|text| text.split(',')) {
            params.add(pair)?;
        }
        Ok(params)
    }

    fn add(&mut self, pair: &'a str) -> Result<(), PolicyError> {
        let policy = self.id;
        let Some((given, value)) = pair.split_once('=') else {
            return Err(PolicyError::NotAPair { policy, text: pair.to_string() });
        };
        let Some(key) = keys(policy).find(|key| *key == given) else {
            let nearest = nearest(given, keys(policy));
            return Err(PolicyError::UnknownKey { policy, key: given.to_string(), nearest });
        };
        if self.pairs.iter().any(|(other, _)| *other == key) {
            return Err(PolicyError::Repeated { policy, key });
        }
        self.pairs.push((key, value));
        Ok(())
    }

    /// The value of a parameter, read by `parse`; `None` if it is not given.
    fn value<T>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        nearest: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<T>, PolicyError> {
        let Some(&(_, text)) = self.pairs.iter().find(|pair| pair.0 == key) else {
            return Ok(None);
        };
        let bad = || {
            let (policy, value) = (self.id, text.to_string());
            PolicyError::BadValue { policy, key, value, nearest: nearest(text), expected }
        };
        parse(text).map(Some).ok_or_else(bad)
    }

    fn span(&mut self, key: &'static str) -> Result<Option<Span>, PolicyError> {
        let expected = "a duration above 0 with a unit (ns, us, ms, s), such as 2.5ms";
        let parse = |text: &str| parse_span(text).filter(|span| !span.is_zero());
        self.value(key, expected, parse, |text| {
            let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            let unit = text[number.len()..].trim();
            let candidate = format!("{number}{}", nearest(unit, UNITS.iter().map(|unit| unit.0))?);
            parse(&candidate).map(|_| candidate)
        })
    }

    fn flag(&mut self, key: &'static str) -> Result<Option<bool>, PolicyError> {
        let parse = |text: &str| text.parse().ok();
        self.value(key, "true or false", parse, |text| {
            nearest(text, ["true", "false"].into_iter()).map(str::to_string)
        })
    }

    /// One span for all levels, or one for each.
    fn spans(
        &mut self,
        key: &'static str,
        levels: usize,
        word: Option<&'static str>,
    ) -> Result<Option<Vec<Span>>, PolicyError> {
        let expected = match word {
            None => "a duration above 0, or one for each level, such as 10ms/20ms/40ms",
            Some(_) => "slice, or a duration above 0, or one for each level: 10ms/20ms/40ms",
        };
        let parse = |text: &str| {
            if Some(text) == word {
                return Some(None);
            }
            let span = |text: &str| parse_span(text).filter(|span| !span.is_zero());
            let spans: Vec<_> = text.split('/').map(span).collect::<Option<_>>()?;
            match spans.len() {
                1 => Some(Some(vec![spans[0]; levels])),
                len => (len == levels).then_some(Some(spans)),
            }
        };
        Ok(self.value(key, expected, parse, |_| None)?.flatten())
    }

    fn mlfq(&mut self) -> Result<MlfqOptions, PolicyError> {
        let most = Mlfq::MAX_LEVELS;
        let parse = |text: &str| text.parse().ok().filter(|levels| (1..=most).contains(levels));
        let levels = self.value("levels", "a whole number from 1 to 64", parse, |_| None)?;
        let levels = levels.unwrap_or(Mlfq::LEVELS);
        let slices = self.spans("slice", levels, None)?;
        let boost = |text: &str| match text {
            "off" => Some(None),
            _ => parse_span(text).filter(|span| !span.is_zero()).map(Some),
        };
        let expected = "off, or a duration above 0 with a unit (ns, us, ms, s), such as 100ms";
        Ok(MlfqOptions {
            slices: slices.unwrap_or_else(|| vec![Mlfq::SLICE; levels]),
            allotments: self.spans("allotment", levels, Some("slice"))?,
            boost: self.value("boost", expected, boost, |_| None)?.flatten(),
            stay: self.flag("stay")?.unwrap_or(false),
            iobump: self.flag("iobump")?.unwrap_or(false),
        })
    }

    fn number(&mut self, key: &'static str) -> Result<Option<u64>, PolicyError> {
        let parse = |text: &str| text.parse().ok();
        self.value(key, "a whole number from 0 to 18446744073709551615", parse, |_| None)
    }
}

/// A span such as `10ms` or `2.5us`; `None` for anything else, for what is finer than a nanosecond
/// and for what is too long.
pub(crate) fn parse_span(text: &str) -> Option<Span> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    // A tenth of a nanosecond is the tenth digit of a second.
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = match fraction {
        "" => 0,
        digits => digits.parse::<u64>().ok()?.checked_mul(*nanos)?,
    };
    let whole = whole.parse::<u64>().ok()?.checked_mul(*nanos)?;
    let exact = part.is_multiple_of(scale);
    exact.then_some(whole.checked_add(part / scale)?).map(Span::from_nanos)
}

/// The span in the largest unit of which it has at least one, exactly.
pub(super) fn format_span(span: Span) -> String {
    let nanos = span.nanos();
    let (unit, size) = UNITS.into_iter().find(|(_, size)| nanos >= *size).unwrap_or(("ns", 1));
    let digits = size.ilog10() as usize;
    let text = format!("{}.{:0digits$}", nanos / size, nanos % size);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests;
