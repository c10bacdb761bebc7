//! `GET /api/watch`: every change of the keys under a prefix, from a revision on, without a gap.

use adsum_keyspace::{Blob, Change, Commit, Database, Now, Op, Space, Value};
use adsum_model::Revision;
use adsum_store::{Ended, Watch};
use axum::extract::State;
use axum::response::Response;
use hyper::HeaderMap;
use serde_json::{Map, Value as Json, json};

use super::Refusal;
use super::event::Id;
use super::events::{cut, last_id};
use super::sse::{self, Source};
use crate::closing::Closing;
use crate::query::Query;
use crate::{ApiState, base64, limits};

/// `?prefix=&from=REV-N&db=0`: the changes after `from`; a revision alone is all of it. Without it, from now on. A
/// stream that was cut goes on after the `Last-Event-ID`.
pub(crate) async fn get(
    State(state): State<ApiState>,
    query: Query,
    headers: HeaderMap,
    closing: Closing,
) -> Result<Response, Refusal> {
    let database = database(&query)?;
    let prefix = query.bytes("prefix").unwrap_or_default().to_vec();
    let now = Id { revision: state.store.durable_revision().0, number: u64::MAX };
    let seen = last_id(&query, "from", &headers)?.unwrap_or(now);
    // A revision of which only a part was seen has to be read again.
    let after = seen.revision.saturating_sub(u64::from(seen.number != u64::MAX));
    let watch = state.store.watch(Space::User, Revision(after));
    let first = Some(format!(": from {}\n\n", seen.revision));
    Ok(sse::response(Changes { first, begun: false, watch, seen, database, prefix, closing }))
}

fn database(query: &Query) -> Result<Database, Refusal> {
    let Some(text) = query.text("db") else { return Ok(Database::User(0)) };
    let number = text.parse().ok().filter(|number| *number < Database::USERS);
    let advice = format!("db '{text}' is no database: give 0 to {}", Database::USERS - 1);
    number.map(Database::User).ok_or_else(|| Refusal::bad(advice))
}

struct Changes {
    first: Option<String>,
    /// Whether any change has been read.
    begun: bool,
    watch: Watch,
    seen: Id,
    database: Database,
    prefix: Vec<u8>,
    closing: Closing,
}

impl Source for Changes {
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let commits = tokio::select! {
                biased;
                () = self.closing.closed() => return None,
                commits = self.watch.next() => commits,
                () = tokio::time::sleep(limits::HEARTBEAT) => return Some(sse::HEARTBEAT.to_string()),
            };
            let text = match commits {
                Ok(commits) => commits.iter().map(|commit| self.messages(commit)).collect::<String>(),
                Err(Ended::Compacted(compacted)) => self.end(compacted.oldest, &compacted.to_string()),
                Err(Ended::Failed(_)) => return None,
            };
            self.begun = true;
            if !text.is_empty() {
                return Some(text);
            }
        }
    }
}

impl Changes {
    fn end(&mut self, oldest: Revision, compacted: &str) -> String {
        self.closing = Closing::over();
        let slow = if self.begun { "this watch was read too slowly: " } else { "" };
        cut(oldest, &format!("{slow}{compacted}"))
    }

    fn messages(&self, commit: &Commit) -> String {
        let mut text = String::new();
        for (number, change) in (1..).zip(&commit.changes) {
            let id = Id { revision: commit.revision.0, number };
            if id > self.seen && self.is_watched(change) {
                text.push_str(&message(id, change, commit.now));
            }
        }
        text
    }

    /// Emptying the database concerns every prefix.
    fn is_watched(&self, change: &Change) -> bool {
        let named = matches!(change.op, Op::Clear) || change.key.starts_with(&self.prefix);
        change.database == self.database && named
    }
}

fn message(id: Id, change: &Change, now: Now) -> String {
    let mut data = Map::new();
    let names: Vec<&str> = change.notices.iter().map(|notice| notice.as_str()).collect();
    let cleared = if matches!(change.op, Op::Clear) { "flushdb" } else { "" };
    data.insert("event".to_string(), names.first().copied().unwrap_or(cleared).into());
    if names.len() > 1 {
        data.insert("events".to_string(), names.into());
    }
    put_bytes(&mut data, "key", &change.key);
    put_op(&mut data, &change.op, now);
    data.insert("revision".to_string(), id.revision.into());
    sse::message(None, Some(&id.to_string()), &data)
}

