//! Nodes that elect a leader, and a new one when it falls silent.
//!
//! The leader sends heartbeats. A node that misses them asks all nodes of higher rank; if one
//! answers, it stands back, else it leads. So the highest node alive leads in the end (the bully
//! algorithm: Garcia-Molina 1982, "Elections in a distributed computing system").

use std::time::Duration;

use crate::{Deadline, Errno, Filter, Signal, Sys, Tick};

const NODES: i64 = 4;
const END: Deadline = Deadline::at(Tick::from_nanos(2_500_000_000));
const MS: Duration = Duration::from_millis(1);

/// Starts the nodes and kills two leaders, one after the other.
///
/// # Errors
///
/// Those of the calls that it makes.
pub fn main(sys: &Sys) -> Result<(), Errno> {
    for rank in 1..=NODES {
        sys.spawn(node_name(rank), move |sys| follow(sys, rank))?;
    }
    for rank in [NODES, NODES - 1] {
        sys.sleep(1000 * MS)?;
        let leader = sys.lookup(node_name(rank)).ok_or(Errno::ENOENT)?;
        sys.log(format!("kills {}", node_name(rank)));
        sys.kill(leader, Signal::SIGKILL)?;
    }
    for _ in 0..NODES {
        sys.wait(None, None)?;
    }
    Ok(())
}

fn node_name(rank: i64) -> String {
    format!("node{rank}")
}

/// Waits for heartbeats, lower nodes with less patience, and calls for an election without them.
fn follow(sys: &Sys, rank: i64) -> Result<(), Errno> {
    sys.register(node_name(rank))?;
    let patience = (300 + 50 * rank as u32) * MS;
    loop {
        match sys.receive_event(Filter::any(), Some(patience.min(END.left(sys)))) {
            Ok(event) if event.name == "election" => {
                sys.log(format!("answers node{}", event.data));
                // The one that asked may be dead by now.
                let _ = sys.send_event(event.sender, "answer", rank);
            }
            Ok(_) => continue,
            Err(Errno::ETIMEDOUT) if END.has_passed(sys) => return Ok(()),
            Err(Errno::ETIMEDOUT) => sys.log("hears no leader"),
            Err(other) => return Err(other),
        }
        if wins(sys, rank) {
            lead(sys, rank);
        }
    }
}

/// Asks the nodes of higher rank; true if none answers.
fn wins(sys: &Sys, rank: i64) -> bool {
    let ask = |higher| sys.send_service_event(node_name(higher), "election", rank).is_ok();
    let asked = (rank + 1..=NODES).filter(|&higher| ask(higher)).count();
    asked == 0 || sys.filter_event(["answer", "heartbeat"], Some(100 * MS)).is_err()
}

/// Sends heartbeats, and an early one to whoever calls for an election.
fn lead(sys: &Sys, rank: i64) {
    sys.log("leads");
    while !END.has_passed(sys) {
        for other in (1..=NODES).filter(|&other| other != rank) {
            // Dead nodes hear nothing.
            let _ = sys.send_service_event(node_name(other), "heartbeat", rank);
        }
        let _ = sys.receive_event(Filter::name("election"), Some(200 * MS));
    }
}
