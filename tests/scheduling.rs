//! `sched_setattr`, `sched_getattr`, jobs, and what a child inherits.

use std::time::Duration;

use hothouse::{
    Class, CpuSet, Errno, Kernel, Pid, Scheduling, Span, Sys, Tick, Until, policy, program,
};
use hothouse_tests::{Notes, child, join, scenario_with, solo};

const MS: Duration = Duration::from_millis(1);

fn span(ms: u64) -> Option<Span> {
    Some(Span::from_millis(ms))
}

#[test]
fn sched_setattr_is_read_back_and_nice_is_part_of_it() {
    solo(|sys| {
        assert_eq!(sys.sched_getattr(None), Ok(Scheduling::default()));
        let wanted = Scheduling {
            class: Class::Fifo(50),
            nice: -3,
            tickets: Some(7),
            slice: span(2),
            runtime: span(1),
            deadline: span(3),
            period: span(4),
            cpus: [0].into_iter().collect(),
        };
        sys.sched_setattr(None, wanted.clone()).unwrap();
        assert_eq!(sys.sched_getattr(None), Ok(wanted.clone()));
        assert_eq!(sys.getnice(None), Ok(-3));
        sys.nice(4, None).unwrap();
        assert_eq!(sys.sched_getattr(sys.getpid()), Ok(Scheduling { nice: 4, ..wanted }));
    });
}

#[test]
fn sched_setattr_of_what_cannot_be_is_einval_and_changes_nothing() {
    solo(|sys| {
        let normal = Scheduling::default;
        let wrong = [
            Scheduling { nice: 20, ..normal() },
            Scheduling { nice: -21, ..normal() },
            Scheduling { class: Class::Fifo(0), ..normal() },
            Scheduling { class: Class::RoundRobin(100), ..normal() },
            Scheduling { class: Class::Deadline, ..normal() },
            Scheduling { class: Class::Deadline, runtime: span(1), ..normal() },
            Scheduling { class: Class::Deadline, deadline: span(1), ..normal() },
            Scheduling { tickets: Some(0), ..normal() },
            Scheduling { slice: span(0), ..normal() },
            Scheduling { runtime: span(5), deadline: span(4), ..normal() },
            Scheduling { runtime: span(5), period: span(4), ..normal() },
            Scheduling { deadline: span(5), period: span(4), ..normal() },
            Scheduling { cpus: [1].into_iter().collect(), ..normal() },
            Scheduling { cpus: CpuSet::from_iter([]), ..normal() },
        ];
        for wanted in wrong {
            assert_eq!(sys.sched_setattr(None, wanted.clone()), Err(Errno::EINVAL), "{wanted:?}");
            let born = program(|_: &Sys| ()).scheduled(wanted);
            assert_eq!(sys.spawn_program("born", born), Err(Errno::EINVAL));
        }
        assert_eq!(sys.sched_getattr(None), Ok(normal()));
    });
}

#[test]
fn sched_setattr_of_a_missing_process_is_esrch() {
    solo(|sys| {
        let (nobody, wanted) = (Pid::new(99), Scheduling::default());
        assert_eq!(sys.sched_setattr(nobody, wanted), Err(Errno::ESRCH));
        assert_eq!(sys.sched_getattr(nobody), Err(Errno::ESRCH));
    });
}

#[test]
fn sched_setattr_above_the_rest_is_eperm_unless_root() {
    solo(|sys| {
        let root = sys.getpid();
        let pid = child(sys, move |sys| {
            sys.setuser("guest").unwrap();
            let normal = Scheduling::default;
            for wanted in [
                Scheduling { nice: -1, ..normal() },
                Scheduling { class: Class::RoundRobin(1), ..normal() },
                Scheduling {
                    class: Class::Deadline,
                    runtime: span(1),
                    period: span(2),
                    ..normal()
                },
            ] {
                assert_eq!(sys.sched_setattr(None, wanted.clone()), Err(Errno::EPERM));
                let born = program(|_: &Sys| ()).scheduled(wanted);
                assert_eq!(sys.spawn_program("born", born), Err(Errno::EPERM));
            }
            assert_eq!(sys.sched_setattr(root, normal()), Err(Errno::EPERM));
            sys.sched_setattr(None, Scheduling { nice: 3, tickets: Some(9), ..normal() })
        });
        assert!(join(sys, pid).status.is_success());
    });
}

