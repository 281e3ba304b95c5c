//! Durations with units.

use hothouse::Span;

/// Reads `10s`, `1m 30s`, `2.5ms`, `100ns`.
///
/// # Errors
///
/// A message that says what is wrong and what would be right.
pub(super) fn parse(text: &str) -> Result<Span, String> {
    const REMEDY: &str = "write a number with a unit, such as 10s, 250ms, 30us or 5ns";
    let text = text.trim();
    if text.parse::<f64>().is_ok() && text != "0" {
        return Err(format!("the duration \"{text}\" has no unit; {REMEDY}"));
    }
    if text == "0" {
        return Ok(Span::ZERO);
    }
    if let Some(span) = fraction(text) {
        return Ok(span);
    }
    humantime::parse_duration(text)
        .map(Span::from)
        .map_err(|error| format!("\"{text}\" is no duration ({error}); {REMEDY}"))
}

/// A decimal fraction of one unit, exact to the nanosecond.
fn fraction(text: &str) -> Option<Span> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let (whole, part) = number.trim().split_once('.')?;
    let nanos: u64 = match unit.trim() {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole = whole.parse::<u64>().ok()?.checked_mul(nanos)?;
    if part.is_empty() || part.len() > 18 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = u128::from(part.parse::<u64>().ok()?) * u128::from(nanos)
        / 10_u128.pow(u32::try_from(part.len()).ok()?);
    Some(Span::from_nanos(whole.checked_add(u64::try_from(part).ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_needed_and_fractions_are_exact() {
        assert_eq!(parse("10s"), Ok(Span::from_secs(10)));
        assert_eq!(parse("2.5ms"), Ok(Span::from_micros(2_500)));
        assert_eq!(parse("0.000000001s"), Ok(Span::from_nanos(1)));
        assert_eq!(parse("1m 30s"), Ok(Span::from_secs(90)));
        assert_eq!(parse("0"), Ok(Span::ZERO));
        assert!(parse("10").unwrap_err().contains("has no unit"));
        assert!(parse("-1s").is_err());
        assert!(parse("soon").unwrap_err().contains("no duration"));
        assert!(parse("").is_err());
    }
}
