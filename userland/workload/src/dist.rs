//! Lengths of time, fixed or drawn.

use std::f64::consts::TAU;

use hothouse_abi::Span;

/// A length of time: fixed, or the law that it is drawn from.
///
/// Logarithms and the like come from `libm`, so that the same draws give the same spans on every
/// platform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dist {
    /// Always the same.
    Const(Span),
    /// Every nanosecond from `low` to `high`, both included, is as likely as any other.
    Uniform {
        /// The shortest.
        low: Span,
        /// The longest.
        high: Span,
    },
    /// Exponential.
    Exp {
        /// The mean.
        mean: Span,
    },
    /// Normal; what would be below zero is zero.
    Normal {
        /// The mean.
        mean: Span,
        /// The standard deviation.
        deviation: Span,
    },
    /// Pareto: heavy-tailed, longer than `x` with probability `(minimum / x)^shape`.
    Pareto {
        /// The shortest.
        minimum: Span,
        /// The exponent, above 0; no mean exists at 1 and below.
        shape: f64,
    },
    /// Log-normal: the logarithm is normal.
    LogNormal {
        /// The median.
        median: Span,
        /// The standard deviation of the logarithm.
        sigma: f64,
    },
}

impl Dist {
    /// The mean, in nanoseconds; `None` if there is none. That of [`Dist::Normal`] is the mean before
    /// what is below zero is cut off.
    ///
    /// ```
    /// use hothouse_workload::Dist;
    /// let mean = |text: &str| text.parse::<Dist>().unwrap().mean();
    /// assert_eq!(mean("uniform(1us, 3us)"), Some(2_000.0));
    /// assert_eq!(mean("pareto(1us, 3)"), Some(1_500.0));
    /// assert_eq!(mean("pareto(1us, 1)"), None);
    /// ```
    pub fn mean(&self) -> Option<f64> {
        let nanos = |span: Span| span.nanos() as f64;
        match *self {
            Dist::Const(span) => Some(nanos(span)),
            Dist::Uniform { low, high } => Some((nanos(low) + nanos(high)) / 2.0),
            Dist::Exp { mean } | Dist::Normal { mean, .. } => Some(nanos(mean)),
            Dist::Pareto { minimum, shape } => {
                (shape > 1.0).then(|| nanos(minimum) * shape / (shape - 1.0))
            }
            Dist::LogNormal { median, sigma } => {
                Some(nanos(median) * libm::exp(sigma * sigma / 2.0))
            }
        }
    }

    /// The shortest that can be drawn.
    pub const fn least(&self) -> Span {
        match *self {
            Dist::Const(span) => span,
            Dist::Uniform { low, .. } => low,
            Dist::Pareto { minimum, .. } => minimum,
            Dist::Exp { .. } | Dist::Normal { .. } | Dist::LogNormal { .. } => Span::ZERO,
        }
    }

    /// A span of this law, rounded to the nanosecond. `draw` gives uniform 64-bit numbers; how many
    /// are taken depends on the law alone: none for [`Dist::Const`], two for [`Dist::Normal`] and
    /// [`Dist::LogNormal`], one for the others.
    ///
    /// ```
    /// use hothouse_abi::Span;
    /// use hothouse_workload::Dist;
    /// let mut draw = || u64::MAX / 2;
    /// let median = Dist::Exp { mean: Span::from_secs(1) }.sample(&mut draw);
    /// assert_eq!(median.nanos(), 693_147_181);
    /// ```
    pub fn sample(&self, draw: &mut dyn FnMut() -> u64) -> Span {
        match *self {
            Dist::Const(span) => span,
            Dist::Uniform { low, high } => {
                let choices = u128::from((high - low).nanos()) + 1;
                let chosen = (u128::from(draw()) * choices) >> 64;
                low + Span::from_nanos(chosen as u64)
            }
            Dist::Exp { mean } => scaled(mean, -libm::log(open(draw))),
            Dist::Normal { mean, deviation } => {
                let nanos = mean.nanos() as f64 + deviation.nanos() as f64 * normal(draw);
                Span::from_nanos(libm::round(nanos) as u64)
            }
            Dist::Pareto { minimum, shape } => {
                scaled(minimum, libm::exp(-libm::log(open(draw)) / shape))
            }
            Dist::LogNormal { median, sigma } => scaled(median, libm::exp(sigma * normal(draw))),
        }
    }
}

