//! A supervisor that starts workers again, and a watchdog that kills the one that hangs.
//!
//! One worker fails until its disk is there. Another falls silent; the watchdog notices that its
//! sign of life is missing and kills it. The supervisor starts both again, and returns when all
//! have ended well.

use std::error::Error;
use std::time::Duration;

use crate::{Child, Errno, Filter, GaveUp, Signal, Supervisor, Sys, Tick};

const MS: Duration = Duration::from_millis(1);

/// Supervises a watchdog and two workers.
///
/// # Errors
///
/// [`GaveUp`] if the workers fail more than six times within ten seconds.
pub fn main(sys: &Sys) -> Result<(), GaveUp> {
    Supervisor::new()
        .child(Child::new("watchdog", watch))
        .child(Child::new("writer", write))
        .child(Child::new("poller", poll))
        .give_up_after(6, Duration::from_secs(10))
        .run(sys)?;
    sys.log("all have ended well");
    Ok(())
}

/// Fails for as long as there is no disk.
fn write(sys: &Sys) -> Result<(), Box<dyn Error>> {
    sys.log(format!("runs as {}", sys.getpid()));
    sys.sleep(150 * MS)?;
    if sys.now() < Tick::from_nanos(500_000_000) {
        sys.log("fails: no disk");
        return Err("no disk".into());
    }
    sys.log("has written all");
    Ok(())
}

/// Shows signs of life, then hangs; but not late in the day.
fn poll(sys: &Sys) -> Result<(), Errno> {
    sys.log(format!("runs as {}", sys.getpid()));
    for _ in 0..3 {
        sys.send_service_event("watchdog", "alive", ())?;
        sys.sleep(100 * MS)?;
    }
    if sys.now() < Tick::from_nanos(1_000_000_000) {
        sys.log("hangs");
        sys.sleep(Duration::from_secs(3600))?;
    }
    sys.log("is done");
    sys.send_service_event("watchdog", "done", ())
}

/// Kills whoever has been silent for too long.
fn watch(sys: &Sys) -> Result<(), Errno> {
    sys.register("watchdog")?;
    let mut seen = None;
    loop {
        match sys.receive_event(Filter::any(), Some(250 * MS)) {
            Ok(event) if event.name == "done" => return Ok(()),
            Ok(event) => seen = Some(event.sender),
            Err(Errno::ETIMEDOUT) => {
                if let Some(silent) = seen.take() {
                    sys.log(format!("{silent} is silent: killed"));
                    sys.kill(silent, Signal::SIGKILL)?;
                }
            }
            Err(other) => return Err(other),
        }
    }
}
