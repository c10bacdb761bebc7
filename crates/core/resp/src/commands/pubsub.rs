//! Channels. <https://redis.io/docs/latest/develop/pubsub/>

use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::{Audience, Blob, limits::KEY};

use super::scan::check_pattern;
use crate::command::{Call, Command, KeysAt, NO_SCRIPT, NONE, WHILE_SUBSCRIBED, Work};
use crate::refusal::{Answer, Refusal};
use crate::subscriptions::To;
use crate::{glob, limits};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("subscribe", -2, SUBSCRIBES, |call| subscribe(call, To::Channel)),
    Command::server("psubscribe", -2, SUBSCRIBES, |call| subscribe(call, To::Pattern)),
    Command::server("ssubscribe", -2, SUBSCRIBES, |call| subscribe(call, To::Shard)),
    Command::server("unsubscribe", -1, SUBSCRIBES, |call| unsubscribe(call, To::Channel)),
    Command::server("punsubscribe", -1, SUBSCRIBES, |call| unsubscribe(call, To::Pattern)),
    Command::server("sunsubscribe", -1, SUBSCRIBES, |call| unsubscribe(call, To::Shard)),
    Command::keys("publish", 3, NONE, KeysAt::None, publish),
    Command::keys("spublish", 3, NONE, KeysAt::None, spublish),
    Command::container(
        "pubsub",
        &[
            Command::server("pubsub|channels", -2, NONE, |call| channels(call, To::Channel)),
            Command::server("pubsub|numsub", -2, NONE, |call| numsub(call, To::Channel)),
            Command::server("pubsub|numpat", 2, NONE, numpat),
            Command::server("pubsub|shardchannels", -2, NONE, |call| channels(call, To::Shard)),
            Command::server("pubsub|shardnumsub", -2, NONE, |call| numsub(call, To::Shard)),
        ],
    ),
];

const SUBSCRIBES: crate::command::Flags = NO_SCRIPT.and(WHILE_SUBSCRIBED);

fn subscribe(call: &mut Call<'_>, to: To) -> Answer {
    // The other two may be queued, for clients of old.
    if to == To::Shard && call.in_transaction {
        return Err(Refusal::Says("SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    let names = &call.args[1..];
    check_names(call, names)?;
    let word = match to {
        To::Channel => "subscribe",
        To::Pattern => "psubscribe",
        To::Shard => "ssubscribe",
    };
    for name in names {
        let name = Blob::from(*name);
        let client = call.session.client.clone();
        call.server.subscriptions.add(to, &name, &client);
        confirm(call, to, word, Some(&name));
    }
    Ok(())
}

/// All or none, so that there is one answer to the whole of it.
fn check_names(call: &Call<'_>, names: &[&[u8]]) -> Answer {
    if let Some(name) = names.iter().find(|name| name.len() > KEY) {
        return Err(Refusal::Told(format!(
            "ERR channel name of {} bytes is over the limit of {KEY} bytes",
            name.len()
        )));
    }
    if !call.server.subscriptions.has_room(call.session.id(), names) {
        let (count, bytes) = (limits::SUBSCRIPTIONS, limits::SUBSCRIPTION_BYTES);
        return Err(Refusal::Told(format!(
            "ERR a client can be subscribed to {count} channels and patterns with names of {bytes} bytes at most"
        )));
    }
    Ok(())
}

fn unsubscribe(call: &mut Call<'_>, to: To) -> Answer {
    let word = match to {
        To::Channel => "unsubscribe",
        To::Pattern => "punsubscribe",
        To::Shard => "sunsubscribe",
    };
    let names = match &call.args[1..] {
        [] => call.server.subscriptions.of_client(to, call.session.id()),
        names => names.iter().map(|name| Blob::from(*name)).collect(),
    };
    for name in &names {
        call.server.subscriptions.remove(to, name, &call.session.client);
        confirm(call, to, word, Some(name));
    }
    if names.is_empty() {
        confirm(call, to, word, None);
    }
    Ok(())
}

/// With how many subscriptions are left of the client, where shard channels have a count of their own.
fn confirm(call: &mut Call<'_>, to: To, word: &str, name: Option<&[u8]>) {
    // It is a message and not a reply, so it is sent even to who wants no replies.
    call.session.confirmed |= !call.in_transaction;
    let client = &call.session.client;
    let shards = client.shards.load(Relaxed);
    let left = match to {
        To::Channel | To::Pattern => client.subscriptions() - shards,
        To::Shard => shards,
    };
    call.out.push(3);
    call.out.text(word);
    call.out.bulk_or_null(name);
    call.out.count(left);
}

/// The message leaves with the commit of its transaction.
fn publish(work: &mut Work<'_, '_>) -> Answer {
    let (channel, payload) = (work.args[1], work.args[2]);
    work.out.count(work.subscriptions.audience(channel));
    work.tx.publish(channel.into(), payload.into());
    Ok(())
}

/// The same of a shard channel.
fn spublish(work: &mut Work<'_, '_>) -> Answer {
    let (channel, payload) = (work.args[1], work.args[2]);
    work.out.count(work.subscriptions.subscribers(To::Shard, channel));
    work.tx.publish_to(Audience::Shard, channel.into(), payload.into());
    Ok(())
}

fn channels(call: &mut Call<'_>, to: To) -> Answer {
    let pattern = match call.args[2..] {
        [] => None,
        [pattern] => Some(check_pattern(pattern)?),
        _ => return Err(Refusal::words_of_subcommand("PUBSUB", call.args[1])),
    };
    let names = call.server.subscriptions.names(to);
    let names: Vec<&Blob> =
        names.filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name))).collect();
    call.out.array(names.len());
    names.into_iter().for_each(|name| call.out.bulk(name));
    Ok(())
}

fn numsub(call: &mut Call<'_>, to: To) -> Answer {
    let channels = &call.args[2..];
    call.out.array(channels.len() * 2);
    for channel in channels {
        call.out.bulk(channel);
        call.out.count(call.server.subscriptions.subscribers(to, channel));
    }
    Ok(())
}

fn numpat(call: &mut Call<'_>) -> Answer {
    call.out.count(call.server.subscriptions.len(To::Pattern));
    Ok(())
}
