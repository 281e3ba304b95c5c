//! The five philosophers again, who eat.
//!
//! The forks are numbered, and everybody takes the one of the lower number first. The last
//! philosopher so begins with the right fork, and no circle of waiting can close.

use std::time::Duration;

use crate::{Errno, Mutex, Sys};

const NAMES: [&str; 5] = ["Ada", "Bertrand", "Conrad", "Dana", "Edsger"];
const MS: Duration = Duration::from_millis(1);

/// Seats the philosophers and waits until they have eaten.
///
/// # Errors
///
/// Those of the calls that it makes.
pub fn main(sys: &Sys) -> Result<(), Errno> {
    let mut forks = Vec::new();
    for _ in NAMES {
        forks.push(sys.mutex()?);
    }
    for (seat, name) in NAMES.into_iter().enumerate() {
        let other = (seat + 1) % NAMES.len();
        let low = forks[seat.min(other)];
        let high = forks[seat.max(other)];
        sys.spawn(name, move |sys| dine(sys, low, high))?;
    }
    for _ in NAMES {
        sys.wait(None, None)?;
    }
    sys.log("all have eaten");
    Ok(())
}

fn dine(sys: &Sys, low: Mutex, high: Mutex) -> Result<(), Errno> {
    sys.log("thinks");
    sys.sleep(10 * MS)?;
    let _low = low.lock(sys)?;
    sys.log("has the first fork");
    sys.sleep(10 * MS)?;
    let _high = high.lock(sys)?;
    sys.log("eats");
    sys.sleep(20 * MS)
}
