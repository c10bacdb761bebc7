//! What a server tells of itself.

use adsum_keyspace::Now;

/// Fixed for the life of the process.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Of Adsum.
    pub version: String,
    pub node: String,
    /// 40 hexadecimal digits, new with every start.
    pub run_id: String,
    pub port: u16,
    pub process_id: u32,
    pub started: Now,
    /// Of all choices by lot (RANDOMKEY).
    pub seed: u64,
    pub max_clients: usize,
    /// Whether clients are told of a cluster of this one node.
    pub cluster: bool,
    /// Fills bytes with what nobody can guess, for ACL GENPASS. Whether it was to be had.
    pub random: Option<fn(&mut [u8]) -> bool>,
}

impl About {
    /// As INFO and HELLO name it.
    pub(crate) fn mode(&self) -> &'static str {
        if self.cluster { "cluster" } else { "standalone" }
    }
}

/// What the process knows and INFO shows. Whoever can measure it reports it now and then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vitals {
    /// Resident bytes.
    pub memory: u64,
    pub peak_memory: u64,
    /// Processor time in milliseconds.
    pub cpu_system: u64,
    pub cpu_user: u64,
    /// Bytes of the journal.
    pub journal: u64,
    /// Unix time in milliseconds of the last snapshot; 0 before the first.
    pub last_snapshot: u64,
}
