//! What tasks ask of the CPUs, as far as it can be told before they run.

use hothouse_abi::Span;

use crate::{Phase, Step, Task};

/// What one task asks of the CPUs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// The CPU time of one process in its whole life, in nanoseconds: the mean. `None` if it has no
    /// end or no mean.
    pub work: Option<f64>,
    /// How many CPUs all its processes keep busy in the long run if nothing holds them up. `None` if
    /// it does not come again and again, or if it depends on other tasks.
    pub utilisation: Option<f64>,
    /// Whether the work comes at its times whether or not there is room for it, so that it piles up
    /// where there is none: that of timers and of arrivals. A task that sleeps between two bursts
    /// only comes later.
    pub open: bool,
    /// How many jobs all its processes do, at most; `None`: without end.
    pub jobs: Option<u64>,
}

/// One round of steps.
#[derive(Clone, Copy, Default)]
struct Round {
    /// The mean CPU time; NaN if there is none.
    work: f64,
    sleep: f64,
    /// How far it moves the timer that it moves furthest.
    timer: f64,
    waits: bool,
    jobs: u64,
}

impl Round {
    fn of(phase: &Phase) -> Round {
        let mut round = Round::default();
        let mut timers: Vec<(&str, f64)> = Vec::new();
        for step in &phase.steps {
            match step {
                Step::Run(dist) | Step::Busy(dist) => {
                    round.work += dist.mean().unwrap_or(f64::NAN);
                }
                Step::Sleep(dist) => {
                    round.sleep += dist.mean().unwrap_or(f64::NAN);
                    round.jobs += 1;
                }
                Step::Timer { reference, period, .. } => {
                    round.jobs += 1;
                    let period = period.nanos() as f64;
                    match timers.iter_mut().find(|(name, _)| name == reference) {
                        Some((_, length)) => *length += period,
                        None => timers.push((reference, period)),
                    }
                }
                Step::Suspend(_) => {
                    round.waits = true;
                    round.jobs += 1;
                }
                Step::Wait { .. }
                | Step::Sync { .. }
                | Step::Barrier(_)
                | Step::Acquire(_)
                | Step::Receive(_)
                | Step::Call(_) => round.waits = true,
                _ => {}
            }
        }
        round.timer = timers.iter().fold(0.0, |longest, (_, length)| length.max(longest));
        round
    }

    /// How long it takes on a CPU of its own.
    fn length(&self) -> f64 {
        self.timer.max(self.work + self.sleep)
    }
}

/// The sum over all phases, each as often as its task takes it.
#[derive(Default)]
struct Life {
    work: f64,
    length: f64,
    jobs: u64,
    waits: bool,
    has_timer: bool,
    sleeps: bool,
    endless: bool,
}

impl Life {
    /// One round of a task; what comes after a phase without end does not count.
    fn of(task: &Task) -> Life {
        let mut life = Life::default();
        for phase in &task.phases {
            let round = Round::of(phase);
            if phase.rounds == u64::MAX {
                // In the long run, all else is nothing.
                life = Life { endless: true, ..Life::default() };
            }
            let times = if phase.rounds == u64::MAX { 1.0 } else { phase.rounds as f64 };
            life.work += times * round.work;
            life.length += times * round.length();
            life.jobs = life.jobs.saturating_add(round.jobs.saturating_mul(phase.rounds));
            life.waits |= round.waits;
            life.has_timer |= round.timer > 0.0;
            life.sleeps |= round.sleep > 0.0;
            if life.endless {
                break;
            }
        }
        life
    }
}