#[test]
fn children_inherit_all_but_what_holds_for_jobs() {
    solo(|sys| {
        let wanted = Scheduling {
            class: Class::Deadline,
            nice: 2,
            tickets: Some(7),
            slice: span(2),
            runtime: span(1),
            period: span(4),
            ..Scheduling::default()
        };
        sys.sched_setattr(None, wanted).unwrap();
        let pid = child(sys, |_| ());
        let seen = sys.sched_getattr(pid).unwrap();
        let left =
            Scheduling { nice: 2, tickets: Some(7), slice: span(2), ..Scheduling::default() };
        assert_eq!(seen, left);
        let own = Scheduling { nice: 11, ..Scheduling::default() };
        let born = sys.spawn_program("born", program(|_: &Sys| ()).scheduled(own.clone()));
        assert_eq!(sys.sched_getattr(born.unwrap()), Ok(own));
    });
}

#[test]
fn begin_job_waits_for_the_release_and_not_for_one_that_has_passed() {
    solo(|sys| {
        let at = |ms| Tick::ZERO + Span::from_millis(ms);
        assert_eq!(sys.end_job(), Err(Errno::EINVAL), "there is none");
        sys.begin_job(at(10), None).unwrap();
        assert_eq!(sys.now(), at(10));
        sys.compute(25 * MS).unwrap();
        sys.begin_job(at(20), at(50)).unwrap();
        assert_eq!(sys.now(), at(35));
        sys.end_job().unwrap();
        assert_eq!(sys.end_job(), Err(Errno::EINVAL), "it is over");
    });
}

/// A process that becomes less urgent than one that is ready gives its CPU up at once.
#[test]
fn nice_of_a_running_process_lets_a_ready_one_run() {
    let run = |log: &Notes| {
        let log = log.clone();
        move |sys: &Sys| {
            let seen = log.clone();
            child(sys, move |_| seen.add("child"));
            log.add("parent");
            sys.nice(5, None).unwrap();
            log.add("parent is done");
        }
    };
    let log = Notes::default();
    scenario_with(
        |builder| builder.policy(Box::new(policy::Prio::default())),
        |kernel: &mut Kernel| {
            log.take();
            kernel.spawn("parent", program(run(&log))).unwrap();
        },
        || Until::Idle,
    );
    assert_eq!(log.take(), ["parent", "child", "parent is done"]);
}

/// Of two that wake at one instant while one CPU is idle, one takes that CPU and the other the one
/// that runs the least urgent.
#[test]
fn two_that_wake_at_once_find_the_idle_cpu_and_the_least_urgent() {
    let log = Notes::default();
    scenario_with(
        |builder| builder.cpus(2).policy(Box::new(policy::Prio::default())),
        |kernel: &mut Kernel| {
            log.take();
            for (name, nice) in [("first", 0), ("second", 0), ("low", 10)] {
                let log = log.clone();
                let main = program(move |sys: &Sys| {
                    if nice == 0 {
                        sys.sleep(5 * MS).unwrap();
                    }
                    sys.compute(20 * MS).unwrap();
                    log.add(format!("{name} {}", sys.now()));
                });
                let scheduling = Scheduling { nice, ..Scheduling::default() };
                kernel.spawn(name, main.scheduled(scheduling)).unwrap();
            }
        },
        || Until::Idle,
    );
    // The second took CPU 0, whose code comes first.
    assert_eq!(log.take(), ["second 0.025000000", "first 0.025000000", "low 0.040000000"]);
}
