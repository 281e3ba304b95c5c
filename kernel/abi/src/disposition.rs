/// What the kernel does when a signal is delivered.
///
/// The handler itself lives in userland; the kernel only knows that there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Action {
    /// What the process's [`Personality`](crate::Personality) says.
    #[default]
    Default,
    /// Nothing.
    Ignore,
    /// An event `signal` with data `{signal = n}` and sender 0.
    Event,
    /// The process runs its handler, on its own stack.
    Handler,
}

/// An [`Action`] with its flag.
///
/// ```
/// use hothouse_abi::{Action, Disposition};
/// assert_eq!(Disposition::default().action, Action::Default);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Disposition {
    /// What happens on delivery.
    pub action: Action,
    /// `INTERRUPT`: a call that was parked when the handler ran returns `EINTR`, instead of going
    /// on with its first deadline.
    pub interrupt: bool,
}

impl From<Action> for Disposition {
    fn from(action: Action) -> Self {
        Disposition { action, interrupt: false }
    }
}
