//! Lengths of time as text: `5ms`, `exp(5ms)`.

use std::fmt;
use std::str::FromStr;

use hothouse_abi::Span;

use crate::{Dist, duration, exact_duration, report::nearest};

/// The laws, each with how it is written.
const LAWS: [(&str, &str); 6] = [
    ("const", "const(5ms)"),
    ("uniform", "uniform(1ms, 9ms): the shortest and the longest"),
    ("exp", "exp(5ms): the mean"),
    ("normal", "normal(5ms, 1ms): the mean and the standard deviation"),
    ("pareto", "pareto(1ms, 1.5): the shortest and the exponent"),
    ("lognormal", "lognormal(5ms, 0.8): the median and the deviation of the logarithm"),
];

/// What is wrong with a text that is to be a length of time, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDist {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

impl fmt::Display for BadDist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.help)
    }
}

impl std::error::Error for BadDist {}

fn bad(message: impl Into<String>, help: impl Into<String>) -> BadDist {
    BadDist { message: message.into(), help: help.into() }
}

/// Reads a fixed length, `5ms`, or a law of those of [`Dist`]: `const(5ms)`, `uniform(1ms, 9ms)`,
/// `exp(5ms)`, `normal(5ms, 1ms)`, `pareto(1ms, 1.5)`, `lognormal(5ms, 0.8)`.
///
/// ```
/// use hothouse_abi::Span;
/// use hothouse_workload::Dist;
/// let dist: Dist = "exp(2.5ms)".parse()?;
/// assert_eq!(dist, Dist::Exp { mean: Span::from_micros(2_500) });
/// assert_eq!(dist.to_string(), "exp(2500us)");
/// assert!("5".parse::<Dist>().unwrap_err().to_string().contains("no unit"));
/// # Ok::<(), hothouse_workload::BadDist>(())
/// ```
impl FromStr for Dist {
    type Err = BadDist;

    fn from_str(text: &str) -> Result<Dist, BadDist> {
        let text = text.trim();
        let Some((law, rest)) = text.split_once('(') else {
            return Ok(Dist::Const(length(text)?));
        };
        let law = law.trim();
        let Some(&(_, form)) = LAWS.iter().find(|(known, _)| *known == law) else {
            let known = LAWS.map(|(known, _)| known);
            let help = match nearest(law, &known) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => format!("known: {}", known.join(", ")),
            };
            return Err(bad(format!("unknown distribution \"{law}\""), help));
        };
        let expected = || bad(format!("\"{text}\" is no distribution"), format!("expected {form}"));
        let inner = rest.strip_suffix(')').ok_or_else(expected)?;
        let arguments: Vec<&str> = inner.split(',').map(str::trim).collect();
        match (law, &arguments[..]) {
            ("const", [span]) => Ok(Dist::Const(length(span)?)),
            ("exp", [mean]) => Ok(Dist::Exp { mean: length(mean)? }),
            ("uniform", [low, high]) => {
                let (low, high) = (length(low)?, length(high)?);
                if low > high {
                    let message =
                        format!("{} is longer than {}", exact_duration(low), exact_duration(high));
                    return Err(bad(message, "the shortest comes first"));
                }
                Ok(Dist::Uniform { low, high })
            }
            ("normal", [mean, deviation]) => {
                Ok(Dist::Normal { mean: length(mean)?, deviation: length(deviation)? })
            }
            ("pareto", [minimum, shape]) => {
                let shape = number(shape).filter(|shape| *shape > 0.0).ok_or_else(expected)?;
                Ok(Dist::Pareto { minimum: length(minimum)?, shape })
            }
            ("lognormal", [median, sigma]) => {
                let sigma = number(sigma).filter(|sigma| *sigma >= 0.0).ok_or_else(expected)?;
                Ok(Dist::LogNormal { median: length(median)?, sigma })
            }
            _ => Err(expected()),
        }
    }
}

fn length(text: &str) -> Result<Span, BadDist> {
    duration::parse(text).map_err(|message| bad(message, duration::REMEDY))
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Writes it so that it can be read again, without loss.
impl fmt::Display for Dist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = exact_duration;
        match *self {
            Dist::Const(span) => f.write_str(&exact(span)),
            Dist::Uniform { low, high } => write!(f, "uniform({}, {})", exact(low), exact(high)),
            Dist::Exp { mean } => write!(f, "exp({})", exact(mean)),
            Dist::Normal { mean, deviation } => {
                write!(f, "normal({}, {})", exact(mean), exact(deviation))
            }
            Dist::Pareto { minimum, shape } => write!(f, "pareto({}, {shape})", exact(minimum)),
            Dist::LogNormal { median, sigma } => {
                write!(f, "lognormal({}, {sigma})", exact(median))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_wrong_is_told_with_a_remedy() {
        for (text, expected) in [
            ("5", "the duration \"5\" has no unit; write a number with a unit"),
            ("exp(5)", "the duration \"5\" has no unit"),
            ("expo(5ms)", "unknown distribution \"expo\"; did you mean \"exp\"?"),
            ("zipf(5ms)", "unknown distribution \"zipf\"; known: const, uniform, exp"),
            ("exp(5ms", "\"exp(5ms\" is no distribution; expected exp(5ms): the mean"),
            ("exp(5ms, 1ms)", "expected exp(5ms): the mean"),
            ("uniform(9ms, 1ms)", "9ms is longer than 1ms; the shortest comes first"),
            ("pareto(1ms, 0)", "expected pareto(1ms, 1.5)"),
            ("lognormal(1ms, inf)", "expected lognormal(5ms, 0.8)"),
            ("soon", "\"soon\" is no duration"),
        ] {
            let found = text.parse::<Dist>().unwrap_err().to_string();
            assert!(found.contains(expected), "{text}: {found}");
        }
    }

    /// Any law there is.
    pub(crate) fn any_dist() -> impl Strategy<Value = Dist> {
        let span = || (0u64..10_000_000_000).prop_map(Span::from_nanos);
        prop_oneof![
            span().prop_map(Dist::Const),
            (span(), span()).prop_map(|(a, b)| Dist::Uniform { low: a.min(b), high: a.max(b) }),
            span().prop_map(|mean| Dist::Exp { mean }),
            (span(), span()).prop_map(|(mean, deviation)| Dist::Normal { mean, deviation }),
            (span(), 0.01f64..100.0).prop_map(|(minimum, shape)| Dist::Pareto { minimum, shape }),
            (span(), 0.0f64..9.0).prop_map(|(median, sigma)| Dist::LogNormal { median, sigma }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(dist in any_dist()) {
            prop_assert_eq!(dist.to_string().parse::<Dist>(), Ok(dist));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a-z(),.0-9 ]{0,24}") {
            let _ = text.parse::<Dist>();
        }
    }
}
