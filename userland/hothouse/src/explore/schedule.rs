//! A run as a list of answers, and as a string that can be kept and given back.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use rustc_hash::FxHasher;
use xxhash_rust::xxh3::xxh3_64;

use crate::Choice;

/// What every schedule string begins with. The digit is the version of the format.
const PREFIX: &str = "hh1.";
const CHECKSUM: usize = 4;

/// The answers of one run, with what is needed to repeat it.
///
/// Its [`Display`](fmt::Display) and [`FromStr`] are the schedule string: versioned and with a
/// checksum.
///
/// ```
/// use hothouse::explore::Schedule;
/// let schedule = Schedule::default();
/// assert_eq!(schedule.to_string().parse::<Schedule>()?, schedule);
/// assert!("hh9.AAAA".parse::<Schedule>().is_err());
/// # Ok::<(), hothouse::explore::ScheduleError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The seed of the machine's streams.
    pub seed: u64,
    /// Whether the processes share no memory.
    pub isolated: bool,
    /// The program and its arguments, or nothing.
    pub words: Vec<String>,
    /// The answers, in order.
    pub decisions: Vec<Decision>,
}

/// The answer to one choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// What was asked.
    pub kind: Kind,
    /// The answer.
    pub answer: u64,
    /// A hash of the question, by which a changed program is noticed.
    pub question: u8,
}

/// The kind of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// What happens next.
    Next,
    /// A fault.
    Fault,
    /// An input.
    Input,
}

impl Kind {
    pub(super) fn of(choice: &Choice<'_>) -> Kind {
        match choice {
            Choice::Next { .. } => Kind::Next,
            Choice::Fault { .. } => Kind::Fault,
            Choice::Input { .. } => Kind::Input,
        }
    }
}

/// What was asked, in one byte.
pub(super) fn question(choice: &Choice<'_>) -> u8 {
    let mut hasher = FxHasher::default();
    match choice {
        Choice::Next { candidates, .. } => {
            for candidate in *candidates {
                (candidate.pid.number(), candidate.step).hash(&mut hasher);
            }
        }
        Choice::Fault { pid, what, last } => (pid.number(), *what, *last).hash(&mut hasher),
        Choice::Input { pid, last, .. } => (pid.number(), *last).hash(&mut hasher),
    }
    (hasher.finish() >> 32) as u8
}

/// Why a string is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It begins with something else.
    #[error(
        "a schedule begins with \"{PREFIX}\", but this one does not; copy the whole string that \
         `hothouse explore` printed with this version"
    )]
    Version,
    /// It has a character that no schedule has.
    #[error(
        "column {column} of the schedule is no letter, digit, \"-\" or \"_\"; copy the whole string"
    )]
    Character {
        /// Where, from 1.
        column: usize,
    },
    /// Its checksum is not that of its text.
    #[error("the schedule was cut off or changed: its checksum is wrong; copy the whole string")]
    Checksum,
    /// It ends too soon or has too much.
    #[error("the schedule's checksum is right, but it can't be read at byte {at}")]
    Form {
        /// Where, from 0.
        at: usize,
    },
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(16 + 2 * self.decisions.len());
        put(&mut bytes, self.seed);
        bytes.push(self.isolated.into());
        put(&mut bytes, self.words.len() as u64);
        for word in &self.words {
            put(&mut bytes, word.len() as u64);
            bytes.extend_from_slice(word.as_bytes());
        }
        put(&mut bytes, self.decisions.len() as u64);
        for decision in &self.decisions {
            // Two bits for the kind, the rest for the answer if it is small.
            let small = decision.answer.min(63) as u8;
            bytes.extend([small << 2 | decision.kind as u8, decision.question]);
            if small == 63 {
                put(&mut bytes, decision.answer);
            }
        }
        bytes.extend_from_slice(&checksum(&bytes));
        write!(f, "{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        let body = text.trim().strip_prefix(PREFIX).ok_or(ScheduleError::Version)?;
        let bytes = BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|error| match error.kind {
            data_encoding::DecodeKind::Symbol => {
                ScheduleError::Character { column: PREFIX.len() + error.position + 1 }
            }
            _ => ScheduleError::Checksum,
        })?;
        let at = bytes.len().checked_sub(CHECKSUM).ok_or(ScheduleError::Checksum)?;
        let (bytes, sum) = bytes.split_at(at);
        if checksum(bytes) != sum {
            return Err(ScheduleError::Checksum);
        }
        let mut reader = Reader { bytes, at: 0 };
        let schedule = reader.schedule();
        schedule.filter(|_| reader.at == bytes.len()).ok_or(ScheduleError::Form { at: reader.at })
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    (xxh3_64(bytes) as u32).to_le_bytes()
}

