//! Means with intervals.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean, and how sure it is.
///
/// Source: Student 1908; the interval is mean ± t(0.975, n - 1) s / √n.
///
/// ```
/// use hothouse::sim::Estimate;
/// let mean = Estimate::of(&[9.0, 10.0, 11.0]);
/// assert_eq!(mean.mean, 10.0);
/// // t(0.975, 2) = 4.3027, s = 1, n = 3
/// assert_eq!(format!("{:.3}", mean.half_width.unwrap()), "2.484");
/// assert!(mean.excludes_zero());
/// assert_eq!(Estimate::of(&[9.0]).half_width, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean of the values; NaN if there are none.
    pub mean: f64,
    /// Half of the width of the 95 % interval around the mean; `None` for fewer than two values.
    pub half_width: Option<f64>,
}

impl Estimate {
    /// The mean of independent values, with its 95 % interval.
    pub fn of(values: &[f64]) -> Estimate {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        if values.len() < 2 {
            return Estimate { mean, half_width: None };
        }
        // Without the rounding errors of the sums.
        if values.iter().all(|value| *value == values[0]) {
            return Estimate { mean: values[0], half_width: Some(0.0) };
        }
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (squares / (n - 1.0)).sqrt();
        let half_width = Some(quantile(values.len() - 1) * deviation / n.sqrt());
        Estimate { mean, half_width }
    }

    /// Whether zero is outside of the interval; never without one.
    pub fn excludes_zero(&self) -> bool {
        self.half_width.is_some_and(|half_width| self.mean.abs() > half_width)
    }
}

/// The 97.5 % quantile of Student's t, rounded to six digits after the point, in which the
/// platforms' mathematical functions agree.
fn quantile(freedom: usize) -> f64 {
    let law = StudentsT::new(0.0, 1.0, freedom as f64).expect("there is some freedom");
    (law.inverse_cdf(0.975) * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, expected) in
            [(1, 12.7062), (2, 4.3027), (4, 2.7764), (9, 2.2622), (19, 2.093), (30, 2.0423)]
        {
            assert!((quantile(freedom) - expected).abs() < 1e-4, "{freedom}");
        }
        assert!((quantile(100_000) - 1.95998).abs() < 1e-4);
    }

    #[test]
    fn equal_values_leave_no_doubt() {
        let same = Estimate::of(&[0.0; 5]);
        assert_eq!((same.half_width, same.excludes_zero()), (Some(0.0), false));
        assert_eq!(Estimate::of(&[0.1; 3]), Estimate { mean: 0.1, half_width: Some(0.0) });
        assert!(Estimate::of(&[2.0; 5]).excludes_zero());
        assert!(!Estimate::of(&[-1.0, 1.0]).excludes_zero());
    }
}
