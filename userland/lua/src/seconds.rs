//! Lua's seconds and the kernel's nanoseconds.

use hothouse_abi::Span;

use crate::raw::Item;

/// The span that a number of seconds stands for: `Some(None)` is for ever, `None` no span (NaN).
/// Negative numbers are 0. A fraction of a nanosecond counts as a whole one, so that no deadline
/// is early; an error of float rounding does not.
pub(crate) fn timeout(seconds: f64) -> Option<Option<Span>> {
    if seconds.is_nan() {
        return None;
    }
    if seconds <= 0.0 {
        return Some(Some(Span::ZERO));
    }
    let nanos = seconds * 1e9;
    if nanos >= u64::MAX as f64 {
        return Some(None);
    }
    let nearest = nanos.round();
    let whole =
        if (nanos - nearest).abs() <= nanos * f64::EPSILON { nearest } else { nanos.ceil() };
    Some(Some(Span::from_nanos(whole as u64)))
}

/// The same of a Lua number; integers are exact. `None` also for what is no number.
pub(crate) fn of_item(item: Item<'_>) -> Option<Option<Span>> {
    match item {
        Item::Int(seconds) => {
            let nanos = u64::try_from(seconds).unwrap_or(0).checked_mul(1_000_000_000);
            Some(nanos.map(Span::from_nanos))
        }
        Item::Float(seconds) => timeout(seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_to_the_nanosecond_and_never_early() {
        let nanos = |s: f64| timeout(s).unwrap().unwrap().nanos();
        assert_eq!(nanos(0.1), 100_000_000);
        assert_eq!(nanos(0.3), 300_000_000);
        assert_eq!(nanos(1e-9), 1);
        assert_eq!(nanos(1e-10), 1);
        assert_eq!(nanos(1.000_000_000_5), 1_000_000_001);
        assert_eq!(nanos(-3.0), 0);
        assert_eq!(timeout(f64::INFINITY), Some(None));
        assert_eq!(timeout(f64::NAN), None);
        assert_eq!(of_item(Item::Int(3)), Some(Some(Span::from_secs(3))));
    }
}
