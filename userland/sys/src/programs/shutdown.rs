//! Signals: a server that ends cleanly on SIGTERM, and one that has to be killed.
//!
//! The clean one catches the signal, finishes the job in hand and closes up in an exit hook. The
//! stubborn one ignores it, until its time of grace is over.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::{Action, Errno, Signal, Sys};

const MS: Duration = Duration::from_millis(1);

/// Starts both servers and shuts them down.
///
/// # Errors
///
/// Those of the calls that it makes.
pub fn main(sys: &Sys) -> Result<(), Errno> {
    let servers = [sys.spawn("clean", clean)?, sys.spawn("stubborn", stubborn)?];
    sys.sleep(250 * MS)?;
    for server in servers {
        sys.log(format!("SIGTERM to {server}"));
        sys.kill(server, Signal::SIGTERM)?;
    }
    let deadline = sys.deadline(500 * MS);
    for server in servers {
        let exit = match sys.wait(server, deadline.timeout(sys)) {
            Err(Errno::ETIMEDOUT) => {
                sys.log(format!("{server} is still there: SIGKILL"));
                sys.kill(server, Signal::SIGKILL)?;
                sys.wait(server, None)?
            }
            other => other?,
        };
        sys.log(format!("{server} {}", exit.status));
    }
    Ok(())
}

fn clean(sys: &Sys) -> Result<i32, Errno> {
    let stop = Rc::new(Cell::new(false));
    let seen = stop.clone();
    let on_term = move |sys: &Sys, signal: Signal| {
        sys.log(format!("{signal}: will stop after this job"));
        seen.set(true);
    };
    sys.sigaction(Signal::SIGTERM, Action::handler(on_term))?;
    sys.at_exit(|sys| sys.log("files closed"));

    let mut jobs = 0;
    while !stop.get() {
        sys.sleep(100 * MS)?;
        jobs += 1;
        sys.log(format!("job {jobs} done"));
    }
    sys.log("goodbye");
    Ok(0)
}

fn stubborn(sys: &Sys) -> Result<(), Errno> {
    sys.sigaction(Signal::SIGTERM, Action::Ignore)?;
    sys.at_exit(|sys| sys.log("never seen: SIGKILL runs no hook"));
    loop {
        sys.log("still here");
        sys.sleep(200 * MS)?;
    }
}
