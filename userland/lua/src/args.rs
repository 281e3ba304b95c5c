use hothouse_abi::{
    Errno, LockId, Name, Pid, Signal, SignalNumber, SignalSet, Span, Tick, TimerId, Value as Data,
};
use mlua::Value;

use crate::record::Record;
use crate::{seconds, values};

/// The arguments of a system call made in Lua.
pub(crate) struct Args<'a> {
    pub(crate) values: [Value; 4],
    pub(crate) record: &'a Record,
}

/// Why no trap was made.
pub(crate) enum Fault {
    /// Words that get the caller's place in front.
    Argument(String),
    /// The text of an errno, as the kernel would have said it.
    Errno(Errno),
}

/// A pid that no process ever has, for numbers that can't be one.
const NOBODY: Pid = Pid::new(u64::MAX);

impl Args<'_> {
    fn expected<T>(&self, at: usize, what: &str) -> Result<T, Fault> {
        let got = values::type_name(&self.values[at]);
        Err(Fault::Argument(format!("bad argument #{} (expected {what}, got {got})", at + 1)))
    }

    fn is_nil(&self, at: usize) -> bool {
        self.values[at].is_nil()
    }

    /// The value of a number that is whole; `Some(None)` for one that is not.
    fn whole(&self, at: usize) -> Option<Option<i64>> {
        match self.values[at] {
            Value::Integer(int) => Some(Some(int)),
            Value::Number(float) => Some(Data::Float(float).as_int()),
            _ => None,
        }
    }

    pub(crate) fn pid(&self, at: usize) -> Result<Pid, Fault> {
        match self.whole(at) {
            Some(number) => Ok(number.and_then(|n| u64::try_from(n).ok()).map_or(NOBODY, Pid::new)),
            None => self.expected(at, "number"),
        }
    }

    pub(crate) fn pid_or_nil(&self, at: usize) -> Result<Option<Pid>, Fault> {
        if self.is_nil(at) {
            return Ok(None);
        }
        self.pid(at).map(Some).or_else(|_| self.expected(at, "number or nil"))
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
        match self.values[at] {
            Value::Nil => Ok(None),
            Value::Integer(_) | Value::Number(_) => self.int(at).map(Some),
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
        match self.values[at] {
            Value::Boolean(truth) => Ok(truth),
            Value::Nil => Ok(false),
            _ => self.expected(at, "boolean or nil"),
        }
    }

    pub(crate) fn name(&self, at: usize) -> Result<Name, Fault> {
        match &self.values[at] {
            Value::String(text) => Ok(Name::from(&text.as_bytes()[..])),
            _ => self.expected(at, "string"),
        }
    }

    pub(crate) fn name_or_nil(&self, at: usize) -> Result<Option<Name>, Fault> {
        if self.is_nil(at) {
            return Ok(None);
        }
        self.name(at).map(Some).or_else(|_| self.expected(at, "string or nil"))
    }

    pub(crate) fn names(&self, at: usize) -> Result<Vec<Name>, Fault> {
        let Value::Table(table) = &self.values[at] else {
            return self.expected(at, "table");
        };
        let mut names = Vec::new();
        for i in 1..=table.raw_len() {
            match table.raw_get::<Value>(i) {
                Ok(Value::String(text)) => names.push(Name::from(&text.as_bytes()[..])),
                Ok(other) => {
                    let got = values::type_name(&other);
                    return Err(Fault::Argument(format!(
                        "bad argument #{i} (expected string, got {got})"
                    )));
                }
                Err(error) => return Err(Fault::Argument(error.to_string())),
            }
        }
        Ok(names)
    }

    pub(crate) fn signals(&self, at: usize) -> Result<SignalSet, Fault> {
        let Value::Table(table) = &self.values[at] else {
            return self.expected(at, "table");
        };
        (1..=table.raw_len())
            .map(|i| {
                let number = table.raw_get::<i64>(i).ok();
                number.and_then(Signal::new).ok_or(Fault::Errno(Errno::EINVAL))
            })
            .collect()
    }

    pub(crate) fn data(&self, at: usize) -> Result<Data, Fault> {
        values::to_data(&self.values[at])
            .map_err(|text| Fault::Argument(format!("bad argument #{} ({text})", at + 1)))
    }

    pub(crate) fn timeout(&self, at: usize) -> Result<Option<Span>, Fault> {
        if self.is_nil(at) {
            return Ok(None);
        }
        self.seconds(at, "number or nil")
    }

    /// A length of time; one without end is the longest there is.
    pub(crate) fn span(&self, at: usize) -> Result<Span, Fault> {
        Ok(self.seconds(at, "number")?.unwrap_or(Span::MAX))
    }

    pub(crate) fn tick(&self, at: usize) -> Result<Tick, Fault> {
        Ok(Tick::ZERO + self.span(at)?)
    }

    fn seconds(&self, at: usize, what: &str) -> Result<Option<Span>, Fault> {
        match (seconds::of_value(&self.values[at]), &self.values[at]) {
            (Some(span), _) => Ok(span),
            (None, Value::Number(_)) => Err(Fault::Argument(format!(
                "bad argument #{} (expected seconds, got NaN)",
                at + 1
            ))),
            (None, _) => self.expected(at, what),
        }
    }

    pub(crate) fn text(&self, at: usize) -> Result<Vec<u8>, Fault> {
        match &self.values[at] {
            Value::String(text) => Ok(text.as_bytes().to_vec()),
            _ => self.expected(at, "string"),
        }
    }
}
