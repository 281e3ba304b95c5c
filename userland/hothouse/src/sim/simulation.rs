use std::sync::Arc;

use hothouse_abi::{Errno, Program, Span, Tick};
use hothouse_kernel::faults::Faults;
use hothouse_kernel::policy::{Policy, PolicyError, policy};
use hothouse_kernel::{Costs, Interrupt, RunError, Stream, StreamKind};
use hothouse_lua::{LuaHost, LuaSettings};
use hothouse_sys::programs;
use serde::Serialize;
use thiserror::Error;

use super::{Command, Place, Protocol, Run, Task, Workload};

/// Makes the policy of each run.
type MakePolicy = Arc<dyn Fn() -> Box<dyn Policy> + Send + Sync>;

/// A workload and the machine that it is to run on.
///
/// What the workload says of the machine holds unless it is set here. See the [module](super) for an
/// example.
#[derive(Clone)]
pub struct Simulation {
    workload: Arc<Workload>,
    pub(super) settings: Settings,
    own_policy: Option<MakePolicy>,
    pub(super) keep_jobs: usize,
    pub(super) hash: bool,
    pub(super) faults: Faults,
    pub(super) interrupt: Interrupt,
}

/// The machine of a simulation, with all that the workload and the caller said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// The policy with its parameters.
    pub policy: String,
    /// How many CPUs.
    pub cpus: u32,
    /// The seed of all draws.
    pub seed: u64,
    /// How long it runs at most, in nanoseconds; `None`: until all tasks have ended.
    pub duration_ns: Option<u64>,
    /// CPU time of a trap, in nanoseconds.
    pub trap_cost_ns: u64,
    /// Time of a switch, in nanoseconds.
    pub switch_cost_ns: u64,
    /// Time of a migration, in nanoseconds.
    pub migration_cost_ns: u64,
    /// What mutexes that have no protocol of their own do against priority inversion: `none`,
    /// `inherit` or `ceiling`.
    pub protocol: &'static str,
    /// Whether there is an admission test.
    pub admission: bool,
}

