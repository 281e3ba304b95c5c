//! Drives a policy by the order of calls that the trait promises, for its property tests.

use hothouse_abi::{Pid, Span, Tick};
use proptest::prelude::*;

use super::{CpuId, Pick, Policy, Reason, Running, Stop, Task, TaskId};

const TASKS: u32 = 8;

/// What was done to the policy.
pub(super) enum Op {
    Enqueue(Task, Reason),
    Dequeue(Task),
    /// The nice level changed; whether the task is queued.
    Changed(Task, bool),
    /// A CPU asked, and this was the answer.
    Pick(Option<Pick>),
}

/// One step that is tried: which kind, on which task, with which nice level and reason.
pub(super) type Attempt = (u8, u32, i8, usize);

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Away,
    Queued,
    Running,
}

pub(super) fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    prop::collection::vec((0..8u8, 0..TASKS, -20..20i8, 0..4usize), 0..200)
}

pub(super) fn task(id: u32, nice: i8) -> Task {
    Task { nice, ..Task::new(TaskId(id), Pid::new(u64::from(id) + 1)) }
}

pub(super) fn running(cpu: u32, id: u32, nice: i8) -> Running {
    Running { cpu: CpuId(cpu), task: task(id, nice), ran: Span::ZERO }
}

/// Makes the calls, tells `check` each of them, and ends by picking all that is queued.
pub(super) fn drive(policy: &mut dyn Policy, attempts: &[Attempt], mut check: impl FnMut(Op)) {
    let now = Tick::ZERO;
    let cpu = CpuId(0);
    let mut places = [Place::Away; TASKS as usize];
    let mut nices = [0i8; TASKS as usize];
    for &(kind, id, nice, reason) in attempts {
        let index = id as usize;
        let subject = task(id, nices[index]);
        match (kind, places[index]) {
            (0..=2, Place::Away) => {
                let reason = [Reason::New, Reason::Wakeup, Reason::Continued][reason % 3];
                policy.enqueue(&subject, reason, now);
                places[index] = Place::Queued;
                check(Op::Enqueue(subject, reason));
            }
            (0..=2, Place::Running) => {
                let (stop, reason) = [
                    (Stop::SliceEnd, Reason::SliceEnd),
                    (Stop::Preempted, Reason::Preempted),
                    (Stop::Yield, Reason::Yield),
                    (Stop::Burst, Reason::Burst),
                ][reason];
                policy.put_prev(&subject, cpu, Span::ZERO, stop, now);
                policy.enqueue(&subject, reason, now);
                places[index] = Place::Queued;
                check(Op::Enqueue(subject, reason));
            }
            (3, Place::Queued) => {
                policy.dequeue(&subject, now);
                places[index] = Place::Away;
                check(Op::Dequeue(subject));
            }
            (3, Place::Running) => {
                policy.put_prev(&subject, cpu, Span::ZERO, Stop::Ended, now);
                policy.forget(subject.id);
                places[index] = Place::Away;
            }
            (4, place) => {
                nices[index] = nice;
                let queued = place == Place::Queued;
                policy.changed(&task(id, nice), queued, now);
                check(Op::Changed(task(id, nice), queued));
            }
            (5..=7, _) => {
                let pick = policy.pick_next(cpu, now);
                if let Some(pick) = pick {
                    places[pick.task.0 as usize] = Place::Running;
                }
                check(Op::Pick(pick));
            }
            _ => {}
        }
    }
    for _ in 0..=TASKS {
        check(Op::Pick(policy.pick_next(cpu, now)));
    }
}
