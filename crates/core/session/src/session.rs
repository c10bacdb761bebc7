//! The session: who holds locks, and for how long.

use std::time::Duration;

use adsum_keyspace::{Database, Deadline, Entry, Keys, Notice, Transaction, Value};
use adsum_model::Revision;
use serde::{Deserialize, Serialize};

use crate::place;

/// Characters of an id, which is a UUID.
pub const ID_LENGTH: usize = 36;
/// Sessions at most.
pub const SESSIONS: usize = 20_000;
/// What a time to live may be.
pub const SHORTEST_TTL: Duration = Duration::from_secs(10);
pub const LONGEST_TTL: Duration = Duration::from_secs(24 * 3600);
/// How long nobody gets what an invalidated session held, unless it says.
pub const LOCK_DELAY: Duration = Duration::from_secs(15);
/// A longer one counts as this.
pub const LONGEST_LOCK_DELAY: Duration = Duration::from_secs(60);
/// The check of a node that every node has.
pub const NODE_CHECK: &str = "serfHealth";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: String,
    pub name: String,
    pub node: String,
    pub behavior: Behavior,
    /// As it was given.
    pub lock_delay: Duration,
    /// As it was written; nothing for a session that lives until it is destroyed.
    pub ttl: String,
    /// For how long a renewal lasts.
    pub lasts: Option<Duration>,
    pub node_checks: Vec<String>,
    pub service_checks: Vec<ServiceCheck>,
    /// Its invalidation has begun, and there was more than is done at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// What becomes of the keys of a session that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Behavior {
    #[default]
    Release,
    Delete,
}

/// A check of a service that the session lives with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCheck {
    pub id: String,
    pub namespace: String,
}

/// A session with its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub session: Session,
    pub created: Revision,
    pub modified: Revision,
}

/// A time to live that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTtl {
    #[error("Session TTL '{0}' invalid: time: invalid duration {0:?}")]
    Unreadable(String),
    /// In nanoseconds.
    #[error("Invalid Session TTL '{0}', must be between [10s=24h0m0s]")]
    OutOfRange(u128),
}

/// There are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {SESSIONS} sessions, which is the limit: destroy some, or give them a TTL")]
pub struct Full;

impl Behavior {
    pub fn as_str(self) -> &'static str {
        match self {
            Behavior::Release => "release",
            Behavior::Delete => "delete",
        }
    }

    pub fn parse(text: &str) -> Option<Behavior> {
        match text {
            "" | "release" => Some(Behavior::Release),
            "delete" => Some(Behavior::Delete),
            _ => None,
        }
    }
}

/// An id out of a lot.
pub fn id(lot: u128) -> String {
    let hex = format!("{lot:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Reads a time to live; nothing and 0 are none.
///
/// # Errors
/// When it is no duration, or not between the shortest and the longest.
pub fn parse_ttl(text: &str) -> Result<Option<Duration>, BadTtl> {
    if text.is_empty() {
        return Ok(None);
    }
    let unreadable = |_| BadTtl::Unreadable(text.to_string());
    let ttl = adsum_model::parse_duration(text).map_err(unreadable)?;
    if ttl.is_zero() {
        return Ok(None);
    }
    if !(SHORTEST_TTL..=LONGEST_TTL).contains(&ttl) {
        return Err(BadTtl::OutOfRange(ttl.as_nanos()));
    }
    Ok(Some(ttl))
}

/// Puts a new session on record.
///
/// # Errors
/// When there is no room for it.
pub fn create(tx: &mut Transaction<'_>, session: &Session) -> Result<(), Full> {
    let keys = tx.keys_under(Database::System, place::SESSION);
    // `0` follows `/`.
    if keys.rank(&b"session0"[..]) - keys.rank(place::SESSION) >= SESSIONS {
        return Err(Full);
    }
    place::write(tx, place::session(&session.id), session);
    if let Some(lasts) = session.lasts {
        let deadline = Some(deadline(tx, lasts));
        let notices = [Notice::Set, Notice::Expire];
        tx.put(Database::System, place::time(&session.id), Value::String("".into()), deadline, &notices);
    }
    Ok(())
}

fn deadline(tx: &Transaction<'_>, lasts: Duration) -> Deadline {
    Deadline::after(lasts.as_millis() as u64, tx.now())
}

/// Begins its time anew; nothing when there is no such session, or not any more.
pub fn renew(tx: &mut Transaction<'_>, id: &str) -> Option<Listed> {
    let listed = valid(tx, id)?;
    if let Some(lasts) = listed.session.lasts {
        let deadline = deadline(tx, lasts);
        tx.set_deadline(Database::System, &place::time(id), Some(deadline), Notice::Expire);
    }
    Some(listed)
}

/// The session, if it is on record, whatever has become of it.
pub(crate) fn on_record(tx: &mut Transaction<'_>, id: &str) -> Option<Session> {
    place::read(tx, &place::session(id))
}

/// The session, unless it is over.
pub fn valid(tx: &mut Transaction<'_>, id: &str) -> Option<Listed> {
    let listed = tx.get(Database::System, &place::session(id)).map(Listed::of)?;
    let has_time = listed.session.lasts.is_none() || tx.get(Database::System, &place::time(id)).is_some();
    (has_time && !listed.session.over).then_some(listed)
}

/// All that are on record, by their ids, and whether they are over.
pub fn all(system: &Keys) -> impl Iterator<Item = (Listed, bool)> {
    let records = system.iter_from(place::SESSION).take_while(|(key, _)| key.starts_with(place::SESSION));
    records.map(|(_, entry)| {
        let listed = Listed::of(entry);
        let session = &listed.session;
        let out_of_time =
            session.lasts.is_some() && system.get(place::time(&session.id).as_slice()).is_none();
        let over = session.over || out_of_time;
        (listed, over)
    })
}

impl Listed {
    fn of(entry: &Entry) -> Listed {
        Listed { session: place::decode(entry), created: entry.created, modified: entry.modified }
    }
}
