//! The search as its user holds it.

use std::rc::Rc;

use hashbrown::HashSet;
use hothouse_sys::{Outcome, Sys, program};
use rustc_hash::FxBuildHasher;

use super::dfs::Dfs;
use super::pct::Pct;
use super::property::{Property, Watch};
use super::random::Random;
use super::reduced::Reduced;
use super::replay::{Replay, Replayed};
use super::report::{Explored, Found};
use super::runner::{Make, Ran, Runner};
use super::schedule::Schedule;
use super::search::{Bound, Search, Strategy};
use super::shrink::{Follow, Shrink};
use crate::faults::Faults;
use crate::trace::Record;
use crate::{Name, Program, RunError, Span};

/// What is searched, and how. All limits are counts: no clock decides when a search ends.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) strategy: Strategy,
    pub(super) schedules: u64,
    pub(super) seed: u64,
    pub(super) steps: u64,
    pub(super) until: Option<Span>,
    pub(super) isolated: bool,
    pub(super) leaks: bool,
    pub(super) failing: bool,
    pub(super) shrinks: u64,
    pub(super) words: Vec<String>,
    pub(super) properties: Vec<Property>,
    pub(super) faults: Faults,
}

impl Settings {
    /// Whether schedules that differ only in the order of independent traps count as one. With
    /// faults no trap is known to be independent of another.
    pub(super) fn is_reduced(&self) -> bool {
        self.isolated
            && self.faults.rules.is_empty()
            && self.strategy == Strategy::Dfs { bound: Bound::None }
    }

    fn search(&self) -> Box<dyn Search> {
        match self.strategy {
            Strategy::Random => Box::new(Random::new(self.seed)),
            Strategy::Pct { depth } => Box::new(Pct::new(self.seed, depth)),
            Strategy::Dfs { .. } if self.is_reduced() => Box::new(Reduced::new()),
            Strategy::Dfs { bound } => Box::new(Dfs::new(bound)),
        }
    }
}

/// Tries the schedules of a program: see the [module](super).
#[derive(Clone)]
#[must_use]
pub struct Explorer(Settings);

impl Default for Explorer {
    fn default() -> Explorer {
        Explorer::new()
    }
}

impl Explorer {
    /// The defaults: `pct` of depth 3, 10,000 schedules, seed 0.
    pub fn new() -> Explorer {
        Explorer(Settings {
            strategy: Strategy::Pct { depth: 3 },
            schedules: 10_000,
            seed: 0,
            steps: 20_000,
            until: None,
            isolated: false,
            leaks: false,
            failing: true,
            shrinks: 5_000,
            words: Vec::new(),
            properties: Vec::new(),
            faults: Faults::default(),
        })
    }

    /// How the search goes.
    pub fn strategy(mut self, strategy: Strategy) -> Explorer {
        self.0.strategy = strategy;
        self
    }

    /// After how many schedules it ends, if it has found nothing.
    pub fn schedules(mut self, schedules: u64) -> Explorer {
        self.0.schedules = schedules;
        self
    }

    /// The seed of the search and of the machine's random streams.
    pub fn seed(mut self, seed: u64) -> Explorer {
        self.0.seed = seed;
        self
    }

    /// After how many steps without time passing a run counts as a livelock; after sixteen times
    /// as many in all it is cut off.
    pub fn steps(mut self, steps: u64) -> Explorer {
        self.0.steps = steps;
        self
    }

    /// When each run ends in virtual time, if pid 1 has not ended by then.
    pub fn until(mut self, span: Span) -> Explorer {
        self.0.until = Some(span);
        self
    }

    /// Declares that the processes share no memory but by traps, such as those of
    /// [`Shared`](crate::Shared). It always holds for Lua. What only a process itself could notice
    /// is then no choice, and `dfs` without a bound takes schedules that differ only in the order of
    /// independent traps for one.
    pub fn isolated(mut self, isolated: bool) -> Explorer {
        self.0.isolated = isolated;
        self
    }

    /// Whether it is a failure if processes, events, timers, names or locks are left when pid 1 has
    /// ended and nobody else can run at that instant. Not so by default.
    pub fn leaks(mut self, leaks: bool) -> Explorer {
        self.0.leaks = leaks;
        self
    }

    /// Whether it is a failure if a process panics, faults or fails. So by default; a program that
    /// kills and restarts others on purpose turns it off.
    pub fn failing(mut self, failing: bool) -> Explorer {
        self.0.failing = failing;
        self
    }

    /// What may go wrong. Whether a rule with a probability below 1 strikes is a choice of the
    /// search each time, whatever the probability.
    pub fn faults(mut self, faults: Faults) -> Explorer {
        self.0.faults = faults;
        self
    }

    /// How many runs may be spent on making a failing run shorter.
    pub fn shrinks(mut self, shrinks: u64) -> Explorer {
        self.0.shrinks = shrinks;
        self
    }

    /// What the schedule string says of the program, so that it can be replayed by the string alone.
    pub fn words(mut self, words: Vec<String>) -> Explorer {
        self.0.words = words;
        self
    }

