//! A pipeline with back-pressure: a fast producer, a filter and a slow consumer.
//!
//! Mailboxes would take all that the producer makes. A semaphore with three places bounds what is
//! under way: the producer takes a place for each item, the consumer gives it back.

use std::time::Duration;

use crate::{Errno, Filter, Pid, Semaphore, Sys, Value};

const ITEMS: i64 = 8;
const PLACES: u64 = 3;
const MS: Duration = Duration::from_millis(1);

/// Starts the three stages and waits for the last.
///
/// # Errors
///
/// Those of the calls that it makes.
pub fn main(sys: &Sys) -> Result<(), Errno> {
    let places = sys.semaphore(PLACES)?;
    let consumer = sys.spawn("consumer", move |sys| consume(sys, places))?;
    let filter = sys.spawn("filter", move |sys| double(sys, consumer))?;
    sys.spawn("producer", move |sys| produce(sys, filter, places))?;
    for _ in 0..3 {
        sys.wait(None, None)?;
    }
    sys.log(format!("done, with never more than {PLACES} items under way"));
    Ok(())
}

/// Makes an item every 10 ms, if there is a place for it.
fn produce(sys: &Sys, next: Pid, places: Semaphore) -> Result<(), Errno> {
    for item in 1..=ITEMS {
        sys.compute(10 * MS)?;
        match places.try_acquire(sys) {
            Ok(place) => place.keep(),
            Err(Errno::EAGAIN) => {
                let full = sys.now();
                places.acquire(sys)?.keep();
                let waited = (sys.now() - full).duration().as_millis();
                sys.log(format!("waited {waited} ms for a place"));
            }
            Err(other) => return Err(other),
        }
        sys.log(format!("made {item}"));
        sys.send_event(next, "item", item)?;
    }
    sys.send_event(next, "item", ())
}

/// Doubles each item.
fn double(sys: &Sys, next: Pid) -> Result<(), Errno> {
    loop {
        let item = sys.receive_event(Filter::name("item"), None)?.data;
        let doubled = item.as_int().map(|n| n * 2);
        sys.send_event(next, "item", doubled)?;
        if item == Value::Nil {
            return Ok(());
        }
    }
}

/// Uses an item up every 100 ms.
fn consume(sys: &Sys, places: Semaphore) -> Result<(), Errno> {
    while let Some(item) = sys.receive_event(Filter::name("item"), None)?.data.as_int() {
        sys.sleep(100 * MS)?;
        sys.log(format!("used {item}"));
        places.release(sys, 1)?;
    }
    Ok(())
}
