use std::time::Duration;

use hothouse_abi::{Errno, LockId, Resume};

use super::{Ended, FakeGate};
use crate::{Barrier, Condition, Mutex, Semaphore, Sys};

const L: LockId = LockId::new(4);
const SHORT: Duration = Duration::from_nanos(5);

#[test]
fn a_guard_unlocks_when_it_is_dropped() {
    let gate = FakeGate::new([Resume::Flag(true), Resume::Unit, Resume::Unit]);
    let sys = Sys::new(&gate);
    let guard = Mutex::new(L).lock(&sys).unwrap();
    assert!(guard.owner_died());
    sys.log("held");
    drop(guard);
    assert_eq!(gate.names(), ["lock", "log", "unlock"]);
}

#[test]
fn a_lock_that_failed_unlocks_nothing() {
    let errors = [Errno::EDEADLK, Errno::ETIMEDOUT, Errno::EBUSY].map(Resume::Error);
    let gate = FakeGate::new(errors);
    let sys = Sys::new(&gate);
    assert_eq!(Mutex::new(L).lock(&sys).map(drop), Err(Errno::EDEADLK));
    assert_eq!(Mutex::new(L).lock_timeout(&sys, SHORT).map(drop), Err(Errno::ETIMEDOUT));
    assert_eq!(Mutex::new(L).try_lock(&sys).map(drop), Err(Errno::EBUSY));
    assert_eq!(gate.names(), ["lock", "lock", "try_lock"]);
}

#[test]
fn a_guard_unlocks_while_its_process_unwinds() {
    let gate = FakeGate::new([Resume::Flag(false)]);
    let ended = gate.run(|sys| -> Result<(), Errno> {
        let _guard = Mutex::new(L).lock(sys)?;
        sys.sleep(SHORT)
    });
    assert_eq!(ended, Ended::Unwound);
    assert_eq!(gate.names(), ["lock", "sleep", "unlock"]);
}

#[test]
fn a_condition_waits_with_the_guards_mutex_and_keeps_it() {
    let gate = FakeGate::new([
        Resume::Flag(false),
        Resume::Error(Errno::ETIMEDOUT),
        Resume::Flag(true),
        Resume::Unit,
        Resume::Unit,
        Resume::Unit,
    ]);
    let sys = Sys::new(&gate);
    let condition = Condition::new(LockId::new(9));
    let mut guard = Mutex::new(L).lock(&sys).unwrap();
    assert_eq!(condition.wait_timeout(&mut guard, SHORT), Err(Errno::ETIMEDOUT));
    assert_eq!(condition.wait(&mut guard), Ok(()));
    assert!(guard.owner_died());
    drop(guard);
    condition.notify_one(&sys).unwrap();
    condition.notify_all(&sys).unwrap();
    let expected = [
        "Lock { id: LockId(4), timeout: None }",
        "WaitCondition { id: LockId(9), mutex: LockId(4), timeout: Some(Span(0.000000005)) }",
        "WaitCondition { id: LockId(9), mutex: LockId(4), timeout: None }",
        "Unlock { id: LockId(4) }",
        "Notify { id: LockId(9), all: false }",
        "Notify { id: LockId(9), all: true }",
    ];
    assert_eq!(gate.traps(), expected);
}

#[test]
fn a_permit_is_given_back_once_unless_it_is_kept() {
    let answers = [Resume::Unit, Resume::Unit, Resume::Unit, Resume::Error(Errno::EAGAIN)];
    let gate = FakeGate::new(answers);
    let sys = Sys::new(&gate);
    let semaphore = Semaphore::new(L);
    drop(semaphore.acquire(&sys).unwrap());
    semaphore.acquire_timeout(&sys, SHORT).unwrap().keep();
    assert_eq!(semaphore.try_acquire(&sys).map(drop), Err(Errno::EAGAIN));
    let expected = [
        "Acquire { id: LockId(4), timeout: None }",
        "Release { id: LockId(4), permits: 1 }",
        "Acquire { id: LockId(4), timeout: Some(Span(0.000000005)) }",
        "TryAcquire { id: LockId(4) }",
    ];
    assert_eq!(gate.traps(), expected);
}

#[test]
fn each_kind_is_made_as_asked() {
    let gate = FakeGate::new([L, L, L, L].map(Resume::Lock));
    let sys = Sys::new(&gate);
    assert_eq!(sys.mutex(), Ok(Mutex::new(L)));
    assert_eq!(sys.semaphore(3), Ok(Semaphore::new(L)));
    assert_eq!(sys.condition(), Ok(Condition::new(L)));
    assert_eq!(sys.barrier(2), Ok(Barrier::new(L)));
    let kinds = ["Mutex(None)", "Semaphore(3)", "Condition", "Barrier(2)"];
    assert_eq!(gate.traps(), kinds.map(|kind| format!("CreateLock {{ kind: {kind} }}")));
}
