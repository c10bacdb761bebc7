//! CLIENT. <https://redis.io/docs/latest/commands/client-list/>

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::Now;

use super::tracking;
use crate::client::Client;
use crate::command::{Call, Command, Flags, NO_SCRIPT};
use crate::number::{integer, parse_integer};
use crate::pause::Held;
use crate::refusal::{Answer, Refusal};
use crate::session::Replies;
use crate::tracking::Mode;
use crate::{Flow, Protocol, Server, Wake, limits};

pub(super) const COMMANDS: &[Command] = &[Command::container(
    "client",
    &[
        Command::server("client|id", 2, PLAIN, id),
        Command::server("client|setname", 3, PLAIN, setname),
        Command::server("client|getname", 2, PLAIN, getname),
        Command::server("client|setinfo", 4, PLAIN, setinfo),
        Command::server("client|list", -2, OTHERS, list),
        Command::server("client|info", 2, PLAIN, info),
        Command::server("client|kill", -3, OTHERS, kill),
        Command::server("client|no-evict", 3, OTHERS, no_evict),
        Command::server("client|no-touch", 3, PLAIN, no_touch),
        Command::server("client|reply", 3, PLAIN, reply),
        Command::server("client|unblock", -3, OTHERS, unblock),
        Command::server("client|pause", -3, OTHERS, pause),
        Command::server("client|unpause", 2, OTHERS, unpause),
        Command::server("client|tracking", -3, PLAIN, tracking::tracking),
        Command::server("client|caching", 3, PLAIN, tracking::caching),
        Command::server("client|getredir", 2, PLAIN, tracking::getredir),
        Command::server("client|trackinginfo", 2, PLAIN, tracking::trackinginfo),
    ],
)];

const PLAIN: Flags = NO_SCRIPT;
const OTHERS: Flags = NO_SCRIPT;

fn id(call: &mut Call<'_>) -> Answer {
    call.out.integer(call.session.id() as i64);
    Ok(())
}

fn setname(call: &mut Call<'_>) -> Answer {
    let name = check_name(call.args[2])?;
    call.session.client.names.lock().name = name;
    call.out.ok();
    Ok(())
}

/// Names stand in a line of CLIENT LIST, so they have no blanks and no control characters.
pub(super) fn check_name(name: &[u8]) -> Result<String, Refusal> {
    if name.len() > limits::CLIENT_NAME {
        let (bytes, most) = (name.len(), limits::CLIENT_NAME);
        return Err(Refusal::Told(format!(
            "ERR a client name of {bytes} bytes is longer than the limit of {most}"
        )));
    }
    printable(name)
        .ok_or(Refusal::Says("Client names cannot contain spaces, newlines or special characters."))
}

fn printable(word: &[u8]) -> Option<String> {
    let fits = word.len() <= limits::CLIENT_NAME && word.iter().all(|byte| (b'!'..=b'~').contains(byte));
    fits.then(|| String::from_utf8_lossy(word).into_owned())
}

fn getname(call: &mut Call<'_>) -> Answer {
    let name = call.session.client.names.lock().name.clone();
    call.out.bulk_or_null(Some(name.as_bytes()).filter(|name| !name.is_empty()));
    Ok(())
}

fn setinfo(call: &mut Call<'_>) -> Answer {
    let (name, value) = (call.args[2].to_ascii_lowercase(), printable(call.args[3]));
    let names = &mut call.session.client.names.lock();
    let (attribute, says) = match name.as_slice() {
        b"lib-name" => {
            (&mut names.library, "lib-name cannot contain spaces, newlines or special characters.")
        }
        b"lib-ver" => {
            (&mut names.library_version, "lib-ver cannot contain spaces, newlines or special characters.")
        }
        _ => {
            let name = String::from_utf8_lossy(call.args[2]).into_owned();
            return Err(Refusal::Told(format!("ERR Unrecognized option '{name}'")));
        }
    };
    *attribute = value.ok_or(Refusal::Says(says))?;
    call.out.ok();
    Ok(())
}

/// `CLIENT LIST [TYPE type] [ID id [id ...]]`
fn list(call: &mut Call<'_>) -> Answer {
    let chosen = choose(call)?;
    let lines: String = chosen.iter().map(|client| line(call.server, client, call.now) + "\n").collect();
    call.out.verbatim(&lines);
    Ok(())
}

