use hothouse_abi::{
    Errno, LockId, Name, Pid, Signal, SignalNumber, SignalSet, Span, Tick, TimerId, Value as Data,
};

use crate::raw::{Item, Slot, Stack};
use crate::record::Record;
use crate::{seconds, values};

/// The arguments of a system call made in Lua.
pub(crate) struct Args<'a, 's> {
    pub(crate) stack: &'a mut Stack<'s>,
    pub(crate) record: &'a Record,
}

/// Why no trap was made.
pub(crate) enum Fault {
    /// The answer, a pid or none, is known without one.
    Known(Option<Pid>),
    /// Words that get the caller's place in front.
    Argument(String),
    /// The text of an errno, as the kernel would have said it.
    Errno(Errno),
}

/// A pid that no process ever has, for numbers that can't be one.
const NOBODY: Pid = Pid::new(u64::MAX);

// What is inlined here is read in most calls: 174 of the 4,191 instructions of a message.
impl Args<'_, '_> {
    #[inline(always)]
    fn get(&self, at: usize) -> Item<'_> {
        self.stack.get(Slot::arg(at))
    }

    #[cold]
    fn expected<T>(&self, at: usize, what: &str) -> Result<T, Fault> {
        let got = self.get(at).type_name();
        Err(Fault::Argument(format!("bad argument #{} (expected {what}, got {got})", at + 1)))
    }

    /// The value of a number that is whole; `Some(None)` for one that is not.
    #[inline(always)]
    fn whole(&self, at: usize) -> Option<Option<i64>> {
        match self.get(at) {
            Item::Int(int) => Some(Some(int)),
            Item::Float(float) => Some(Data::Float(float).as_int()),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn pid(&self, at: usize) -> Result<Pid, Fault> {
        match self.whole(at) {
            Some(number) => Ok(number.and_then(|n| u64::try_from(n).ok()).map_or(NOBODY, Pid::new)),
            None => self.expected(at, "number"),
        }
    }

    #[inline(always)]
    pub(crate) fn pid_or_nil(&self, at: usize) -> Result<Option<Pid>, Fault> {
        match self.get(at) {
            Item::Nil => Ok(None),
            Item::Int(_) | Item::Float(_) => self.pid(at).map(Some),
            _ => self.expected(at, "number or nil"),
        }
    }

    pub(crate) fn signal(&self, at: usize) -> Result<SignalNumber, Fault> {
        match self.whole(at) {
            Some(number) => Ok(number.map_or(SignalNumber::INVALID, SignalNumber::from)),
            None => self.expected(at, "number"),
        }
    }

    /// A whole number; a fraction is `EINVAL`.
    pub(crate) fn int(&self, at: usize) -> Result<i64, Fault> {
        match self.whole(at) {
            Some(number) => number.ok_or(Fault::Errno(Errno::EINVAL)),
            None => self.expected(at, "number"),
        }
    }

    pub(crate) fn int_or_nil(&self, at: usize) -> Result<Option<i64>, Fault> {
        match self.get(at) {
            Item::Nil => Ok(None),
            Item::Int(_) | Item::Float(_) => self.int(at).map(Some),
            _ => self.expected(at, "number or nil"),
        }
    }

    pub(crate) fn count(&self, at: usize) -> Result<u64, Fault> {
        u64::try_from(self.int(at)?).map_err(|_| Fault::Errno(Errno::EINVAL))
    }

    pub(crate) fn lock(&self, at: usize) -> Result<LockId, Fault> {
        self.count(at).map(LockId::new)
    }

    pub(crate) fn timer(&self, at: usize) -> Result<TimerId, Fault> {
        self.count(at).map(TimerId::new)
    }

    pub(crate) fn bool(&self, at: usize) -> Result<bool, Fault> {
        match self.get(at) {
            Item::Bool(truth) => Ok(truth),
            Item::Nil => Ok(false),
            _ => self.expected(at, "boolean or nil"),
        }
    }

    #[inline(always)]
    pub(crate) fn name(&self, at: usize) -> Result<Name, Fault> {
        match self.get(at) {
            Item::Bytes(text) => Ok(Name::from(text)),
            _ => self.expected(at, "string"),
        }
    }

    #[inline(always)]
    pub(crate) fn name_or_nil(&self, at: usize) -> Result<Option<Name>, Fault> {
        match self.get(at) {
            Item::Nil => Ok(None),
            Item::Bytes(text) => Ok(Some(Name::from(text))),
            _ => self.expected(at, "string or nil"),
        }
    }

    pub(crate) fn names(&mut self, at: usize) -> Result<Vec<Name>, Fault> {
        self.list(at, |i, item| match item {
            Item::Bytes(text) => Ok(Name::from(text)),
            other => {
                let got = other.type_name();
                Err(Fault::Argument(format!("bad argument #{i} (expected string, got {got})")))
            }
        })
    }

    pub(crate) fn signals(&mut self, at: usize) -> Result<SignalSet, Fault> {
        let signals = self.list(at, |_, item| {
            let number = match item {
                Item::Int(int) => Some(int),
                Item::Float(float) => Data::Float(float).as_int(),
                _ => None,
            };
            number.and_then(Signal::new).ok_or(Fault::Errno(Errno::EINVAL))
        })?;
        Ok(signals.into_iter().collect())
    }

    /// What `read` makes of each item of a list.
    fn list<T>(
        &mut self,
        at: usize,
        read: impl Fn(usize, Item<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        if !matches!(self.get(at), Item::Table) {
            return self.expected(at, "table");
        }
        let list = Slot::arg(at);
        (1..=self.stack.length(list))
            .map(|i| self.stack.item(list, i, |item| read(i, item)))
            .collect()
    }

    #[inline(always)]
    pub(crate) fn data(&mut self, at: usize) -> Result<Data, Fault> {
        values::to_data(self.stack, Slot::arg(at))
            .map_err(|text| Fault::Argument(format!("bad argument #{} ({text})", at + 1)))
    }

    #[inline(always)]
    pub(crate) fn timeout(&self, at: usize) -> Result<Option<Span>, Fault> {
        match self.get(at) {
            Item::Nil => Ok(None),
            _ => self.seconds(at, "number or nil"),
        }
    }

    /// A length of time; one without end is the longest there is.
    pub(crate) fn span(&self, at: usize) -> Result<Span, Fault> {
        Ok(self.seconds(at, "number")?.unwrap_or(Span::MAX))
    }

    pub(crate) fn tick(&self, at: usize) -> Result<Tick, Fault> {
        Ok(Tick::ZERO + self.span(at)?)
    }

    fn seconds(&self, at: usize, what: &str) -> Result<Option<Span>, Fault> {
        let item = self.get(at);
        match (seconds::of_item(item), item) {
            (Some(span), _) => Ok(span),
            (None, Item::Float(_)) => Err(Fault::Argument(format!(
                "bad argument #{} (expected seconds, got NaN)",
                at + 1
            ))),
            (None, _) => self.expected(at, what),
        }
    }

    pub(crate) fn text(&self, at: usize) -> Result<Vec<u8>, Fault> {
        match self.get(at) {
            Item::Bytes(text) => Ok(text.to_vec()),
            _ => self.expected(at, "string"),
        }
    }
}