    /// A property: no record for which this returns `true` ever comes. `watch` makes the function
    /// anew for each run.
    pub fn never<F>(mut self, name: &str, watch: impl Fn() -> F + 'static) -> Explorer
    where
        F: FnMut(&Record<'_>) -> bool + 'static,
    {
        self.0.properties.push(property(name, watch, None));
        self
    }

    /// A property: a record for which this returns `true` comes within this virtual time.
    pub fn eventually<F>(
        mut self,
        name: &str,
        within: Span,
        watch: impl Fn() -> F + 'static,
    ) -> Explorer
    where
        F: FnMut(&Record<'_>) -> bool + 'static,
    {
        self.0.properties.push(property(name, watch, Some(within)));
        self
    }

    /// Searches a program written in place, which runs as pid 1.
    ///
    /// # Errors
    ///
    /// [`RunError::Stacks`] if the host refuses memory for stacks.
    pub fn check<R: Outcome>(
        &self,
        main: impl Fn(&Sys) -> R + 'static,
    ) -> Result<Explored, RunError> {
        self.check_program("main", made(main))
    }

    /// Searches a program that `make` makes anew for each run.
    ///
    /// # Errors
    ///
    /// [`RunError::Stacks`] if the host refuses memory for stacks.
    pub fn check_program(
        &self,
        name: impl Into<Name>,
        make: impl FnMut() -> Program + 'static,
    ) -> Result<Explored, RunError> {
        let settings = Rc::new(self.0.clone());
        let mut runner = self.runner(name.into(), Box::new(make), settings.search())?;
        let mut explored = Explored::new(settings.strategy, settings.seed);
        let mut seen: HashSet<u64, FxBuildHasher> = HashSet::default();
        while explored.schedules < settings.schedules {
            if !runner.begin() {
                explored.exhausted = explored.cut_off == 0;
                break;
            }
            let ran = runner.run();
            if ran.redundant {
                explored.redundant += 1;
                continue;
            }
            explored.schedules += 1;
            explored.traps += ran.traps;
            explored.cut_off += u64::from(ran.cut_off);
            seen.insert(ran.hash);
            if ran.failure.is_some() {
                explored.failure = Some(Box::new(self.found(runner, ran, explored.schedules)));
                break;
            }
        }
        explored.distinct = seen.len() as u64;
        Ok(explored)
    }

    /// Repeats a run.
    ///
    /// # Errors
    ///
    /// [`RunError::Stacks`] if the host refuses memory for stacks.
    pub fn replay<R: Outcome>(
        &self,
        schedule: &Schedule,
        main: impl Fn(&Sys) -> R + 'static,
    ) -> Result<Replayed, RunError> {
        self.replay_program(schedule, "main", made(main))
    }

    /// Repeats a run of a program that `make` makes.
    ///
    /// # Errors
    ///
    /// [`RunError::Stacks`] if the host refuses memory for stacks.
    pub fn replay_program(
        &self,
        schedule: &Schedule,
        name: impl Into<Name>,
        make: impl FnMut() -> Program + 'static,
    ) -> Result<Replayed, RunError> {
        let explorer = self.clone().seed(schedule.seed).isolated(schedule.isolated);
        let (replay, progress) = Replay::new(schedule.decisions.clone());
        let mut runner = explorer.runner(name.into(), Box::new(make), Box::new(replay))?;
        let ran = runner.tell();
        let divergence = progress.borrow().divergence(schedule.decisions.len());
        Ok(Replayed { failure: ran.failure, story: ran.story, divergence })
    }

    fn runner(&self, name: Name, make: Make, search: Box<dyn Search>) -> Result<Runner, RunError> {
        Runner::new(Rc::new(self.0.clone()), name, make, search)
    }

    /// A failing run, made shorter and told.
    fn found(&self, mut runner: Runner, ran: Ran, at: u64) -> Found {
        let failure = ran.failure.clone().expect("it failed");
        let first = (ran.decisions.len(), ran.departures);
        let (best, tried) = Shrink::new(&mut runner, failure, ran, self.0.shrinks).run();
        runner.set_search(Box::new(Follow::new(best.decisions)));
        runner.begin();
        let told = runner.tell();
        Found {
            failure: told.failure.expect("invariant: the same answers are the same run"),
            at,
            schedule: Schedule {
                seed: self.0.seed,
                isolated: self.0.isolated,
                words: self.0.words.clone(),
                decisions: told.decisions,
            },
            departures: told.departures,
            first,
            tried,
            story: told.story,
        }
    }
}

fn made<R: Outcome>(main: impl Fn(&Sys) -> R + 'static) -> Make {
    let main = Rc::new(main);
    Box::new(move || {
        let main = main.clone();
        program(move |sys| main(sys))
    })
}

fn property<F>(name: &str, watch: impl Fn() -> F + 'static, within: Option<Span>) -> Property
where
    F: FnMut(&Record<'_>) -> bool + 'static,
{
    let make = Rc::new(move || Box::new(watch()) as Watch);
    Property { name: name.to_owned(), make, within }
}