fn choose(call: &Call<'_>) -> Result<Vec<Arc<Client>>, Refusal> {
    let all = call.server.clients.by_id.values().cloned();
    match &call.args[2..] {
        [] => Ok(all.collect()),
        [option, kind] if option.eq_ignore_ascii_case(b"TYPE") => {
            let kind = Kind::parse(kind)?;
            Ok(all.filter(|client| kind.is_of(client)).collect())
        }
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
            // Those that nobody can have are looked for, too.
            let parse = |id: &&[u8]| parse_integer(id).ok_or(INVALID_ID);
            let ids = ids.iter().map(parse).collect::<Result<BTreeSet<i64>, _>>()?;
            Ok(all.filter(|client| ids.contains(&(client.id as i64))).collect())
        }
        _ => Err(Refusal::Syntax),
    }
}

fn parse_id(word: &[u8]) -> Result<u64, Refusal> {
    let id = parse_integer(word).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or(INVALID_ID)
}

const INVALID_ID: Refusal = Refusal::Says("Invalid client ID");

/// What Redis calls the type of a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    PubSub,
    /// Masters and replicas, which there are none of.
    Replication,
}

impl Kind {
    fn parse(word: &[u8]) -> Result<Kind, Refusal> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Kind::Normal),
            b"pubsub" => Ok(Kind::PubSub),
            b"master" | b"replica" | b"slave" => Ok(Kind::Replication),
            _ => {
                let word = String::from_utf8_lossy(word);
                Err(Refusal::Told(format!("ERR Unknown client type '{word}'")))
            }
        }
    }

    fn is_of(self, client: &Client) -> bool {
        self == if client.subscriptions() > 0 { Kind::PubSub } else { Kind::Normal }
    }
}

fn info(call: &mut Call<'_>) -> Answer {
    let line = line(call.server, &call.session.client, call.now) + "\n";
    call.out.verbatim(&line);
    Ok(())
}

/// One client as CLIENT LIST shows it: the fields of Redis in its order. What is known to the connection alone is 0, and
/// the descriptor -1.
fn line(server: &Server, client: &Client, now: Now) -> String {
    let last = client.last();
    let resp = if client.protocol() == Protocol::Resp3 { 3 } else { 2 };
    let seconds = |since: u64| now.tick.saturating_sub(since) / 1000;
    let names = client.names.lock();
    format!(
        "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} {SIZES} events=r cmd={} user=default redir={} resp={resp} lib-name={} lib-ver={}",
        client.id,
        client.peer,
        client.local,
        names.name,
        seconds(client.since.tick),
        seconds(last.seen),
        flags(server, client),
        client.database.load(Relaxed),
        client.channels.load(Relaxed),
        client.patterns.load(Relaxed),
        client.shards.load(Relaxed),
        client.queued.load(Relaxed),
        last.command,
        tracking::redirect(server.tracking.of(client.id)),
        names.library,
        names.library_version,
    )
}

const SIZES: &str = "qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0";

/// `N` for one with none.
fn flags(server: &Server, client: &Client) -> String {
    let tracked = server.tracking.of(client.id);
    let broadcasts = tracked.is_some_and(|tracked| matches!(tracked.options.mode, Mode::Broadcast(_)));
    let all = [
        ('P', client.subscriptions() > 0),
        ('x', client.queued.load(Relaxed) >= 0),
        ('b', client.blocked.load(Relaxed)),
        ('t', tracked.is_some()),
        ('R', tracked.is_some_and(|tracked| tracked.broken)),
        ('B', broadcasts),
        ('d', client.touched.load(Relaxed)),
        ('e', client.no_evict.load(Relaxed)),
        ('T', client.no_touch.load(Relaxed)),
    ];
    let flags: String = all.iter().filter(|(_, is)| *is).map(|(flag, _)| *flag).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// Which clients to kill. `CLIENT KILL addr:port` is the old form, which says whether it found one.
struct Victims<'a> {
    old_form: bool,
    spare_self: bool,
    id: Option<u64>,
    address: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    kind: Option<Kind>,
}

fn kill(call: &mut Call<'_>) -> Answer {
    let victims = Victims::parse(&call.args[2..])?;
    let own = call.session.id();
    let clients = call.server.clients.by_id.values();
    let killed: Vec<Arc<Client>> = clients.filter(|client| victims.has(client, own)).cloned().collect();
    if victims.old_form && killed.is_empty() {
        return Err(Refusal::Says("No such client"));
    }
    for client in &killed {
        if client.id == own {
            call.flow = Flow::Close;
            continue;
        }
        // Forgotten at once and not only when its connection notices, so that nothing more is popped for it.
        call.server.forget(client);
        client.outbox.push(call.server.revision(), &[], Wake::Close("killed by CLIENT KILL"));
    }
    match victims.old_form {
        true => call.out.ok(),
        false => call.out.count(killed.len()),
    }
    Ok(())
}

