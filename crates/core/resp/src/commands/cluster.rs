//! CLUSTER. <https://redis.io/docs/latest/commands/cluster-slots/>
//!
//! Unless we are to be taken for a cluster it is answered as by a Redis that is none: some clients look by themselves
//! whether there is one, and would then refuse what a cluster cannot do, like a command on keys of two slots. Otherwise
//! the cluster is this one node, which has all slots; a client is sent to the address at which it has reached us.

use super::sentinel::address;
use crate::command::{Call, Command, NONE};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("asking", 1, NONE, agree),
    Command::server("readonly", 1, NONE, agree),
    Command::server("readwrite", 1, NONE, agree),
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

const SLOTS: u16 = 16_384;
const NO_CLUSTER: Refusal = Refusal::Says("This instance has cluster support disabled");

const fn plain(name: &'static str, arity: i32) -> Command {
    Command::server(name, arity, NONE, cluster)
}

/// What asks for leave to read or to write here: it is there.
fn agree(call: &mut Call<'_>) -> Answer {
    if !call.server.about.cluster {
        return Err(NO_CLUSTER);
    }
    call.out.ok();
    Ok(())
}

fn cluster(call: &mut Call<'_>) -> Answer {
    if !call.server.about.cluster {
        return Err(NO_CLUSTER);
    }
    match call.args[1].to_ascii_lowercase().as_slice() {
        b"info" => info(call),
        b"nodes" => nodes(call),
        b"slots" => slots(call),
        b"shards" => shards(call),
        b"links" => call.out.array(0),
        b"myid" => call.out.text(&call.server.about.run_id),
        b"keyslot" => call.out.count(slot(call.args[2]).into()),
        b"replicas" | b"slaves" if call.args[2] == call.server.about.run_id.as_bytes() => call.out.array(0),
        b"replicas" | b"slaves" => {
            let node = String::from_utf8_lossy(call.args[2]);
            return Err(Refusal::Told(format!("ERR Unknown node {node}")));
        }
        _ => {
            return Err(Refusal::Says(
                "the cluster is this one node, with all slots: nothing of it can be changed",
            ));
        }
    }
    Ok(())
}

fn info(call: &mut Call<'_>) {
    let fields = [
        ("cluster_state", "ok"),
        ("cluster_slots_assigned", "16384"),
        ("cluster_slots_ok", "16384"),
        ("cluster_slots_pfail", "0"),
        ("cluster_slots_fail", "0"),
        ("cluster_known_nodes", "1"),
        ("cluster_size", "1"),
        ("cluster_current_epoch", "1"),
        ("cluster_my_epoch", "1"),
        ("cluster_stats_messages_sent", "0"),
        ("cluster_stats_messages_received", "0"),
    ];
    call.out.verbatim(&fields.map(|(name, value)| format!("{name}:{value}\r\n")).concat());
}

fn nodes(call: &mut Call<'_>) {
    let (host, port) = address(call);
    let (id, last) = (&call.server.about.run_id, SLOTS - 1);
    call.out.verbatim(&format!("{id} {host}:{port}@{port} myself,master - 0 0 1 connected 0-{last}\n"));
}

fn slots(call: &mut Call<'_>) {
    let (host, port) = address(call);
    call.out.array(1);
    call.out.array(3);
    call.out.integer(0);
    call.out.count((SLOTS - 1).into());
    call.out.array(4);
    call.out.text(&host);
    call.out.count(port.parse().unwrap_or_default());
    call.out.text(&call.server.about.run_id);
    call.out.array(0);
}

fn shards(call: &mut Call<'_>) {
    let (host, port) = address(call);
    let out = &mut call.out;
    out.array(1);
    out.map(2);
    out.text("slots");
    out.array(2);
    out.integer(0);
    out.count((SLOTS - 1).into());
    out.text("nodes");
    out.array(1);
    out.map(7);
    for (name, value) in [
        ("id", call.server.about.run_id.as_str()),
        ("ip", &host),
        ("endpoint", &host),
        ("role", "master"),
        ("health", "online"),
    ] {
        out.text(name);
        out.text(value);
    }
    for (name, value) in [("port", port.parse().unwrap_or_default()), ("replication-offset", 0)] {
        out.text(name);
        out.count(value);
    }
}

/// That of a key, or of what stands in its first braces. <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model>
fn slot(key: &[u8]) -> u16 {
    let find =
        |from: usize, wanted: u8| key[from..].iter().position(|byte| *byte == wanted).map(|at| from + at);
    let open = find(0, b'{').map(|at| at + 1);
    let tag =
        open.and_then(|open| find(open, b'}').filter(|close| *close > open).map(|close| &key[open..close]));
    checksum(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn checksum(bytes: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x1021;
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| {
            sum << 1 ^ if sum >> 15 == 1 { POLYNOMIAL } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_that_of_the_key_or_of_what_is_in_its_braces() {
        // The check value of the specification.
        assert_eq!(checksum(b"123456789"), 0x31C3);
        for (key, expected) in
            [("foo", 12182), ("bar", 5061), ("", 0), ("user{foo}x", 12182), ("{foo}{bar}", 12182)]
        {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
        for whole in ["foo{}bar", "foo{bar", "}foo{"] {
            assert_eq!(slot(whole.as_bytes()), checksum(whole.as_bytes()) % SLOTS, "{whole}");
        }
    }
}