/// Uniform above 0 and up to 1, in steps of 2^-53.
fn open(draw: &mut dyn FnMut() -> u64) -> f64 {
    ((draw() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

/// Standard normal, by the method of Box and Muller.
fn normal(draw: &mut dyn FnMut() -> u64) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(open(draw)));
    radius * libm::cos(TAU * open(draw))
}

fn scaled(span: Span, factor: f64) -> Span {
    Span::from_nanos(libm::round(span.nanos() as f64 * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SplitMix64 (Steele, Lea and Flood 2014).
    fn generator(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }
    }

    /// The mean and standard deviation of many draws, in seconds.
    fn moments(dist: Dist) -> (f64, f64) {
        const DRAWS: usize = 100_000;
        let mut draw = generator(7);
        let all: Vec<f64> = (0..DRAWS).map(|_| dist.sample(&mut draw).as_secs_f64()).collect();
        let mean = all.iter().sum::<f64>() / DRAWS as f64;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / DRAWS as f64;
        (mean, variance.sqrt())
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.02 * expected, "{found} is not about {expected}");
    }

    #[test]
    fn each_law_has_its_mean_and_deviation() {
        let second = Span::from_secs(1);
        let (mean, deviation) = moments(Dist::Exp { mean: second });
        near(mean, 1.0);
        near(deviation, 1.0);
        let (mean, deviation) = moments(Dist::Uniform { low: second, high: Span::from_secs(3) });
        near(mean, 2.0);
        near(deviation, 1.0 / 3f64.sqrt());
        let deviation_given = Span::from_secs(2);
        let (mean, deviation) =
            moments(Dist::Normal { mean: Span::from_secs(20), deviation: deviation_given });
        near(mean, 20.0);
        near(deviation, 2.0);
        near(moments(Dist::Pareto { minimum: second, shape: 3.0 }).0, 1.5);
        near(moments(Dist::LogNormal { median: second, sigma: 0.5 }).0, 0.125f64.exp());
    }

    #[test]
    fn the_ends_of_the_draws_are_safe() {
        let second = Span::from_secs(1);
        let uniform = Dist::Uniform { low: second, high: Span::MAX };
        assert_eq!(uniform.sample(&mut || 0), second);
        assert_eq!(uniform.sample(&mut || u64::MAX), Span::MAX);
        assert_eq!(Dist::Exp { mean: second }.sample(&mut || u64::MAX), Span::ZERO);
        assert_eq!(Dist::Exp { mean: second }.sample(&mut || 0).nanos(), 36_736_800_570);
        let heavy = Dist::Pareto { minimum: second, shape: 0.001 };
        assert_eq!(heavy.sample(&mut || 0), Span::MAX);
        let normal = Dist::Normal { mean: Span::ZERO, deviation: second };
        assert_eq!(normal.sample(&mut || 1 << 63), Span::ZERO);
    }

    proptest! {
        #[test]
        fn samples_stay_in_range_and_repeat(seed: u64, low in 0u64..1_000_000, width in 0u64..1_000_000) {
            let (low, high) = (Span::from_nanos(low), Span::from_nanos(low + width));
            let dist = Dist::Uniform { low, high };
            let found = dist.sample(&mut generator(seed));
            prop_assert!(low <= found && found <= high);
            prop_assert_eq!(found, dist.sample(&mut generator(seed)));
            let pareto = Dist::Pareto { minimum: high, shape: 1.5 }.sample(&mut generator(seed));
            prop_assert!(pareto >= high);
        }
    }
}