impl<'a> Victims<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Victims<'a>, Refusal> {
        let mut victims =
            Victims { old_form: false, spare_self: true, id: None, address: None, local: None, kind: None };
        if let [address] = words {
            return Ok(Victims { old_form: true, spare_self: false, address: Some(address), ..victims });
        }
        for option in words.chunks(2) {
            let [name, value] = option else { return Err(Refusal::Syntax) };
            match name.to_ascii_uppercase().as_slice() {
                b"ID" => {
                    victims.id = Some(
                        parse_id(value).map_err(|_| Refusal::Says("client-id should be greater than 0"))?,
                    )
                }
                b"ADDR" => victims.address = Some(value),
                b"LADDR" => victims.local = Some(value),
                b"TYPE" => victims.kind = Some(Kind::parse(value)?),
                b"USER" if *value == b"default" => {}
                b"USER" => {
                    let name = String::from_utf8_lossy(value);
                    return Err(Refusal::Told(format!("ERR No such user '{name}'")));
                }
                b"SKIPME" => victims.spare_self = parse_yes(value)?,
                _ => return Err(Refusal::Syntax),
            }
        }
        Ok(victims)
    }

    fn has(&self, client: &Client, own: u64) -> bool {
        !(self.spare_self && client.id == own)
            && self.id.is_none_or(|id| client.id == id)
            && self.address.is_none_or(|address| client.peer.as_bytes() == address)
            && self.local.is_none_or(|address| client.local.as_bytes() == address)
            && self.kind.is_none_or(|kind| kind.is_of(client))
    }
}

fn parse_yes(word: &[u8]) -> Result<bool, Refusal> {
    match word.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(Refusal::Syntax),
    }
}

fn no_evict(call: &mut Call<'_>) -> Answer {
    let on = parse_on(call.args[2])?;
    call.session.client.no_evict.store(on, Relaxed);
    call.out.ok();
    Ok(())
}

fn no_touch(call: &mut Call<'_>) -> Answer {
    let on = parse_on(call.args[2])?;
    call.session.client.no_touch.store(on, Relaxed);
    call.out.ok();
    Ok(())
}

fn parse_on(word: &[u8]) -> Result<bool, Refusal> {
    match word.to_ascii_uppercase().as_slice() {
        b"ON" => Ok(true),
        b"OFF" => Ok(false),
        _ => Err(Refusal::Syntax),
    }
}

fn reply(call: &mut Call<'_>) -> Answer {
    call.session.replies = match call.args[2].to_ascii_uppercase().as_slice() {
        b"ON" => Replies::On,
        b"OFF" => Replies::Off,
        b"SKIP" if call.session.replies == Replies::Off => Replies::Off,
        b"SKIP" => Replies::SkipNext,
        _ => return Err(Refusal::Syntax),
    };
    call.out.ok();
    Ok(())
}

/// `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
fn unblock(call: &mut Call<'_>) -> Answer {
    let error = match call.args[3..] {
        [] => None,
        [how] if how.eq_ignore_ascii_case(b"TIMEOUT") => None,
        [how] if how.eq_ignore_ascii_case(b"ERROR") => Some("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        [_] => return Err(Refusal::Says("CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(Refusal::words_of_subcommand("CLIENT", call.args[1])),
    };
    let id = u64::try_from(integer(call.args[2])?).unwrap_or(0);
    let done = call.server.unblock(id, error);
    call.out.boolean(done);
    Ok(())
}

/// `CLIENT PAUSE milliseconds [WRITE | ALL]`
fn pause(call: &mut Call<'_>) -> Answer {
    let held = match call.args[3..] {
        [] => Held::All,
        [mode] if mode.eq_ignore_ascii_case(b"ALL") => Held::All,
        [mode] if mode.eq_ignore_ascii_case(b"WRITE") => Held::Writes,
        [_] => return Err(Refusal::Says("CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(Refusal::words_of_subcommand("CLIENT", call.args[1])),
    };
    let millis =
        integer(call.args[2]).map_err(|_| Refusal::Says("timeout is not an integer or out of range"))?;
    let millis = u64::try_from(millis).map_err(|_| Refusal::Says("timeout is negative"))?;
    call.server.pause.begin(millis, held, call.now);
    call.out.ok();
    Ok(())
}

fn unpause(call: &mut Call<'_>) -> Answer {
    let revision = call.server.revision();
    call.server.pause.end(revision);
    call.out.ok();
    Ok(())
}
