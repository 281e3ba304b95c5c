//! `hothouse-madsim ROW COUNT` does that much work of a row on madsim, checks it, and prints the
//! nanoseconds of an operation. Built without `--cfg madsim` it does nothing.

#[cfg(madsim)]
#[path = "../peers/counter.rs"]
mod counter;
#[cfg(madsim)]
#[path = "../peers/customers.rs"]
mod customers;
#[cfg(madsim)]
mod rows;

#[cfg(madsim)]
fn main() {
    let mut args = std::env::args().skip(1);
    let (row, count) = (args.next(), args.next().and_then(|count| count.parse().ok()));
    let (Some(row), Some(count)) = (row, count) else { panic!("usage: hothouse-madsim ROW COUNT") };
    println!("{}", rows::measure(&row, count));
}

#[cfg(not(madsim))]
fn main() {}
