use serde::Serialize;

/// Several measurements of one thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// The measurements, in the order in which they were taken.
    pub runs: Vec<f64>,
}

impl Series {
    /// Adds a measurement.
    pub fn push(&mut self, figure: f64) {
        self.runs.push(figure);
    }

    /// The median; of an even number the mean of the two in the middle, and of none not a number.
    ///
    /// ```
    /// use hothouse::bench::Series;
    /// let series = Series { runs: vec![5.0, 1.0, 2.0, 4.0] };
    /// assert_eq!((series.min(), series.median(), series.max()), (1.0, 3.0, 5.0));
    /// ```
    pub fn median(&self) -> f64 {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            odd if !odd.is_multiple_of(2) => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The least.
    pub fn min(&self) -> f64 {
        self.runs.iter().copied().fold(f64::NAN, f64::min)
    }

    /// The greatest.
    pub fn max(&self) -> f64 {
        self.runs.iter().copied().fold(f64::NAN, f64::max)
    }
}
