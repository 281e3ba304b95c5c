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
    let mut peers = bare::PEERS.to_vec();
    #[cfg(feature = "peers")]
    {
        peers.extend(may::PEERS);
        peers.extend(shuttle::PEERS);
        peers.extend(tokio::PEERS);
    }
    peers
}
