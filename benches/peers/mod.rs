//! Other runtimes, each restricted to one thread, doing the work of the rows.

mod bare;
#[cfg(feature = "peers")]
mod counter;
#[cfg(feature = "peers")]
mod customers;
#[cfg(feature = "peers")]
mod madsim;
#[cfg(feature = "peers")]
mod may;
#[cfg(feature = "peers")]
mod nexosim;
#[cfg(feature = "peers")]
mod shuttle;
#[cfg(feature = "peers")]
mod tokio;

use std::collections::BTreeMap;

use hothouse::bench::Peer;

/// What peers do of the rows that are wanted. Madsim, which takes a build of its own, is left out
/// where it can't be built, and the user told so.
pub fn all(wanted: impl Fn(&str) -> bool) -> Vec<Peer> {
    let mut peers = [
        &bare::PEERS[..],
        #[cfg(feature = "peers")]
        &madsim::PEERS,
        #[cfg(feature = "peers")]
        &may::PEERS,
        #[cfg(feature = "peers")]
        &nexosim::PEERS,
        #[cfg(feature = "peers")]
        &shuttle::PEERS,
        #[cfg(feature = "peers")]
        &tokio::PEERS,
    ]
    .concat();
    peers.retain(|peer| wanted(peer.row));
    #[cfg(feature = "peers")]
    if peers.iter().any(|peer| peer.name == madsim::NAME)
        && let Err(problem) = madsim::program()
    {
        eprintln!("madsim is not measured, for it can't be built: {problem}");
        peers.retain(|peer| peer.name != madsim::NAME);
    }
    peers
}

/// The version of each peer by its name.
pub fn versions(peers: &[Peer]) -> BTreeMap<&'static str, &'static str> {
    const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let version = |name: &str| {
        let package = LOCK.split("[[package]]").find(|package| {
            package.trim_start().lines().next() == Some(&format!("name = \"{name}\""))
        });
        package.and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
    };
    peers.iter().map(|peer| (peer.name, version(peer.name).unwrap_or("unknown"))).collect()
}
