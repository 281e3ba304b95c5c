//! Five philosophers who dine and starve.
//!
//! Each takes the fork on the left, then the one on the right. When all have taken the left one,
//! each waits for a neighbour, in a circle: a deadlock, which the kernel reports with its cycle.
//! `philosophers_mended.rs` has the cure.

use std::time::Duration;

use crate::{Errno, Mutex, Sys};

const NAMES: [&str; 5] = ["Ada", "Bertrand", "Conrad", "Dana", "Edsger"];
const MS: Duration = Duration::from_millis(1);

/// Seats the philosophers and waits for them, in vain.
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
        let left = forks[seat];
        let right = forks[(seat + 1) % NAMES.len()];
        sys.spawn(name, move |sys| dine(sys, left, right))?;
    }
    for _ in NAMES {
        sys.wait(None, None)?;
    }
    sys.log("all have eaten");
    Ok(())
}

fn dine(sys: &Sys, left: Mutex, right: Mutex) -> Result<(), Errno> {
    sys.log("thinks");
    sys.sleep(10 * MS)?;
    let _left = left.lock(sys)?;
    sys.log("has the left fork");
    sys.sleep(10 * MS)?;
    sys.log("wants the right fork");
    let _right = right.lock(sys)?;
    sys.log("eats");
    sys.sleep(20 * MS)
}
