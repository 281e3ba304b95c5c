//! The oracle of the signal product: what the contract says of a case.

use hothouse::{Errno, ExitStatus, Signal};

use crate::signal_product::State::*;
use crate::signal_product::{Case, Does, STOPS, Seen, State};

/// What a signal comes to once it is delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    End,
    Stop,
    Nothing,
    Event,
    Handler,
    Interrupt,
}

pub(crate) fn effect(case: Case) -> Effect {
    use Signal::*;
    match (case.signal, case.action) {
        (SIGKILL, _) => Effect::End,
        (SIGSTOP, _) => Effect::Stop,
        (_, Does::Ignore) => Effect::Nothing,
        (_, Does::Event) => Effect::Event,
        (_, Does::Handler) => Effect::Handler,
        (_, Does::Interrupting) => Effect::Interrupt,
        (SIGTSTP | SIGTTIN | SIGTTOU, Does::Default) => Effect::Stop,
        (SIGCHLD | SIGURG | SIGWINCH | SIGCONT, Does::Default) => Effect::Nothing,
        (_, Does::Default) => Effect::End,
    }
}

/// What an undisturbed call of the state returns, and when.
fn undisturbed(state: State) -> (&'static str, u64) {
    match state {
        Ready => ("slept", 10),
        RunningSelf => ("killed", 10),
        Receive | Stopped | InHandler | NextEvent | FilterEvent => ("go", 30),
        Sleep => ("slept", 30),
        Wait => ("exited", 30),
        SigwaitOther => ("other", 30),
        SigwaitSame => ("ETIMEDOUT", 40),
        Call => ("ask", 30),
        Mutex => ("locked", 30),
        Semaphore => ("acquired", 30),
        Condition => ("woken", 30),
        Barrier => ("open", 30),
        Burst => ("computed", 20),
        NotStarted => ("started", 10),
        Exiting | Dead => unreachable!("exit does not return"),
    }
}

/// The oracle: what the contract says of a case.
pub(crate) fn expected(case: Case) -> Seen {
    let Case { state, signal, blocked, .. } = case;
    let killed = (state != RunningSelf).then_some(Ok(()));
    let mut seen = Seen { killed, ..Seen::default() };
    let signaled = |time| Some((ExitStatus::Signaled(signal).to_string(), time));
    match state {
        Dead => {
            seen.killed = Some(Err(Errno::ESRCH));
            seen.end = Some(("exited 7".into(), 0));
            return seen;
        }
        // A signal other than KILL is held while the hooks run.
        Exiting => {
            let killed = signal == Signal::SIGKILL;
            seen.end = if killed { signaled(10) } else { Some(("exited 7".into(), 30)) };
            return seen;
        }
        _ => {}
    }
    // A stopped process acts on its signals when it goes on, which discards pending stops.
    let resumes = if signal == Signal::SIGCONT { 10 } else { 20 };
    let time = if state == Stopped { resumes } else { 10 };
    let effect = match effect(case) {
        _ if state == Stopped && STOPS.has(signal) => Effect::Nothing,
        effect => effect,
    };
    seen.stopped = state == Stopped && signal != Signal::SIGCONT;
    if signal == Signal::SIGKILL {
        seen.stopped = false;
        seen.end = signaled(10);
        return seen;
    }
    if blocked { masked(case, effect, seen) } else { open(case, effect, time, seen) }
}

fn masked(case: Case, effect: Effect, mut seen: Seen) -> Seen {
    let (mut text, mut last) = undisturbed(case.state);
    // POSIX leaves it open whether a signal that is masked and ignored is kept; here it is, so that
    // it waits for sigwait or for the mask like any other.
    if case.state == SigwaitSame {
        (text, last) = ("same", 10);
    } else {
        seen.pending = case.state != Stopped || !STOPS.has(case.signal);
    }
    seen.results.push(format!("{text} at {last} after 0"));
    seen.end = Some(("exited 7".into(), last));
    if !seen.pending {
        return seen;
    }
    match effect {
        Effect::End => seen.end = Some((ExitStatus::Signaled(case.signal).to_string(), last)),
        Effect::Stop => {
            // A stop at 20 comes after the controller has looked, whose CPU has its turn first.
            seen.stopped |= last < 15;
            seen.stopped_late = last >= 20;
            seen.end = Some(("exited 7".into(), if last < 15 { 20 } else { 60 }));
        }
        Effect::Event => seen.events.1 = 1,
        Effect::Handler | Effect::Interrupt => seen.handled.push(last),
        Effect::Nothing => {}
    }
    seen
}

fn open(case: Case, effect: Effect, time: u64, mut seen: Seen) -> Seen {
    let (mut text, mut last) = undisturbed(case.state);
    let waits = !matches!(case.state, Ready | RunningSelf | Burst | NotStarted | InHandler);
    match effect {
        Effect::End => {
            seen.end = Some((ExitStatus::Signaled(case.signal).to_string(), time));
            return seen;
        }
        Effect::Stop => {
            seen.stopped = true;
            last = match case.state {
                Ready | RunningSelf | NotStarted => 20,
                Burst => 30,
                _ => last,
            };
        }
        Effect::Event if case.state == NextEvent => (text, last) = ("signal", time),
        Effect::Event => seen.events.0 = 1,
        Effect::Handler => seen.handled.push(time),
        Effect::Interrupt => {
            seen.handled.push(time);
            if waits {
                seen.results.push(format!("EINTR at {time} after 1"));
            }
        }
        Effect::Nothing => {}
    }
    seen.results.push(format!("{text} at {last} after {}", seen.handled.len()));
    seen.end = Some(("exited 7".into(), last));
    seen
}
