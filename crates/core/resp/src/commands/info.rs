//! INFO: the sections and fields that clients and monitoring read. <https://redis.io/docs/latest/commands/info/>

use std::fmt::Write as _;

use adsum_keyspace::{Database, Now};

use crate::Server;
use crate::command::{Call, Command, Flags, READ};
use crate::refusal::{Answer, check_names};
use crate::subscriptions::To;

pub(super) const COMMANDS: &[Command] = &[Command::server("info", -1, FLAGS, info)];

const FLAGS: Flags = READ;

/// The version of Redis whose commands clients may expect.
pub(super) const REDIS_VERSION: &str = "7.2.4";

type Fields<'s> = Vec<(&'s str, String)>;
type Section = (&'static str, fn(&Server, Now) -> Fields<'_>);

const SECTIONS: [Section; 11] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Modules", |_, _| Vec::new()),
    ("Errorstats", errorstats),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
];

fn info(call: &mut Call<'_>) -> Answer {
    check_names(&call.args[1..])?;
    let wanted: Vec<String> =
        call.args[1..].iter().map(|name| String::from_utf8_lossy(name).to_lowercase()).collect();
    let all =
        wanted.is_empty() || wanted.iter().any(|name| ["all", "default", "everything"].contains(&&**name));
    let sections = SECTIONS.iter().filter(|(name, _)| all || wanted.contains(&name.to_lowercase()));
    let texts: Vec<String> =
        sections.map(|(name, fields)| text(name, &fields(call.server, call.now))).collect();
    call.out.verbatim(&texts.join("\r\n"));
    Ok(())
}

fn text(name: &str, fields: &Fields<'_>) -> String {
    let mut text = format!("# {name}\r\n");
    for (field, value) in fields {
        let _ = write!(text, "{field}:{value}\r\n");
    }
    text
}

fn server(server: &Server, now: Now) -> Fields<'_> {
    let about = &server.about;
    let uptime = now.wall.saturating_sub(about.started.wall) / 1000;
    vec![
        ("redis_version", REDIS_VERSION.to_owned()),
        ("redis_mode", about.mode().to_owned()),
        ("adsum_version", about.version.clone()),
        ("adsum_node", about.node.clone()),
        ("os", std::env::consts::OS.to_owned()),
        ("arch_bits", usize::BITS.to_string()),
        ("process_id", about.process_id.to_string()),
        ("run_id", about.run_id.clone()),
        ("tcp_port", about.port.to_string()),
        ("server_time_usec", (now.wall * 1000).to_string()),
        ("uptime_in_seconds", uptime.to_string()),
        ("uptime_in_days", (uptime / 86_400).to_string()),
    ]
}

fn clients(server: &Server, _: Now) -> Fields<'_> {
    let clients = server.clients.by_id.values();
    let subscribed = clients.filter(|client| client.subscriptions() > 0).count();
    vec![
        ("connected_clients", server.connected().to_string()),
        ("maxclients", server.about.max_clients.to_string()),
        ("blocked_clients", (server.waiters.len() + server.readers.len()).to_string()),
        ("tracking_clients", server.tracking.clients().to_string()),
        ("pubsub_clients", subscribed.to_string()),
    ]
}

fn memory(server: &Server, _: Now) -> Fields<'_> {
    let vitals = server.vitals;
    vec![
        ("used_memory", vitals.memory.to_string()),
        ("used_memory_human", human(vitals.memory)),
        ("used_memory_rss", vitals.memory.to_string()),
        ("used_memory_rss_human", human(vitals.memory)),
        ("used_memory_peak", vitals.peak_memory.to_string()),
        ("used_memory_peak_human", human(vitals.peak_memory)),
        ("maxmemory", "0".to_owned()),
        ("maxmemory_human", "0B".to_owned()),
        ("maxmemory_policy", "noeviction".to_owned()),
    ]
}

fn human(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..1_048_576 => format!("{:.2}K", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.2}M", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2}G", bytes as f64 / 1_073_741_824.0),
    }
}

