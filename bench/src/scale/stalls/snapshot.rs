//! Snapshots on demand. An agent writes one by itself when its journal has grown, so it is made to grow; redis-server
//! is told BGSAVE.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::server::Server;

use super::super::Peer;
use super::super::client::Client;

/// Between two looks at the files of the server.
const POLL: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the value that makes a journal grow.
const VALUE: usize = 1024 * 1024;
/// Writes of it at most.
const WRITES: usize = 1000;

/// A snapshot that is being written.
pub(crate) struct Running {
    begin: Instant,
    peer: Peer,
    /// The finished ones that were there before.
    before: Vec<String>,
}

/// The finished snapshots of an agent.
pub(crate) fn files(server: &Server) -> Vec<String> {
    let mut files = names(server);
    files.retain(|name| name.ends_with(".snap"));
    files
}

pub(crate) fn begin(server: &Server, peer: Peer) -> anyhow::Result<Running> {
    let before = files(server);
    let mut client = Client::open(server.resp())?;
    match peer {
        Peer::Redis => drop(client.ask(&["BGSAVE"])?),
        Peer::Adsum => {
            let value = "v".repeat(VALUE);
            let mut writes = 0;
            while files(server) == before && !names(server).iter().any(|name| is_unfinished(name)) {
                anyhow::ensure!(
                    writes < WRITES,
                    "no snapshot is begun after {writes} writes of {VALUE} bytes"
                );
                client.ask(&["SET", "large", &value])?;
                writes += 1;
            }
        }
    }
    Ok(Running { begin: Instant::now(), peer, before })
}

impl Running {
    /// Waits for its end. How long it took to be written.
    pub(crate) fn finish(self, server: &Server) -> anyhow::Result<Duration> {
        while !self.is_done(server)? {
            anyhow::ensure!(
                self.begin.elapsed() < PATIENCE,
                "the snapshot does not end: {:?}",
                names(server)
            );
            sleep(POLL);
        }
        Ok(self.begin.elapsed())
    }

    fn is_done(&self, server: &Server) -> anyhow::Result<bool> {
        Ok(match self.peer {
            Peer::Adsum => files(server).iter().any(|name| !self.before.contains(name)),
            Peer::Redis => {
                // Looked at less often: asking is work for the server.
                sleep(POLL * 10);
                let info = Client::open(server.resp())?.ask(&["INFO", "persistence"])?;
                let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
                info.contains("rdb_bgsave_in_progress:0")
            }
        })
    }
}

fn is_unfinished(name: &str) -> bool {
    name.starts_with("snapshot-") && !name.ends_with(".snap")
}

/// Of all files in the server's data, in no order.
fn names(server: &Server) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![server.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => names.extend(entry.file_name().into_string().ok()),
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_is_being_written_has_another_ending() {
        assert!(is_unfinished("snapshot-00000000000000ff.snap.tmp"));
        assert!(!is_unfinished("snapshot-00000000000000ff.snap") && !is_unfinished("journal-0.log"));
    }
}