impl Task {
    /// What it asks of the CPUs. Of a task that runs a program, nothing is known.
    ///
    /// ```
    /// let text = r#"
    ///     [[task]]
    ///     name = "control"
    ///     count = 2
    ///     rounds = "forever"
    ///     script = [{ run = "3ms" }, { period = "10ms" }]
    /// "#;
    /// let workload = hothouse_workload::read("control.toml", text).unwrap();
    /// let demand = workload.tasks[0].demand();
    /// assert_eq!((demand.utilisation, demand.open, demand.jobs), (Some(0.6), true, None));
    /// ```
    pub fn demand(&self) -> Demand {
        if self.program.is_some() {
            return Demand { work: None, utilisation: None, open: false, jobs: None };
        }
        let life = Life::of(self);
        let rounds = self.rounds.filter(|_| !life.endless);
        let work = rounds.map(|rounds| rounds as f64 * life.work);
        let work = work.filter(|work| work.is_finite());
        let instances = f64::from(self.instances);
        let arrivals = self.every.and_then(|every| Some(work? / every.mean()?));
        let comes_again = life.has_timer || life.sleeps || rounds.is_none();
        // Who has a timer comes by it, whatever else it waits for.
        let is_known = life.has_timer || !life.waits;
        let own = (comes_again && is_known && life.length > 0.0)
            .then(|| instances * life.work / life.length);
        let utilisation = arrivals.or(own).filter(|it| it.is_finite() && !self.only_forked);
        let each = rounds.map(|rounds| life.jobs.saturating_mul(rounds).max(1));
        Demand {
            work,
            utilisation,
            open: arrivals.is_some() || life.has_timer,
            jobs: each.map(|jobs| jobs.saturating_mul(u64::from(self.instances))),
        }
    }

    /// The phase whose steps need more CPU time at least than passes between two points of its timer,
    /// with both.
    pub(crate) fn overrun(&self) -> Option<(&Phase, Span, Span)> {
        self.phases.iter().find_map(|phase| {
            let least = phase.steps.iter().map(|step| match step {
                Step::Run(dist) | Step::Busy(dist) => dist.least(),
                _ => Span::ZERO,
            });
            let least = least.fold(Span::ZERO, |sum, span| sum + span);
            let length = Span::from_nanos(Round::of(phase).timer as u64);
            (!length.is_zero() && least > length).then_some((phase, least, length))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Demand, read};

    fn demand(body: &str) -> Demand {
        let text = format!("[[task]]\nname = \"a\"\n{body}");
        read("t.toml", &text).unwrap_or_else(|error| panic!("{error}")).tasks[0].demand()
    }

    #[test]
    fn work_that_comes_by_itself_is_open() {
        let found = demand(
            "rounds = 5\nscript = [{ run = \"2ms\" }, { period = \"5ms\" }, { period = \"5ms\" }]",
        );
        assert_eq!(found.utilisation, Some(0.2));
        assert_eq!((found.work, found.open, found.jobs), (Some(1e7), true, Some(10)));
        let found = demand("count = 9\nevery = \"exp(10ms)\"\nscript = [{ run = \"exp(8ms)\" }]");
        assert_eq!((found.utilisation, found.open, found.jobs), (Some(0.8), true, Some(9)));
    }

    #[test]
    fn who_sleeps_or_waits_gives_way() {
        let found =
            demand("rounds = \"forever\"\nscript = [{ run = \"2ms\" }, { sleep = \"8ms\" }]");
        assert_eq!((found.utilisation, found.open, found.jobs), (Some(0.2), false, None));
        let found = demand("rounds = \"forever\"\nscript = [{ run = \"2ms\" }, \"suspend\"]");
        assert_eq!((found.utilisation, found.open), (None, false));
        let found = demand("script = [{ run = \"2ms\" }]");
        assert_eq!((found.utilisation, found.work, found.jobs), (None, Some(2e6), Some(1)));
        assert_eq!(
            demand("rounds = \"forever\"\nscript = [{ run = \"2ms\" }]").utilisation,
            Some(1.0)
        );
    }

    #[test]
    fn a_phase_without_end_is_all_there_is() {
        let found = demand(
            "[[task.phase]]\nscript = [{ run = \"1s\" }]\n[[task.phase]]\nrounds = \"forever\"\n\
             script = [{ run = \"3ms\" }, { period = \"10ms\" }]",
        );
        assert_eq!((found.utilisation, found.work, found.jobs), (Some(0.3), None, None));
    }
}
