use std::fmt;
use std::str::FromStr;

use bitflags::bitflags;

use crate::Errno;

macro_rules! signals {
    ($($name:ident = $number:literal, $doc:literal;)*) => {
        /// The standard signals, under Linux names and numbers.
        ///
        /// ```
        /// use hothouse_abi::Signal;
        /// assert_eq!(Signal::SIGTERM.number(), 15);
        /// assert_eq!(Signal::new(15), Some(Signal::SIGTERM));
        /// assert_eq!(Signal::new(32), None);
        /// assert_eq!("TERM".parse(), Ok(Signal::SIGTERM));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Signal {
            $(#[doc = $doc] $name = $number,)*
        }

        impl Signal {
            /// All 31, lowest first.
            pub const ALL: [Signal; 31] = [$(Signal::$name,)*];

            /// The name, such as `"SIGTERM"`.
            pub const fn name(self) -> &'static str {
                match self { $(Signal::$name => stringify!($name),)* }
            }
        }

        bitflags! {
            /// A set of signals: a mask, or what is pending.
            ///
            /// ```
            /// use hothouse_abi::{Signal, SignalSet};
            /// let set = SignalSet::SIGINT | SignalSet::SIGTERM;
            /// assert!(set.contains(Signal::SIGTERM.into()));
            /// assert_eq!(set.lowest(), Some(Signal::SIGINT));
            /// ```
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
            pub struct SignalSet: u32 {
                $(#[doc = $doc] const $name = 1 << $number;)*
            }
        }
    };
}

signals! {
    SIGHUP = 1, "Hangup.";
    SIGINT = 2, "Interrupt from the keyboard.";
    SIGQUIT = 3, "Quit; logs where the process was.";
    SIGILL = 4, "Illegal instruction.";
    SIGTRAP = 5, "Breakpoint.";
    SIGABRT = 6, "Abort; logs where the process was.";
    SIGBUS = 7, "Bad memory access.";
    SIGFPE = 8, "Arithmetic fault.";
    SIGKILL = 9, "Ends the process at once; neither caught, masked nor ignored.";
    SIGUSR1 = 10, "For the user.";
    SIGSEGV = 11, "Invalid memory reference or stack overflow.";
    SIGUSR2 = 12, "For the user.";
    SIGPIPE = 13, "Broken pipe.";
    SIGALRM = 14, "Alarm clock.";
    SIGTERM = 15, "Termination request.";
    SIGSTKFLT = 16, "Coprocessor stack fault, unused.";
    SIGCHLD = 17, "Child changed; the kernel itself never sends it.";
    SIGCONT = 18, "Continues a stopped process.";
    SIGSTOP = 19, "Stops the process; neither caught, masked nor ignored.";
    SIGTSTP = 20, "Stop typed at the terminal.";
    SIGTTIN = 21, "Terminal input from the background.";
    SIGTTOU = 22, "Terminal output from the background.";
    SIGURG = 23, "Urgent data.";
    SIGXCPU = 24, "CPU time limit exceeded.";
    SIGXFSZ = 25, "File size limit exceeded.";
    SIGVTALRM = 26, "Virtual alarm clock.";
    SIGPROF = 27, "Profiling timer.";
    SIGWINCH = 28, "Window size changed.";
    SIGIO = 29, "Input or output is possible.";
    SIGPWR = 30, "Power failure.";
    SIGSYS = 31, "Bad system call.";
}

