use hothouse_kernel::{Stream, StreamKind};
use serde::{Deserialize, Serialize};

/// The customers of the queue of row `mm1`, the same as Hothouse's. Times are in units of which the
/// mean time between arrivals has so many.
pub(super) struct Customers {
    left: u64,
    mean: f64,
    stream: Stream,
    arrival: u64,
    free: u64,
    /// The sum of the times that they spend in the system, by Lindley's recursion.
    pub(super) sojourn: u64,
}

/// When a customer comes, and how long its service takes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Customer {
    pub(super) arrival: u64,
    pub(super) service: u64,
}

impl Customers {
    pub(super) fn new(count: u64, mean: f64) -> Customers {
        let stream = Stream::derive(18, StreamKind::Workload, 0);
        Customers { left: count, mean, stream, arrival: 0, free: 0, sojourn: 0 }
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        let time = -mean * (1.0 - self.stream.unit_f64()).ln();
        (time as u64).max(1)
    }
}

impl Iterator for Customers {
    type Item = Customer;

    fn next(&mut self) -> Option<Customer> {
        self.left = self.left.checked_sub(1)?;
        self.arrival += self.exponential(self.mean);
        let service = self.exponential(0.8 * self.mean);
        self.free = self.free.max(self.arrival) + service;
        self.sojourn += self.free - self.arrival;
        Some(Customer { arrival: self.arrival, service })
    }
}
