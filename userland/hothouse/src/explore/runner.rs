//! Runs a program again and again in one kernel, each time from the start.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::director::{Director, Handle};
use super::explorer::Settings;
use super::failure::Failure;
use super::property::Watched;
use super::schedule::Decision;
use super::search::Search;
use super::story::Story;
use crate::{
    Builder, Console, End, Errno, Exploration, Kernel, Limits, Name, Pid, Program, RunError, Tick,
    Until,
};

/// Makes the program that is explored, anew for each run.
pub(super) type Make = Box<dyn FnMut() -> Program>;

/// Runs the program under what search decides.
pub(super) struct Runner {
    settings: Rc<Settings>,
    name: Name,
    make: Make,
    /// Loaded in advance, so that what programs share lives on from run to run.
    next: Program,
    kernel: Kernel,
    director: Rc<RefCell<Director>>,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) failure: Option<Failure>,
    pub(super) decisions: Vec<Decision>,
    pub(super) departures: u64,
    /// How many traps were made.
    pub(super) traps: u64,
    /// The limit that ended it, if one did.
    pub(super) cut_off: bool,
    /// It was given up, since it repeats another.
    pub(super) redundant: bool,
    pub(super) hash: u64,
    pub(super) story: Vec<String>,
}

impl Runner {
    pub(super) fn new(
        settings: Rc<Settings>,
        name: Name,
        mut make: Make,
        search: Box<dyn Search>,
    ) -> Result<Runner, RunError> {
        let next = make();
        let director = Rc::new(RefCell::new(Director::new(search, settings.failing)));
        let kernel = builder(&settings, &director, false).build()?;
        Ok(Runner { settings, name, make, next, kernel, director })
    }

    /// Decides from now on.
    pub(super) fn set_search(&mut self, search: Box<dyn Search>) {
        self.director.borrow_mut().search = search;
    }

    /// Begins another run. `false`: the search is over.
    pub(super) fn begin(&mut self) -> bool {
        self.director.borrow_mut().search.begin()
    }

    /// Carries the run out.
    pub(super) fn run(&mut self) -> Ran {
        self.run_as(false)
    }

    /// The same, and tells it.
    pub(super) fn tell(&mut self) -> Ran {
        self.run_as(true)
    }

    fn run_as(&mut self, told: bool) -> Ran {
        let program = std::mem::replace(&mut self.next, (self.make)());
        {
            let mut director = self.director.borrow_mut();
            director.clear();
            director.story = told.then(Story::default);
            director.watched = self.settings.properties.iter().map(Watched::new).collect();
        }
        self.kernel.restart(builder(&self.settings, &self.director, told));
        let failed = match self.kernel.spawn(self.name.clone(), program) {
            Ok(_) => self.drive(),
            Err(errno) => Driven::Failure(self.not_started(errno)),
        };
        let traps = self.kernel.counters().traps;
        let story = {
            let mut director = self.director.borrow_mut();
            director.search.end();
            director.story.take().map(Story::finish).unwrap_or_default()
        };
        let failure = self.director.borrow_mut().failure.take();
        // What is killed now is no part of the run.
        self.kernel.kill_all();
        let mut director = self.director.borrow_mut();
        let redundant = director.search.is_redundant() && failure.is_none();
        let (failure, cut_off) = match (failure, failed) {
            (Some(failure), _) | (None, Driven::Failure(failure)) => (Some(failure), false),
            (None, Driven::CutOff) => (None, true),
            (None, Driven::Fine) => (None, false),
        };
        // Of a run that is fine nobody wants to know more.
        let decisions = match failure {
            Some(_) => std::mem::take(&mut director.decisions),
            None => Vec::new(),
        };
        Ran {
            failure: failure.filter(|_| !redundant),
            decisions,
            departures: director.departures,
            traps,
            cut_off,
            redundant,
            hash: director.hash(),
            story,
        }
    }

    /// Runs until pid 1 has ended and nobody else can go on at that instant.
    fn drive(&mut self) -> Driven {
        let limit = self.settings.until.map_or(Tick::MAX, |span| Tick::ZERO + span);
        let mut end = self.kernel.run_until(Until::TimeOrEnded(limit, Pid::new(1)));
        if matches!(end, End::Done) {
            end = self.kernel.run_until(Until::TimeOrIdle(self.kernel.now()));
        }
        match end {
            End::Deadlock(deadlock) => return Driven::Failure(Failure::Deadlock(deadlock)),
            End::Failed(RunError::Livelock { at, who, .. }) => {
                return Driven::Failure(Failure::Livelock { at, who });
            }
            End::Failed(_) => return Driven::CutOff,
            End::Interrupted => return Driven::Fine,
            End::Done | End::Idle | End::Stopped => {}
        }
        if let Some(what) = self.left() {
            return Driven::Failure(Failure::Leak { what });
        }
        let now = self.kernel.now();
        let mut director = self.director.borrow_mut();
        match director.watched.iter_mut().find_map(|watched| watched.finish(now)) {
            Some(failure) => Driven::Failure(failure),
            None => Driven::Fine,
        }
    }

    /// What is left of the run, if that is a failure.
    fn left(&self) -> Option<String> {
        if !self.settings.leaks {
            return None;
        }
        let live = self.kernel.processes();
        let processes = live.iter().map(|info| format!("process {} {}", info.pid, info.name));
        let held = self.kernel.held();
        let other = [
            ("events", held.events),
            ("timers", held.timers),
            ("names", held.names),
            ("locks", held.locks),
        ];
        let counts = other.iter().filter(|(_, count)| *count > 0);
        let all: Vec<String> =
            processes.chain(counts.map(|(what, count)| format!("{count} {what}"))).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    fn not_started(&self, errno: Errno) -> Failure {
        let status = crate::ExitStatus::Failed(format!("the program can't be started: {errno}"));
        Failure::Ended { pid: Pid::new(1), name: self.name.clone(), status }
    }
}

enum Driven {
    Fine,
    CutOff,
    Failure(Failure),
}

fn builder(settings: &Settings, director: &Rc<RefCell<Director>>, told: bool) -> Builder {
    let handle = Handle(director.clone());
    let how = Exploration { isolated: settings.isolated, touches: settings.is_reduced() };
    let builder = Kernel::builder()
        .console(Silence)
        .seed(settings.seed)
        .repeatable(true)
        .faults(settings.faults.clone())
        .interrupt(director.borrow().interrupt.clone())
        .limits(Limits {
            steps_at_one_instant: settings.steps,
            steps: settings.steps.saturating_mul(16),
            ..Limits::default()
        })
        .oracle(handle.clone(), how);
    if told || settings.is_reduced() || !settings.properties.is_empty() {
        builder.listener(handle)
    } else {
        builder
    }
}

/// What programs log belongs to the story, not to the console.
struct Silence;

impl Console for Silence {
    fn line(&mut self, _: Tick, _: Pid, _: &Name, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn diagnostic(&mut self, _: Tick, _: Pid, _: &Name, _: &str) -> io::Result<()> {
        Ok(())
    }
}
