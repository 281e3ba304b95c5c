//! Durations with units.

use hothouse_abi::Span;

/// What to do about a text that is no duration.
pub(crate) const REMEDY: &str = "write a number with a unit, such as 10s, 250ms, 30us or 5ns";

/// Reads `10s`, `2.5ms`, `1m 30s`, exact to the nanosecond; `0` needs no unit.
///
/// # Errors
///
/// What is wrong, and what would be right.
///
/// ```
/// use hothouse_abi::Span;
/// use hothouse_workload::parse_duration;
/// assert_eq!(parse_duration("2.5ms"), Ok(Span::from_micros(2_500)));
/// assert!(parse_duration("10").unwrap_err().contains("no unit"));
/// ```
pub fn parse_duration(text: &str) -> Result<Span, String> {
    parse(text.trim()).map_err(|error| format!("{error}; {REMEDY}"))
}

/// Writes a duration without loss, in the greatest unit that divides it.
///
/// ```
/// use hothouse_abi::Span;
/// use hothouse_workload::{exact_duration, parse_duration};
/// let span = Span::from_micros(2_500);
/// assert_eq!(exact_duration(span), "2500us");
/// assert_eq!(parse_duration(&exact_duration(span)), Ok(span));
/// ```
pub fn exact_duration(span: Span) -> String {
    let nanos = span.nanos();
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
    let fits = units.into_iter().find(|(_, size)| nanos > 0 && nanos.is_multiple_of(*size));
    fits.map_or_else(|| format!("{nanos}ns"), |(unit, size)| format!("{}{unit}", nanos / size))
}

/// The same without the remedy.
pub(crate) fn parse(text: &str) -> Result<Span, String> {
    if text == "0" {
        return Ok(Span::ZERO);
    }
    let mut total: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() && after.is_empty() && !number.is_empty() {
            return Err(format!("the duration \"{text}\" has no unit"));
        }
        let nanos = nanos(number, unit).ok_or_else(|| format!("\"{text}\" is no duration"))?;
        total += nanos;
        rest = after.trim_start();
    }
    let total = u64::try_from(total).map_err(|_| format!("the duration \"{text}\" is too long"))?;
    Ok(Span::from_nanos(total))
}

/// A decimal number of one unit; less than a nanosecond is cut off.
fn nanos(number: &str, unit: &str) -> Option<u128> {
    let nanos: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    let digits: u64 = Some(part).filter(|part| part.len() <= 18)?.parse().ok()?;
    let part = u128::from(digits) * u128::from(nanos) / 10u128.pow(part.len() as u32);
    Some(u128::from(whole) * u128::from(nanos) + part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_are_needed_and_fractions_are_exact() {
        assert_eq!(parse("10s"), Ok(Span::from_secs(10)));
        assert_eq!(parse("2.5ms"), Ok(Span::from_micros(2_500)));
        assert_eq!(parse("0.000000001 s"), Ok(Span::from_nanos(1)));
        assert_eq!(parse("1m 30s"), Ok(Span::from_secs(90)));
        assert_eq!(parse("1d2h"), Ok(Span::from_secs(26 * 3600)));
        assert_eq!(parse("0"), Ok(Span::ZERO));
        assert_eq!(parse("10").unwrap_err(), "the duration \"10\" has no unit");
        for bad in ["", "-1s", "1.s", ".5s", "1..2s", "soon", "5 parsecs", "é", "1m soon"] {
            assert_eq!(parse(bad).unwrap_err(), format!("\"{bad}\" is no duration"));
        }
        assert!(parse("9999999999h").unwrap_err().contains("too long"));
    }

    proptest! {
        #[test]
        fn any_count_of_a_unit_is_exact(count in 0u64..10_000_000) {
            prop_assert_eq!(parse(&format!("{count}us")), Ok(Span::from_micros(count)));
            prop_assert_eq!(parse(&format!("{count}.000ms")), Ok(Span::from_millis(count)));
        }
    }
}
