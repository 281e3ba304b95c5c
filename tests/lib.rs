//! What the suites share: a scenario is run twice, its traces are compared, and after each run the
//! machine must hold nothing.

pub mod harness;

use std::cell::RefCell;
use std::rc::Rc;

use hothouse::{
    Builder, Captured, End, Exit, Held, Kernel, Outcome, Pid, Report, Sys, Until, program,
};

/// What a scenario came to.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// The report, from before the remaining processes were killed.
    pub report: Report,
    /// The lines that programs logged.
    pub lines: Vec<String>,
    /// The messages about programs.
    pub diagnostics: Vec<String>,
}

impl Run {
    /// The exit record of a process started from outside.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn exit(&self, pid: u64) -> &Exit {
        self.report
            .exit(Pid::new(pid))
            .unwrap_or_else(|| panic!("no exit record of {pid}: {self:?}"))
    }
}

/// Runs a scenario twice until nobody can run, and checks that both runs are the same and leave
/// nothing behind.
///
/// `set_up` gets a fresh kernel each time and starts the processes.
///
/// # Panics
///
/// If the two runs differ, or the machine holds something after all processes were killed.
pub fn scenario(set_up: impl Fn(&mut Kernel)) -> Run {
    scenario_with(|builder| builder, set_up, || Until::Idle)
}

/// The same with settings and an end of its own.
///
/// # Panics
///
/// As [`scenario`].
pub fn scenario_with(
    settings: impl Fn(Builder) -> Builder,
    set_up: impl Fn(&mut Kernel),
    until: impl Fn() -> Until,
) -> Run {
    let once = || {
        let captured = Captured::default();
        let builder = Kernel::builder().console(captured.clone()).hash(true);
        let mut kernel = settings(builder).build().expect("the settings are good");
        set_up(&mut kernel);
        let end = kernel.run_until(until());
        let report = kernel.report();
        kernel.kill_all();
        assert_eq!(kernel.held(), Held { stacks: kernel.held().stacks, ..Held::default() });
        let given_up = usize::try_from(kernel.report().counters.abandoned).expect("a small number");
        assert!(kernel.held().stacks <= given_up, "stacks are left: {:?}", kernel.held());
        Run { end, report, lines: captured.lines(), diagnostics: captured.diagnostics() }
    };
    let (first, second) = (once(), once());
    assert_eq!(first.report.hash, second.report.hash, "two runs of one scenario differ");
    assert_eq!(first.lines, second.lines);
    first
}

/// Runs one program as pid 1 in a scenario, and passes its failure on: the way to test what a
/// single program sees.
///
/// # Panics
///
/// If the program did not exit with success.
pub fn solo<R: Outcome>(main: impl Fn(&Sys) -> R + Clone + 'static) -> Run {
    solo_with(|builder| builder, main)
}

/// The same with settings of its own.
///
/// # Panics
///
/// As [`solo`].
pub fn solo_with<R: Outcome>(
    settings: impl Fn(Builder) -> Builder,
    main: impl Fn(&Sys) -> R + Clone + 'static,
) -> Run {
    let set_up = |kernel: &mut Kernel| {
        let main = main.clone();
        kernel.spawn("solo", program(move |sys: &Sys| main(sys))).expect("there is room");
    };
    let run = scenario_with(settings, set_up, || Until::Idle);
    let exit = run.exit(1);
    assert!(exit.status.is_success(), "{}: {:?}", exit.status, run.diagnostics);
    run
}

/// Settings with a second CPU, so that one process can act while another is in a burst.
pub fn two_cpus(builder: Builder) -> Builder {
    builder.cpus(2)
}

/// A list that several processes write to, for looking at the order of things.
#[derive(Clone, Debug, Default)]
pub struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    /// Adds a line.
    pub fn add(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// Takes all lines.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// So many milliseconds, as calls take them.
pub const fn ms(millis: u64) -> std::time::Duration {
    std::time::Duration::from_millis(millis)
}

/// The virtual time so many milliseconds after boot.
pub const fn at_ms(millis: u64) -> hothouse::Tick {
    hothouse::Tick::from_nanos(millis * 1_000_000)
}

/// Starts a child whose only name is "child".
///
/// # Panics
///
/// If there is no room for it.
pub fn child<R: Outcome>(sys: &Sys, main: impl FnOnce(&Sys) -> R + 'static) -> Pid {
    sys.spawn("child", main).expect("there is room")
}

/// Waits for a child to end, and passes its failure on.
///
/// # Panics
///
/// If it did not exit with success.
pub fn join(sys: &Sys, pid: Pid) -> Exit {
    let exit = sys.wait(pid, None).expect("it is a child of the caller");
    assert!(exit.status.is_success(), "process {pid} {}", exit.status);
    exit
}

/// Compares text with the file `golden/NAME.txt` beside the suites.
///
/// With `HOTHOUSE_BLESS=1` in the environment the file is written instead: run the suite so, and
/// look at what `git diff` says before it is committed.
///
/// # Panics
///
/// If they differ, or the file cannot be read or written.
pub fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{name}.txt"));
    if std::env::var_os("HOTHOUSE_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, text).expect("golden files can be written");
        return;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let path = path.display();
    assert_eq!(text, known, "{path} differs; HOTHOUSE_BLESS=1 writes it anew");
}
