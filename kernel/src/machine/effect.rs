//! What a signal does to a process.

use hothouse_abi::{Action, Disposition, Personality, Signal};

use super::process::Process;

/// What a signal does to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    End,
    Stop,
    Ignore,
    Event,
    Handler { interrupt: bool },
}

impl Process {
    /// What `signal` does: what the process said, or what its personality says.
    pub(crate) fn disposition(&self, signal: Signal) -> Disposition {
        let set = self.rare.as_deref().and_then(|rare| {
            rare.dispositions.iter().find(|(of, _)| *of == signal).map(|(_, what)| *what)
        });
        set.unwrap_or_default()
    }

    /// What `signal` would do now.
    pub(crate) fn effect(&self, signal: Signal) -> Effect {
        let Disposition { action, interrupt } = self.disposition(signal);
        match action {
            Action::Default => default_effect(self.personality, signal),
            Action::Ignore => Effect::Ignore,
            Action::Event => Effect::Event,
            Action::Handler => Effect::Handler { interrupt },
        }
    }

    pub(crate) fn set_disposition(&mut self, signal: Signal, to: Disposition) {
        let dispositions = &mut self.rare().dispositions;
        dispositions.retain(|(of, _)| *of != signal);
        if to.action != Action::Default {
            dispositions.push((signal, to));
        }
    }
}

/// The default action of a signal under a personality. What continues does so before its action
/// is looked at, so `SIGCONT` is ignored here.
///
/// Source: POSIX.1-2017, `<signal.h>`; for Phoenix, the table in the docs of the Lua API.
fn default_effect(personality: Personality, signal: Signal) -> Effect {
    use Signal::*;
    match (personality, signal) {
        (_, SIGCONT) => Effect::Ignore,
        (_, SIGSTOP | SIGTTIN | SIGTTOU) => Effect::Stop,
        (_, SIGHUP | SIGINT | SIGQUIT | SIGTRAP | SIGABRT | SIGKILL | SIGPIPE | SIGTERM) => {
            Effect::End
        }
        (Personality::Phoenix, _) => Effect::Event,
        (Personality::Posix, SIGTSTP) => Effect::Stop,
        (Personality::Posix, SIGCHLD | SIGURG | SIGWINCH) => Effect::Ignore,
        (Personality::Posix, _) => Effect::End,
    }
}
