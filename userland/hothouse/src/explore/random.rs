//! Uniform choice. It finds what many schedules show, and needs no knowledge of the program.

use super::search::Search;
use crate::{Choice, Stream, StreamKind};

/// One fault in so many chances.
const RARITY: u64 = 16;

/// Draws each answer from a stream of the run's own.
pub(super) struct Random {
    seed: u64,
    run: u64,
    stream: Stream,
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random { seed, run: 0, stream: stream(seed, 0) }
    }
}

/// The stream of one run under a seed.
pub(super) fn stream(seed: u64, run: u64) -> Stream {
    Stream::derive(seed, StreamKind::Exploration, run)
}

/// A fault or an input, as the random strategies choose it.
pub(super) fn draw(stream: &mut Stream, choice: &Choice<'_>) -> u64 {
    match choice {
        Choice::Fault { last, .. } if stream.below(RARITY) == 0 => 1 + stream.below(*last),
        Choice::Fault { .. } => 0,
        Choice::Next { .. } | Choice::Input { .. } => match choice.last().checked_add(1) {
            Some(count) => stream.below(count),
            None => stream.next_u64(),
        },
    }
}

impl Search for Random {
    fn begin(&mut self) -> bool {
        self.stream = stream(self.seed, self.run);
        self.run += 1;
        true
    }

    fn choose(&mut self, choice: &Choice<'_>) -> u64 {
        draw(&mut self.stream, choice)
    }
}