impl Signal {
    /// The signal with this number, if there is one.
    pub fn new(number: i64) -> Option<Signal> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Signal::ALL.get(index).copied()
    }

    /// The Linux number, 1 to 31.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether a program may catch, mask or ignore it: false for `SIGKILL` and `SIGSTOP`.
    pub const fn is_catchable(self) -> bool {
        !matches!(self, Signal::SIGKILL | Signal::SIGSTOP)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Accepts `SIGTERM`, `TERM` (in any case) and `15`.
impl FromStr for Signal {
    type Err = Errno;

    /// # Errors
    ///
    /// `EINVAL` if there is no such signal.
    fn from_str(text: &str) -> Result<Self, Errno> {
        if let Ok(number) = text.parse::<i64>() {
            return Signal::new(number).ok_or(Errno::EINVAL);
        }
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        Signal::ALL.into_iter().find(|signal| &signal.name()[3..] == short).ok_or(Errno::EINVAL)
    }
}

impl SignalSet {
    /// The signals that no mask can hold back.
    pub const UNMASKABLE: SignalSet = SignalSet::SIGKILL.union(SignalSet::SIGSTOP);

    /// The signal of the lowest number in the set.
    pub fn lowest(self) -> Option<Signal> {
        Signal::new(i64::from(self.bits().trailing_zeros()))
    }

    /// The signals in the set, lowest first.
    pub fn signals(self) -> impl Iterator<Item = Signal> {
        let mut left = self;
        std::iter::from_fn(move || {
            let signal = left.lowest()?;
            left.remove(signal.into());
            Some(signal)
        })
    }

    /// Whether the set has this signal.
    #[inline]
    pub fn has(self, signal: Signal) -> bool {
        self.contains(signal.into())
    }
}

impl From<Signal> for SignalSet {
    #[inline]
    fn from(signal: Signal) -> Self {
        SignalSet::from_bits_retain(1 << signal.number())
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        signals.into_iter().fold(SignalSet::empty(), |set, signal| set | signal.into())
    }
}

/// A signal number as a program gave it, not yet checked. The kernel checks it once, at the edge.
///
/// ```
/// use hothouse_abi::{Errno, Signal, SignalNumber};
/// assert_eq!(SignalNumber::from(15).check(), Ok(Some(Signal::SIGTERM)));
/// assert_eq!(SignalNumber::from(0).check(), Ok(None));
/// assert_eq!(SignalNumber::from(-1).check(), Err(Errno::EINVAL));
/// assert_eq!(SignalNumber::from(32).check(), Err(Errno::EINVAL));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalNumber(i64);

impl SignalNumber {
    /// A number that is no signal's, for what is no number at all (a fraction, NaN).
    pub const INVALID: SignalNumber = SignalNumber(-1);

    /// The signal; `None` for 0, which only asks whether the target may be signalled.
    ///
    /// # Errors
    ///
    /// `EINVAL` outside 0..=31.
    pub fn check(self) -> Result<Option<Signal>, Errno> {
        match self.0 {
            0 => Ok(None),
            number => Signal::new(number).map(Some).ok_or(Errno::EINVAL),
        }
    }
}

impl From<i64> for SignalNumber {
    fn from(number: i64) -> Self {
        SignalNumber(number)
    }
}

impl From<i32> for SignalNumber {
    fn from(number: i32) -> Self {
        SignalNumber(number.into())
    }
}

impl From<Signal> for SignalNumber {
    fn from(signal: Signal) -> Self {
        SignalNumber(signal.number().into())
    }
}

/// What `sigprocmask` does with the set it is given.
///
/// Source: POSIX.1-2017, `sigprocmask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskHow {
    /// Adds the set to the mask.
    Block,
    /// Takes the set out of the mask.
    Unblock,
    /// Makes the set the mask.
    Set,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_bits_agree() {
        for (i, signal) in Signal::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(signal.number()), i + 1);
            assert_eq!(Signal::new(i as i64 + 1), Some(signal));
            assert_eq!(signal.name().parse(), Ok(signal));
            assert_eq!(SignalSet::from(signal).lowest(), Some(signal));
            assert_eq!(SignalSet::from_name(signal.name()), Some(signal.into()));
        }
        assert_eq!(SignalSet::all().bits(), !1);
    }

    #[test]
    fn an_empty_set_has_no_lowest() {
        assert_eq!(SignalSet::empty().lowest(), None);
    }
}
