//! Durations with units.

use hothouse_abi::Span;

/// What to do about a text that is no duration.
pub(crate) const REMEDY: &str = "write a number with a unit, such as 10s, 250ms, 30us or 5ns";

/// Reads `10s`, `2.5ms`, `100ns`, exact to the nanosecond; `0` needs no unit.
///
/// # Errors
///
/// What is wrong, without the remedy.
pub(crate) fn parse(text: &str) -> Result<Span, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let none = || format!("\"{text}\" is no duration");
    let nanos: u64 = match unit.trim() {
        "" if text == "0" => 1,
        "" if !text.is_empty() => return Err(format!("the duration \"{text}\" has no unit")),
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(none()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    if part.len() > 18 {
        return Err(none());
    }
    let whole: u64 = whole.parse().map_err(|_| none())?;
    let digits: u64 = part.parse().map_err(|_| none())?;
    let part = u128::from(digits) * u128::from(nanos) / 10u128.pow(part.len() as u32);
    let total = u128::from(whole) * u128::from(nanos) + part;
    let total = u64::try_from(total).map_err(|_| format!("the duration \"{text}\" is too long"))?;
    Ok(Span::from_nanos(total))
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
        assert_eq!(parse("0"), Ok(Span::ZERO));
        assert_eq!(parse("10").unwrap_err(), "the duration \"10\" has no unit");
        for bad in ["", "-1s", "1.s", ".5s", "1..2s", "soon", "5 parsecs", "é"] {
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
