//! CLUSTER, as a Redis answers that is none: clients that ask take us for a single server then, which is right, since
//! any node answers for all keys.

use crate::command::{Call, Command, NONE};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("asking", 1, NONE, refuse),
    Command::server("readonly", 1, NONE, refuse),
    Command::server("readwrite", 1, NONE, refuse),
    Command::container(
        "cluster",
        &[
            plain("cluster|info", 2),
            plain("cluster|nodes", 2),
            plain("cluster|slots", 2),
            plain("cluster|shards", 2),
            plain("cluster|links", 2),
            plain("cluster|myid", 2),
            plain("cluster|keyslot", 3),
            plain("cluster|countkeysinslot", 3),
            plain("cluster|getkeysinslot", 4),
            plain("cluster|addslots", -3),
            plain("cluster|addslotsrange", -4),
            plain("cluster|bumpepoch", 2),
            plain("cluster|count-failure-reports", 3),
            plain("cluster|delslots", -3),
            plain("cluster|delslotsrange", -4),
            plain("cluster|failover", -2),
            plain("cluster|flushslots", 2),
            plain("cluster|forget", 3),
            plain("cluster|meet", -4),
            plain("cluster|replicas", 3),
            plain("cluster|replicate", 3),
            plain("cluster|reset", -2),
            plain("cluster|saveconfig", 2),
            plain("cluster|set-config-epoch", 3),
            plain("cluster|setslot", -4),
            plain("cluster|slaves", 3),
        ],
    ),
];

const fn plain(name: &'static str, arity: i32) -> Command {
    Command::server(name, arity, NONE, refuse)
}

fn refuse(_: &mut Call<'_>) -> Answer {
    Err(Refusal::Says("This instance has cluster support disabled"))
}