/// Why a simulation can't run.
#[derive(Debug, Error)]
pub enum SimError {
    /// There is no such policy.
    #[error("{}", place.tell(problem.to_string()))]
    Policy {
        /// What is wrong.
        problem: PolicyError,
        /// Where the workload names it, if it does.
        place: Place,
    },
    /// A task can't be scheduled as it asks on this machine.
    #[error("{}", place.tell(format!("task \"{task}\" can't be scheduled as it asks: {problem}")))]
    Scheduling {
        /// Its name.
        task: String,
        /// What is wrong.
        problem: String,
        /// Where the task is described.
        place: Place,
    },
    /// There is no task of a name.
    #[error("there is no task \"{0}\", which a step starts or sends to")]
    NoTask(String),
    /// A task names a program that can't be started.
    #[error("{}", place.tell(format!("task \"{task}\": {problem}")))]
    Program {
        /// Its name.
        task: String,
        /// What is wrong.
        problem: String,
        /// Where the task is described.
        place: Place,
    },
    /// Nothing says when the run is over.
    #[error(
        "task \"{0}\" never ends, and nothing says how long the run is; give it a duration, such as \
         --duration 10s"
    )]
    Endless(String),
    /// A process could not be started.
    #[error("task \"{task}\" can't be started: {errno}")]
    Spawn {
        /// Its name.
        task: String,
        /// Why.
        errno: Errno,
    },
    /// The kernel could not go on.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Simulation {
    /// On the machine that the workload asks for. What it does not say is as on the command line:
    /// as many CPUs as its affinities name, at least one; `fifo`, seed 0, no costs, until all tasks
    /// have ended.
    pub fn new(workload: Workload) -> Simulation {
        let machine = &workload.machine;
        let nanos = |span: Option<Span>| span.unwrap_or_default().nanos();
        let settings = Settings {
            policy: machine.policy.clone().unwrap_or_else(|| "fifo".to_owned()),
            cpus: machine.cpus.unwrap_or_else(|| named_cpus(&workload)).max(1),
            seed: machine.seed.unwrap_or(0),
            duration_ns: machine.duration.map(Span::nanos),
            trap_cost_ns: nanos(machine.trap_cost),
            switch_cost_ns: nanos(machine.switch_cost),
            migration_cost_ns: nanos(machine.migration_cost),
            protocol: machine.protocol.name(),
            admission: machine.admission,
        };
        let (workload, interrupt) = (Arc::new(workload), Interrupt::default());
        Simulation {
            workload,
            settings,
            own_policy: None,
            keep_jobs: 0,
            hash: true,
            faults: Faults::default(),
            interrupt,
        }
    }

    /// Under this policy, such as `"rr:slice=5ms"`.
    #[must_use]
    pub fn policy(mut self, spec: impl Into<String>) -> Simulation {
        self.settings.policy = spec.into();
        self.own_policy = None;
        self
    }

    /// Under a policy of one's own, which is made anew for each run.
    #[must_use]
    pub fn own_policy(
        mut self,
        make: impl Fn() -> Box<dyn Policy> + Send + Sync + 'static,
    ) -> Simulation {
        self.settings.policy = make().spec();
        self.own_policy = Some(Arc::new(make));
        self
    }

    /// On so many CPUs, at least one.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Simulation {
        self.settings.cpus = cpus.max(1);
        self
    }

    /// With this seed. The draws of one task are shifted neither by those of another nor by the
    /// policy: under every policy the same arrivals come and the same bursts are asked for.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Simulation {
        self.settings.seed = seed;
        self
    }

    /// For so long; `None`: until all tasks have ended. A run goes on after that until no mutex is
    /// held.
    #[must_use]
    pub fn duration(mut self, duration: impl Into<Option<Span>>) -> Simulation {
        self.settings.duration_ns = duration.into().map(Span::nanos);
        self
    }

    /// With these costs.
    #[must_use]
    pub fn costs(mut self, costs: Costs) -> Simulation {
        self.settings.trap_cost_ns = costs.trap.nanos();
        self.settings.switch_cost_ns = costs.switch.nanos();
        self.settings.migration_cost_ns = costs.migration.nanos();
        self
    }

    /// With mutexes of this protocol, all of them: also those that have one of their own.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Simulation {
        self.settings.protocol = protocol.name();
        let workload = Arc::make_mut(&mut self.workload);
        workload.machine.protocol = protocol;
        workload.mutexes.clear();
        self
    }

    /// With an admission test, or without.
    #[must_use]
    pub fn admission(mut self, admission: bool) -> Simulation {
        self.settings.admission = admission;
        self
    }

    /// Keeps up to so many jobs one by one, in [`Run::jobs`].
    #[must_use]
    pub fn keep_jobs(mut self, jobs: usize) -> Simulation {
        self.keep_jobs = jobs;
        self
    }

    /// With these faults on purpose. Each task's processes have its name; pid 1 is none of them.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Simulation {
        self.faults = faults;
        self
    }

    /// Whether the trace is hashed, as it is by default. It costs time for every record.
    #[must_use]
    pub fn hash(mut self, hash: bool) -> Simulation {
        self.hash = hash;
        self
    }

    /// Lets runs be broken off from outside.
    #[must_use]
    pub fn interrupt(mut self, interrupt: Interrupt) -> Simulation {
        self.interrupt = interrupt;
        self
    }

    /// The workload.
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The machine, as it is set by now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings, with the policy's own way of writing it, if all is well with them and the
    /// workload.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Simulation::run) that can be told before.
    pub fn check(&self) -> Result<Settings, SimError> {
        let policy = self.make_policy()?.spec();
        for task in &self.workload.tasks {
            self.check_task(task)?;
        }
        Ok(Settings { policy, ..self.settings.clone() })
    }

    fn check_task(&self, task: &Task) -> Result<(), SimError> {
        let name = || task.name.clone();
        let place = || task.place.clone();
        let cpus = self.settings.cpus;
        let later = task.phases.iter().filter_map(|phase| phase.scheduling.as_ref());
        for scheduling in std::iter::once(&task.scheduling).chain(later) {
            if let Some(problem) = scheduling.problem(cpus) {
                let problem = match scheduling.cpus.cpus() {
                    Some(_) if scheduling.cpus.is_empty_of(cpus) => {
                        format!("{problem} (it asks for {}, there are {cpus})", scheduling.cpus)
                    }
                    _ => problem.to_owned(),
                };
                return Err(SimError::Scheduling { task: name(), problem, place: place() });
            }
        }
        if let Some(command) = &task.program {
            let found = Programs::new(&self.workload.name).load(command);
            let wrong = |problem| SimError::Program { task: name(), problem, place: place() };
            found.map_err(wrong)?;
        }
        let endless = task.rounds.is_none() || task.phases.iter().any(|it| it.rounds == u64::MAX);
        if endless && task.program.is_none() && self.settings.duration_ns.is_none() {
            return Err(SimError::Endless(name()));
        }
        Ok(())
    }

    pub(super) fn make_policy(&self) -> Result<Box<dyn Policy>, SimError> {
        if let Some(make) = &self.own_policy {
            return Ok(make());
        }
        let stream = Stream::derive(self.settings.seed, StreamKind::Policy, 0);
        policy(&self.settings.policy, stream).map_err(|problem| {
            let machine = &self.workload.machine;
            let from_file = machine.policy.as_ref() == Some(&self.settings.policy);
            let place = if from_file { machine.policy_place.clone() } else { Place::default() };
            SimError::Policy { problem, place }
        })
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// [`SimError`], before anything has run: an unknown policy, a task that this machine can't
    /// schedule, a program that is not there, a run without an end. [`SimError::Run`] if the host
    /// has no room for the machine. What goes wrong during the run is in the [`Run`].
    pub fn run(&self) -> Result<Run, SimError> {
        self.run_watched(&mut |_| true)
    }

    /// Runs it, and tells `watch` now and then how far the virtual time is. Where it says `false`,
    /// the run is broken off and says that it was [`interrupted`](Run::interrupted).
    ///
    /// # Errors
    ///
    /// Those of [`run`](Simulation::run).
    pub fn run_watched(&self, watch: &mut dyn FnMut(Tick) -> bool) -> Result<Run, SimError> {
        let settings = self.check()?;
        Run::of(self, settings, watch)
    }
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("workload", &self.workload)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// How many CPUs there must be for all that affinities name.
fn named_cpus(workload: &Workload) -> u32 {
    let first = workload.tasks.iter().map(|task| &task.scheduling);
    let later = workload.tasks.iter().flat_map(|task| &task.phases);
    let all = first.chain(later.filter_map(|phase| phase.scheduling.as_ref()));
    let highest = all.filter_map(|scheduling| scheduling.cpus.cpus()?.max()).max();
    highest.map_or(1, |cpu| cpu.saturating_add(1))
}

/// Finds the programs that tasks name.
pub(super) struct Programs {
    lua: LuaHost,
    folder: std::path::PathBuf,
}

impl Programs {
    /// Lua files are looked for in the folder of the workload's file.
    pub(super) fn new(workload: &str) -> Programs {
        let folder = std::path::Path::new(workload).parent().map(Into::into).unwrap_or_default();
        Programs { lua: LuaHost::new(LuaSettings::default()), folder }
    }

    pub(super) fn load(&self, command: &Command) -> Result<Program, String> {
        let args: Vec<hothouse_abi::Value> =
            command.args.iter().map(|arg| arg.as_str().into()).collect();
        let name = &command.program;
        let is_path = name.contains('/') || name.ends_with(".lua");
        if let Some(builtin) = programs::programs().iter().find(|it| !is_path && it.name == name) {
            return Ok((builtin.start)(args));
        }
        let path = self.folder.join(name);
        if !path.is_file() {
            let path = path.display();
            let near = programs::programs()
                .iter()
                .map(|it| it.name)
                .min_by_key(|known| strsim::damerau_levenshtein(name, known));
            let near = near.filter(|known| strsim::damerau_levenshtein(name, known) <= 3);
            let hint = near.map_or_else(String::new, |it| format!("did you mean \"{it}\"? "));
            return Err(format!(
                "there is no built-in program \"{name}\" and no file {path}; \
                 {hint}`hothouse programs` lists the built-in ones"
            ));
        }
        self.lua.load(&path, args).map_err(|error| error.to_string())
    }
}
