//! How far processes are from the ideal in which all that are runnable share the CPUs by weight at
//! every moment.
//!
//! Virtual time V advances at the number of CPUs, or of the runnable if these are fewer, over the total
//! weight of the runnable. The lag of a
//! process is its weight times what V advanced since it became runnable, less the CPU time that it
//! got since. It starts at zero each time that it becomes runnable. Between two moments at which its
//! own service starts or ends, the lag runs straight, so that it is worst at one of these.
//!
//! Source: Stoica, Abdel-Wahab and Jeffay 1995, "Earliest eligible virtual deadline first".

use hothouse_abi::{Span, Tick};

/// The ideal: its virtual time.
pub(super) struct Fluid {
    cpus: u32,
    /// In nanoseconds for a weight of one.
    virtual_time: f64,
    weight: u64,
    runnable: u32,
    now: Tick,
}

/// How far one process is from the ideal.
pub(super) struct Lag {
    weight: u64,
    /// The virtual time when it became runnable; `None` while it is not.
    joined: Option<f64>,
    served: f64,
    worst: f64,
}

impl Lag {
    /// Of a process of this weight, which is not runnable so far.
    pub(super) fn new(weight: u64) -> Lag {
        Lag { weight, joined: None, served: 0.0, worst: 0.0 }
    }

    /// The worst so far, in nanoseconds of CPU time.
    pub(super) fn worst(&self) -> u64 {
        self.worst.round() as u64
    }
}

impl Fluid {
    pub(super) fn new(cpus: u32) -> Fluid {
        Fluid { cpus, virtual_time: 0.0, weight: 0, runnable: 0, now: Tick::ZERO }
    }

    fn advance(&mut self, now: Tick) {
        if self.weight > 0 {
            let passed = (now - self.now).nanos() as f64;
            let cpus = f64::from(self.cpus.min(self.runnable));
            self.virtual_time += passed * cpus / self.weight as f64;
        }
        self.now = now;
    }

    /// A process is runnable from now on.
    pub(super) fn join(&mut self, lag: &mut Lag, now: Tick) {
        self.advance(now);
        if lag.joined.is_none() {
            lag.joined = Some(self.virtual_time);
            lag.served = 0.0;
            self.weight += lag.weight;
            self.runnable += 1;
        }
    }

    /// Takes the lag of a process at this time, if it is the worst so far.
    pub(super) fn measure(&mut self, lag: &mut Lag, now: Tick) {
        self.advance(now);
        if let Some(joined) = lag.joined {
            let ideal = lag.weight as f64 * (self.virtual_time - joined);
            lag.worst = lag.worst.max((ideal - lag.served).abs());
        }
    }

    /// A process was served for `ran` until now.
    pub(super) fn serve(&mut self, lag: &mut Lag, ran: Span, now: Tick) {
        lag.served += ran.nanos() as f64;
        self.measure(lag, now);
    }

    /// A process is not runnable for now, or has ended.
    pub(super) fn leave(&mut self, lag: &mut Lag, now: Tick) {
        self.measure(lag, now);
        if lag.joined.take().is_some() {
            self.weight -= lag.weight;
            self.runnable -= 1;
        }
    }
}
