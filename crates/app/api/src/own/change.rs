//! The JSON of a change of a key, and of what a key holds.

use adsum_keyspace::json::{self, put_bytes};
use adsum_keyspace::{Change, Now, Op, Value};
use serde_json::{Map, Value as Json};

use super::event::Id;

pub(crate) type Object = Map<String, Json>;

/// `event` (or `events`, when there are several names), `key`, what became of it, and `revision`.
pub(crate) fn shape(id: Id, change: &Change, now: Now) -> Object {
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
    data
}

/// What became of the key: its `value`, or the `delta` of it, and when it ends, in Unix milliseconds.
fn put_op(data: &mut Object, op: &Op, now: Now) {
    match op {
        Op::Put { value, deadline, .. } => {
            put_value(data, value);
            if let Some(deadline) = deadline {
                data.insert("expires".to_string(), deadline.unix(now).into());
            }
        }
        Op::Delete | Op::Clear => {}
        Op::SetDeadline(deadline) => {
            let unix = deadline.map(|deadline| deadline.unix(now));
            data.insert("expires".to_string(), unix.into());
        }
        Op::Append(_) | Op::Splice { .. } | Op::Edit(_) => {
            data.extend(json::delta(op).map(|delta| ("delta".to_string(), delta)));
        }
    }
}

pub(crate) fn put_value(data: &mut Object, value: &Value) {
    match value {
        Value::String(bytes) => put_bytes(data, "value", bytes),
        aggregate => {
            data.extend(json::elements_of(aggregate).map(|elements| ("value".to_string(), elements)))
        }
    }
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Database, Deadline, List, Notice};

    use adsum_keyspace::Blob;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(op: Op, notices: &[Notice], expect: Json) {
        let key = Blob::from("k");
        let change = Change { database: Database::User(0), key, op, notices: notices.into() };
        let data = shape(Id { revision: 7, number: 2 }, &change, Now { tick: 100, wall: 5_000 });
        assert_eq!(Json::from(data), expect);
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
