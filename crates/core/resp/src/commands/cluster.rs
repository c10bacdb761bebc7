//! CLUSTER, as a Redis answers that is none: clients that ask take us for a single server then, which is right, since
//! any node answers for all keys.

use crate::command::{ADMIN, Call, Command, FAST, NO_SCRIPT};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("asking", 1, FAST, refuse),
    Command::server("readonly", 1, FAST, refuse),
    Command::server("readwrite", 1, FAST, refuse),
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
            admin("cluster|addslots", -3),
            admin("cluster|addslotsrange", -4),
            admin("cluster|bumpepoch", 2),
            admin("cluster|count-failure-reports", 3),
            admin("cluster|delslots", -3),
            admin("cluster|delslotsrange", -4),
            admin("cluster|failover", -2),
            admin("cluster|flushslots", 2),
            admin("cluster|forget", 3),
            admin("cluster|meet", -4),
            admin("cluster|replicas", 3),
            admin("cluster|replicate", 3),
            admin("cluster|reset", -2),
            admin("cluster|saveconfig", 2),
            admin("cluster|set-config-epoch", 3),
            admin("cluster|setslot", -4),
            admin("cluster|slaves", 3),
        ],
    ),
];

const fn plain(name: &'static str, arity: i32) -> Command {
    Command::server(name, arity, FAST, refuse)
}

const fn admin(name: &'static str, arity: i32) -> Command {
    Command::server(name, arity, ADMIN.and(NO_SCRIPT), refuse)
}

fn refuse(_: &mut Call<'_>) -> Answer {
    Err(Refusal::Says("This instance has cluster support disabled"))
}
