//! Other runtimes, each restricted to one thread, doing the work of the rows.

mod bare;
#[cfg(feature = "peers")]
mod may;
#[cfg(feature = "peers")]
mod shuttle;
#[cfg(feature = "peers")]
mod tokio;

use hothouse::bench::Peer;

/// Everything that peers do.
pub fn all() -> Vec<Peer> {
    [
        &bare::PEERS[..],
        #[cfg(feature = "peers")]
        &may::PEERS,
        #[cfg(feature = "peers")]
        &shuttle::PEERS,
        #[cfg(feature = "peers")]
        &tokio::PEERS,
    ]
    .concat()
}