/// What became of the key: its `value`, or the `delta` of it, and when it ends, in Unix milliseconds.
fn put_op(data: &mut Map<String, Json>, op: &Op, now: Now) {
    match op {
        Op::Put { value, deadline, .. } => {
            match value {
                Value::String(bytes) => put_bytes(data, "value", bytes),
                Value::List(list) => drop(data.insert("value".to_string(), elements(list.iter()))),
            }
            if let Some(deadline) = deadline {
                data.insert("expires".to_string(), deadline.unix(now).into());
            }
        }
        Op::Delete | Op::Clear => {}
        Op::SetDeadline(deadline) => {
            let unix = deadline.map(|deadline| deadline.unix(now));
            data.insert("expires".to_string(), unix.into());
        }
        Op::Append(tail) => {
            let mut delta = Map::new();
            put_bytes(&mut delta, "append", tail);
            data.insert("delta".to_string(), delta.into());
        }
        Op::Splice { rank, remove, insert } => {
            let delta = json!({"rank": rank, "remove": remove, "insert": elements(insert.iter())});
            data.insert("delta".to_string(), delta);
        }
    }
}

/// Bytes that are no UTF-8 stand as base64 under `NAME_base64`.
fn put_bytes(data: &mut Map<String, Json>, name: &str, bytes: &[u8]) {
    match str::from_utf8(bytes) {
        Ok(text) => data.insert(name.to_string(), text.into()),
        Err(_) => data.insert(format!("{name}_base64"), base64::encode(bytes).into()),
    };
}

/// An element that is no UTF-8 is `{"base64": "..."}`.
fn elements<'a>(elements: impl Iterator<Item = &'a Blob>) -> Json {
    let element = |bytes: &Blob| match str::from_utf8(bytes) {
        Ok(text) => Json::from(text),
        Err(_) => json!({"base64": base64::encode(bytes)}),
    };
    elements.map(element).collect()
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Deadline, List, Notice};

    use super::*;

    #[track_caller]
    fn check(op: Op, notices: &[Notice], expect: Json) {
        let key = Blob::from("k");
        let change = Change { database: Database::User(0), key, op, notices: notices.into() };
        let text = message(Id { revision: 7, number: 2 }, &change, Now { tick: 100, wall: 5_000 });
        let data = text.strip_prefix("id: 7-2\ndata: ").unwrap().trim_end();
        assert_eq!(serde_json::from_str::<Json>(data).unwrap(), expect);
    }

    #[test]
    fn a_change_says_what_became_of_its_key() {
        let string = |bytes: &[u8]| Value::String(bytes.into());
        check(
            Op::Put { value: string(b"v"), deadline: None, copy_of: None },
            &[Notice::Set],
            json!({"event": "set", "key": "k", "value": "v", "revision": 7}),
        );
        check(
            Op::Put { value: string(b"\xff"), deadline: Some(Deadline::tick(150)), copy_of: None },
            &[Notice::Set, Notice::Expire],
            json!({"event": "set", "events": ["set", "expire"], "key": "k", "value_base64": "/w==",
                "expires": 5050, "revision": 7}),
        );
        check(Op::Delete, &[Notice::Expired], json!({"event": "expired", "key": "k", "revision": 7}));
        check(
            Op::SetDeadline(None),
            &[Notice::Persist],
            json!({"event": "persist", "key": "k", "expires": null, "revision": 7}),
        );
        check(
            Op::Append(b"x".into()),
            &[Notice::Append],
            json!({"event": "append", "key": "k", "delta": {"append": "x"}, "revision": 7}),
        );
        let insert = [Blob::from("a"), Blob::from(b"\xff")].into_iter().collect();
        check(
            Op::Splice { rank: 0, remove: 1, insert },
            &[Notice::Lpush],
            json!({"event": "lpush", "key": "k", "revision": 7,
                "delta": {"rank": 0, "remove": 1, "insert": ["a", {"base64": "/w=="}]}}),
        );
        let mut list = List::default();
        list.splice(0, 0, &["a".into()]);
        check(
            Op::Put { value: Value::List(list), deadline: None, copy_of: None },
            &[Notice::RenameTo],
            json!({"event": "rename_to", "key": "k", "value": ["a"], "revision": 7}),
        );
        check(Op::Clear, &[], json!({"event": "flushdb", "key": "k", "revision": 7}));
    }
}