fn persistence(server: &Server, _: Now) -> Fields<'_> {
    let vitals = server.vitals;
    vec![
        ("loading", "0".to_owned()),
        ("async_loading", "0".to_owned()),
        ("rdb_bgsave_in_progress", "0".to_owned()),
        ("rdb_last_save_time", (last_save(server) / 1000).to_string()),
        ("rdb_last_bgsave_status", "ok".to_owned()),
        ("aof_enabled", "1".to_owned()),
        ("aof_rewrite_in_progress", "0".to_owned()),
        ("aof_rewrite_scheduled", "0".to_owned()),
        ("aof_last_rewrite_time_sec", "-1".to_owned()),
        ("aof_current_rewrite_time_sec", "-1".to_owned()),
        ("aof_last_bgrewrite_status", "ok".to_owned()),
        ("aof_last_write_status", "ok".to_owned()),
        ("aof_current_size", vitals.journal.to_string()),
        ("adsum_revision", server.revision().to_string()),
    ]
}

/// As in Redis the start counts as one. In milliseconds of the wall clock.
pub(super) fn last_save(server: &Server) -> u64 {
    server.vitals.last_snapshot.max(server.about.started.wall)
}

/// What has to do with replicas, forks and eviction stays 0, as there are none.
fn stats(server: &Server, _: Now) -> Fields<'_> {
    let stats = &server.stats;
    vec![
        ("total_connections_received", (server.clients.ever() - stats.connections_before).to_string()),
        ("total_commands_processed", stats.commands.to_string()),
        ("total_net_repl_input_bytes", "0".to_owned()),
        ("total_net_repl_output_bytes", "0".to_owned()),
        ("sync_full", "0".to_owned()),
        ("sync_partial_ok", "0".to_owned()),
        ("sync_partial_err", "0".to_owned()),
        ("expired_keys", stats.expired.to_string()),
        ("evicted_keys", "0".to_owned()),
        ("evicted_clients", "0".to_owned()),
        ("pubsub_channels", server.subscriptions.len(To::Channel).to_string()),
        ("pubsub_patterns", server.subscriptions.len(To::Pattern).to_string()),
        ("pubsubshard_channels", server.subscriptions.len(To::Shard).to_string()),
        ("latest_fork_usec", "0".to_owned()),
        ("total_forks", "0".to_owned()),
        ("migrate_cached_sockets", "0".to_owned()),
        ("slave_expires_tracked_keys", "0".to_owned()),
        ("tracking_total_keys", server.tracking.keys().to_string()),
        ("tracking_total_items", server.tracking.pairs().to_string()),
        ("tracking_total_prefixes", server.tracking.prefixes().to_string()),
        ("total_error_replies", stats.errors.all().to_string()),
    ]
}

fn replication(server: &Server, _: Now) -> Fields<'_> {
    vec![
        ("role", "master".to_owned()),
        ("connected_slaves", "0".to_owned()),
        ("master_failover_state", "no-failover".to_owned()),
        ("master_replid", server.about.run_id.clone()),
        ("master_replid2", "0".repeat(40)),
        ("master_repl_offset", "0".to_owned()),
        ("second_repl_offset", "-1".to_owned()),
        ("repl_backlog_active", "0".to_owned()),
        ("repl_backlog_size", "0".to_owned()),
        ("repl_backlog_first_byte_offset", "0".to_owned()),
        ("repl_backlog_histlen", "0".to_owned()),
    ]
}

fn cpu(server: &Server, _: Now) -> Fields<'_> {
    let seconds = |millis: u64| format!("{}.{:03}000", millis / 1000, millis % 1000);
    vec![
        ("used_cpu_sys", seconds(server.vitals.cpu_system)),
        ("used_cpu_user", seconds(server.vitals.cpu_user)),
    ]
}

fn errorstats(server: &Server, _: Now) -> Fields<'_> {
    server.stats.errors.by_name().map(|(name, count)| (name, format!("count={count}"))).collect()
}

fn cluster(server: &Server, _: Now) -> Fields<'_> {
    vec![("cluster_enabled", u8::from(server.about.cluster).to_string())]
}

fn keyspace(server: &Server, _: Now) -> Fields<'_> {
    const NAMES: [&str; Database::USERS as usize] = [
        "db0", "db1", "db2", "db3", "db4", "db5", "db6", "db7", "db8", "db9", "db10", "db11", "db12", "db13",
        "db14", "db15",
    ];
    let count = |number: u8| {
        let database = Database::User(number);
        (server.keyspace.keys(database).len(), server.keyspace.expiring(database))
    };
    let all = NAMES.iter().zip((0..).map(count));
    let used = all.filter(|(_, (keys, _))| *keys > 0);
    used.map(|(name, (keys, expires))| (*name, format!("keys={keys},expires={expires},avg_ttl=0"))).collect()
}
