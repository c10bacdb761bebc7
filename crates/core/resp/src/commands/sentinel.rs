//! SENTINEL: where the master is, for clients that are configured to ask a sentinel. It is always here.
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>
//!
//! A client is sent to the address at which it has reached us. Asked by name, every name is that of the master; asked for
//! all masters, there is one with the name that is usual.

use crate::Writer;
use crate::command::{Call, Command, Flags, NO_SCRIPT};
use crate::refusal::Answer;

pub(super) const COMMANDS: &[Command] = &[Command::container(
    "sentinel",
    &[
        Command::server("sentinel|get-master-addr-by-name", 3, FLAGS, get_master_addr_by_name),
        Command::server("sentinel|masters", 2, FLAGS, masters),
        Command::server("sentinel|master", 3, FLAGS, master),
        Command::server("sentinel|replicas", 3, FLAGS, nobody),
        Command::server("sentinel|slaves", 3, FLAGS, nobody),
        Command::server("sentinel|sentinels", 3, FLAGS, nobody),
        Command::server("sentinel|ckquorum", 3, FLAGS, ckquorum),
        Command::server("sentinel|myid", 2, FLAGS, myid),
    ],
)];

const FLAGS: Flags = NO_SCRIPT;

/// The name that most configurations have.
const NAME: &str = "mymaster";

/// Host and port at which the client has reached us.
pub(super) fn address(call: &Call<'_>) -> (String, String) {
    let own = (String::from("127.0.0.1"), call.server.about.port.to_string());
    let local = call.session.client.local.rsplit_once(':');
    local.map_or(own, |(host, port)| (host.trim_matches(['[', ']']).to_owned(), port.to_owned()))
}

fn get_master_addr_by_name(call: &mut Call<'_>) -> Answer {
    let (host, port) = address(call);
    call.out.array(2);
    call.out.text(&host);
    call.out.text(&port);
    Ok(())
}

fn masters(call: &mut Call<'_>) -> Answer {
    call.out.array(1);
    describe(call, NAME.as_bytes());
    Ok(())
}

fn master(call: &mut Call<'_>) -> Answer {
    describe(call, call.args[2]);
    Ok(())
}

fn describe(call: &mut Call<'_>, name: &[u8]) {
    let (host, port) = address(call);
    let run_id = call.server.about.run_id.clone();
    let fields = [
        ("ip", host.as_str()),
        ("port", &port),
        ("runid", &run_id),
        ("flags", "master"),
        ("link-pending-commands", "0"),
        ("link-refcount", "1"),
        ("last-ping-sent", "0"),
        ("last-ok-ping-reply", "0"),
        ("last-ping-reply", "0"),
        ("down-after-milliseconds", "30000"),
        ("info-refresh", "0"),
        ("role-reported", "master"),
        ("role-reported-time", "0"),
        ("config-epoch", "0"),
        ("num-slaves", "0"),
        ("num-other-sentinels", "0"),
        ("quorum", "1"),
        ("failover-timeout", "180000"),
        ("parallel-syncs", "1"),
    ];
    let out: &mut Writer<'_> = &mut call.out;
    out.map(fields.len() + 1);
    out.text("name");
    out.bulk(name);
    for (field, value) in fields {
        out.text(field);
        out.text(value);
    }
}

/// There are no replicas, and no sentinels but this one.
fn nobody(call: &mut Call<'_>) -> Answer {
    call.out.array(0);
    Ok(())
}

fn ckquorum(call: &mut Call<'_>) -> Answer {
    call.out.simple("OK 1 usable Sentinels. Quorum and failover authorization can be reached");
    Ok(())
}

fn myid(call: &mut Call<'_>) -> Answer {
    call.out.text(&call.server.about.run_id);
    Ok(())
}
