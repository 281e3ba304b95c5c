//! Kernels as values: refused, side by side, dropped; and what programs say about their run.

use hothouse::{Captured, End, ExitStatus, Filter, Kernel, Limits, Pid, RunError, Sys, program};
use hothouse_tests::{Notes, at_ms, ms, scenario, solo_with};

fn forever(sys: &Sys) {
    loop {
        let _ = sys.receive_event(Filter::any(), None);
    }
}

#[test]
fn stacks_that_the_host_has_no_room_for_are_a_run_error() {
    let limits = Limits { stack_bytes: 1 << 40, processes: 1 << 30, ..Limits::default() };
    let Err(error) = Kernel::builder().limits(limits).build() else { panic!("it has room") };
    assert!(matches!(error, RunError::Stacks(_)), "{error}");
    assert!(error.to_string().contains("lower the limits"), "{error}");
}

#[test]
fn kernels_side_by_side_do_not_know_of_one_another() {
    let run = |kernels: usize| {
        let mut kernels: Vec<_> = (0..kernels)
            .map(|_| {
                let builder = Kernel::builder().console(Captured::default());
                let mut kernel = builder.hash(true).build().unwrap();
                let main = program(|sys| {
                    let child = sys.spawn("panics", |sys| {
                        sys.sleep(ms(2)).unwrap();
                        panic!("on purpose")
                    });
                    let exit = sys.wait(child.unwrap(), None).unwrap();
                    assert!(matches!(exit.status, ExitStatus::Panicked(_)));
                    sys.random() as i64
                });
                kernel.spawn("init", main).unwrap();
                kernel
            })
            .collect();
        let mut ends = 0;
        while ends < kernels.len() {
            ends = kernels.iter_mut().filter_map(Kernel::step).count();
        }
        let outcome = |kernel: &Kernel| {
            let report = kernel.report();
            (report.hash, report.exit(Pid::new(1)).unwrap().status.clone())
        };
        kernels.iter().map(outcome).collect::<Vec<_>>()
    };
    let alone = run(1);
    assert_eq!(run(3), [&alone[..], &alone, &alone].concat());
}

#[test]
fn kernel_that_is_dropped_unwinds_its_processes() {
    struct Guard(Notes);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.add("unwound");
        }
    }
    let notes = Notes::default();
    let mut kernel = Kernel::builder().console(Captured::default()).build().unwrap();
    for _ in 0..2 {
        let guard = Guard(notes.clone());
        let main = program(move |sys| {
            let _guard = guard;
            forever(sys);
        });
        kernel.spawn("p", main).unwrap();
    }
    // One has run, the other has not.
    assert!(kernel.step().is_none());
    drop(kernel);
    assert_eq!(notes.take(), ["unwound", "unwound"]);
}

#[test]
fn kill_all_tells_what_they_were_doing_and_leaves_the_kernel_usable() {
    let mut kernel = Kernel::builder().console(Captured::default()).build().unwrap();
    let spawner = program(|sys| {
        struct Spawns<'a>(&'a Sys<'a>);
        impl Drop for Spawns<'_> {
            fn drop(&mut self) {
                self.0.spawn("late", |_| ()).unwrap();
            }
        }
        let _spawns = Spawns(sys);
        forever(sys);
    });
    kernel.spawn("spawner", spawner).unwrap();
    assert!(matches!(kernel.run(), End::Deadlock(_)));
    let left = kernel.kill_all();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].state.word(), "waiting");
    assert!(kernel.processes().is_empty());
    let next = kernel.spawn("next", program(|sys| sys.sleep(ms(3)))).unwrap();
    assert!(matches!(kernel.run_until(hothouse::Until::Ended(next)), End::Done));
    assert_eq!(kernel.now(), at_ms(3));
}

#[test]
fn unrepeatable_is_noted_once_with_its_first_reason() {
    let run = scenario(|kernel| {
        let main = program(|sys| {
            assert!(!sys.unrepeatable("it asked the weather"));
            assert!(!sys.unrepeatable("again"));
        });
        kernel.spawn("init", main).unwrap();
    });
    assert!(run.exit(1).status.is_success(), "{}", run.exit(1).status);
    assert_eq!(run.report.unrepeatable.as_deref(), Some("it asked the weather"));
    assert_eq!(run.diagnostics.len(), 1);
}

#[test]
fn unrepeatable_is_an_error_to_the_program_where_runs_must_repeat() {
    solo_with(
        |builder| builder.repeatable(true),
        |sys| assert!(sys.unrepeatable("it asked the weather")),
    );
}

#[test]
fn diagnose_is_kept_apart_from_the_console() {
    let run = scenario(|kernel| {
        let main = program(|sys| {
            sys.log("to the console");
            sys.diagnose("about the program");
        });
        kernel.spawn("init", main).unwrap();
    });
    assert_eq!(run.lines, ["[0.000000000] 1 init: to the console"]);
    assert_eq!(run.diagnostics, ["[0.000000000] 1 init: about the program"]);
}