/// A number in groups of seven bits, lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn schedule(&mut self) -> Option<Schedule> {
        let seed = self.number()?;
        let isolated = match self.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let words = (0..self.count()?).map(|_| self.word()).collect::<Option<_>>()?;
        let decisions = (0..self.count()?).map(|_| self.decision()).collect::<Option<_>>()?;
        Some(Schedule { seed, isolated, words, decisions })
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// How many of something follow: each takes a byte at least.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.bytes.len() - self.at).then_some(count)
    }

    fn word(&mut self) -> Option<String> {
        let end = self.count()? + self.at;
        let word = String::from_utf8(self.bytes[self.at..end].to_vec()).ok()?;
        self.at = end;
        Some(word)
    }

    fn decision(&mut self) -> Option<Decision> {
        let (first, question) = (self.byte()?, self.byte()?);
        let kind = match first & 3 {
            0 => Kind::Next,
            1 => Kind::Fault,
            2 => Kind::Input,
            _ => return None,
        };
        let answer = if first >> 2 == 63 { self.number()? } else { u64::from(first >> 2) };
        Some(Decision { kind, answer, question })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedules() -> impl Strategy<Value = Schedule> {
        let kinds = prop::sample::select(vec![Kind::Next, Kind::Fault, Kind::Input]);
        let answers = prop_oneof![0u64..100, any::<u64>()];
        let decision = (kinds, answers, any::<u8>())
            .prop_map(|(kind, answer, question)| Decision { kind, answer, question });
        let words = prop::collection::vec(any::<String>(), 0..4);
        (any::<u64>(), any::<bool>(), words, prop::collection::vec(decision, 0..50)).prop_map(
            |(seed, isolated, words, decisions)| Schedule { seed, isolated, words, decisions },
        )
    }

    proptest! {
        #[test]
        fn a_schedule_comes_back_from_its_string(schedule in schedules()) {
            prop_assert_eq!(schedule.to_string().parse::<Schedule>(), Ok(schedule));
        }

        #[test]
        fn a_changed_character_is_noticed(schedule in schedules(), at: prop::sample::Index) {
            let text = schedule.to_string();
            let at = PREFIX.len() + at.index(text.len() - PREFIX.len());
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            prop_assert_ne!(changed.parse::<Schedule>(), Ok(schedule));
        }

        #[test]
        fn no_text_is_too_bad(text: String, body: Vec<u8>) {
            let _ = text.parse::<Schedule>();
            let _ = format!("{PREFIX}{text}").parse::<Schedule>();
            let mut body = body;
            body.extend_from_slice(&checksum(&body));
            let _ = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&body)).parse::<Schedule>();
        }
    }

    #[test]
    fn errors_say_where() {
        assert_eq!("hh1.AA*A".parse::<Schedule>(), Err(ScheduleError::Character { column: 7 }));
        assert_eq!("hh1.".parse::<Schedule>(), Err(ScheduleError::Checksum));
        assert_eq!("xyz".parse::<Schedule>(), Err(ScheduleError::Version));
    }
}
