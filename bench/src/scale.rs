//! `bench scale [CASE]`: the agent with a million keys, ten thousand clients and a hundred thousand deadlines, through
//! its sockets, with redis-server beside it in the same run. Each case prints a table with its goals; what misses its
//! goal says so.
//!
//! Not here: the rate of single commands, which `bench resp` measures.

mod background;
mod client;
mod expiry;
mod goal;
mod idle_connections;
mod keys;
mod locks;
mod memory;
mod recovery;
mod reply;
mod sampler;
mod stalls;
mod watchers;

use crate::cases::{self, Case};
use crate::server::Server;

/// Keys of the cases that are about many keys.
const KEYS: usize = 1_000_000;

/// Both servers acknowledge what is on disk, unless a case says otherwise.
const DURABILITY: &str = "always";

const CASES: [Case; 7] = [
    ("memory", memory::run),
    ("recovery", recovery::run),
    ("expiry", expiry::run),
    ("idle-connections", idle_connections::run),
    ("watchers", watchers::run),
    ("stalls", stalls::run),
    ("locks", locks::run),
];

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    cases::run("scale", &CASES, words)
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Adsum,
    Redis,
}

impl Peer {
    fn start(self) -> anyhow::Result<Server> {
        match self {
            Peer::Adsum => Server::agent(&Server::agent_program()?, DURABILITY),
            // Rewriting its log when it has doubled would be measured with whatever runs by then.
            Peer::Redis => Server::redis(
                &[
                    ["--appendonly", "yes"],
                    ["--appendfsync", DURABILITY],
                    ["--auto-aof-rewrite-percentage", "0"],
                    ["--maxclients", "10200"],
                ]
                .concat(),
            ),
        }
    }
}
