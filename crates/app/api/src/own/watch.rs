//! `GET /api/watch`: every change of the keys under a prefix, from a revision on, without a gap.

use adsum_keyspace::{Change, Commit, Database, Op, Space};
use adsum_model::Revision;
use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;

use super::event::Id;
use super::events::last_id;
use super::follow::{Follow, place};
use super::{Refusal, change, sse};
use crate::ApiState;
use crate::closing::Closing;
use crate::query::Query;

/// `?prefix=&from=REV-N&db=0`: the changes after `from`; a revision alone is all of it. Without it, from now on. A
/// stream that was cut goes on after the `Last-Event-ID`.
pub(crate) async fn get(
    State(state): State<ApiState>,
    query: Query,
    headers: HeaderMap,
    closing: Closing,
) -> Result<Response, Refusal> {
    let watched = Watched::of(&query)?;
    let now = Id { revision: state.store.durable_revision().0, number: u64::MAX };
    let seen = last_id(&query, "from", &headers)?.unwrap_or(now);
    if seen.revision > now.revision {
        return Err(not_yet(seen, now));
    }
    // A revision of which only a part was seen has to be read again.
    let whole = seen.number == u64::MAX;
    let after = Revision(seen.revision.saturating_sub(u64::from(!whole)));
    let first = format!(": from {}\n{}", seen.revision, if whole { place(after) } else { "\n".to_string() });
    let messages = move |commit: &Commit| watched.messages(commit, seen);
    Ok(Follow { space: Space::User, after, first, messages }.response(&state, closing))
}

/// Whoever has seen a revision that is yet to come has seen it elsewhere.
fn not_yet(seen: Id, now: Id) -> Refusal {
    let (seen, now) = (seen.revision, now.revision);
    Refusal::bad(format!(
        "from {seen} is ahead of the last revision {now}: is it of other data? Watch without from"
    ))
}

/// The database that a question is about.
pub(crate) fn database(query: &Query) -> Result<Database, Refusal> {
    let Some(text) = query.text("db") else { return Ok(Database::User(0)) };
    let number = text.parse().ok().filter(|number| *number < Database::USERS);
    let advice = format!("db '{text}' is no database: give 0 to {}", Database::USERS - 1);
    number.map(Database::User).ok_or_else(|| Refusal::bad(advice))
}

struct Watched {
    database: Database,
    prefix: Vec<u8>,
}

impl Watched {
    fn of(query: &Query) -> Result<Watched, Refusal> {
        let prefix = query.bytes("prefix").unwrap_or_default().to_vec();
        Ok(Watched { database: database(query)?, prefix })
    }

    fn messages(&self, commit: &Commit, seen: Id) -> String {
        let mut text = String::new();
        for (number, change) in (1..).zip(&commit.changes) {
            let id = Id { revision: commit.revision.0, number };
            if id > seen && self.has(change) {
                let data = change::shape(id, change, commit.now);
                text.push_str(&sse::message(None, Some(&id.to_string()), &data));
            }
        }
        text
    }

    /// Emptying the database concerns every prefix.
    fn has(&self, change: &Change) -> bool {
        let named = matches!(change.op, Op::Clear) || change.key.starts_with(&self.prefix);
        change.database == self.database && named
    }
}
