//! A service and its clients: register, lookup, request, reply.
//!
//! The service is late, so that the clients look it up in vain at first. It then answers one
//! request at a time; the others queue in its mailbox.

use std::time::Duration;

use crate::{Errno, Filter, Pid, Sys};

const CLIENTS: i64 = 3;
const MS: Duration = Duration::from_millis(1);

/// Starts the service and its clients, and stops it when they are done.
///
/// # Errors
///
/// Those of the calls that it makes.
pub fn main(sys: &Sys) -> Result<(), Errno> {
    let server = sys.spawn("squares", serve)?;
    let mut clients = Vec::new();
    for number in 1..=CLIENTS {
        clients.push(sys.spawn(format!("client{number}"), move |sys| ask(sys, number))?);
    }
    for client in clients {
        sys.wait(client, None)?;
    }
    sys.send_event(server, "stop", ())?;
    let exit = sys.wait(server, None)?;
    sys.log(format!("the service {}", exit.status));
    Ok(())
}

/// Answers requests until it is told to stop; its exit value is how many there were.
fn serve(sys: &Sys) -> Result<i32, Errno> {
    sys.sleep(250 * MS)?;
    sys.register("squares")?;
    sys.log("registered");
    let mut answered = 0;
    loop {
        let request = sys.receive_event(Filter::any(), None)?;
        if request.name == "stop" {
            return Ok(answered);
        }
        sys.compute(20 * MS)?;
        sys.reply(&request, request.data.as_int().map(|n| n * n))?;
        answered += 1;
    }
}

/// Finds the service and asks it twice.
fn ask(sys: &Sys, number: i64) -> Result<(), Errno> {
    let server = find(sys, "squares")?;
    for n in [number, number + 10] {
        let reply = sys.call(server, "square", n, Some(Duration::from_secs(1)))?;
        sys.log(format!("the square of {n} is {}", reply.data));
    }
    Ok(())
}

fn find(sys: &Sys, service: &str) -> Result<Pid, Errno> {
    loop {
        if let Some(pid) = sys.lookup(service) {
            return Ok(pid);
        }
        sys.log(format!("no {service} yet"));
        sys.sleep(200 * MS)?;
    }
}
