//! Aggregates and their deltas as JSON.

use serde_json::{Value as Json, json};

use super::bytes;
use crate::stream::{self, Stream};
use crate::{Blob, Edits, Score, Value};

/// All elements of an aggregate; None of a string. Elements in order, with what belongs to each behind it: `["a", "b"]` of
/// a list or a set, `[["field", "value"]]` of a hash, `[["member", 1.5]]` of a sorted set, `{"last": ID, "entries": [[ID,
/// ["field", "value"]]], "groups": [NAME]}` of a stream.
pub fn elements_of(value: &Value) -> Option<Json> {
    let elements = match value {
        Value::String(_) => return None,
        Value::List(list) => super::elements(list.iter()),
        Value::Hash(hash) => hash.iter().map(|(field, value)| json!([bytes(field), bytes(value)])).collect(),
        Value::Set(set) => super::elements(set.iter().map(|(member, ())| member)),
        Value::SortedSet(set) => set.iter().map(|(member, at)| json!([bytes(member), score(at)])).collect(),
        Value::Stream(stream) => of_stream(stream),
    };
    Some(elements)
}

fn of_stream(stream: &Stream) -> Json {
    let entries: Json = stream.iter_from(stream::Id::MIN).map(|(id, fields)| entry(id, fields)).collect();
    let groups = super::elements(stream.groups().map(|(name, _)| name));
    json!({"last": stream.marks().last.to_string(), "entries": entries, "groups": groups})
}

fn entry(id: stream::Id, fields: &stream::Fields) -> Json {
    json!([id.to_string(), super::elements(fields.iter())])
}

/// Infinite scores are text, as JSON has no number for them.
fn score(score: Score) -> Json {
    match score.get() {
        f64::INFINITY => "inf".into(),
        f64::NEG_INFINITY => "-inf".into(),
        number => number.into(),
    }
}

/// `{"set": [["field", "value"]], "remove": ["field"]}` of a hash and in the same way of a sorted set, `{"add": [...],
/// "remove": [...]}` of a set, a list of what was done to a stream.
pub(super) fn edits(edits: &Edits) -> Json {
    match edits {
        Edits::Hash(edits) => {
            let set = set_in(edits).map(|(field, value)| json!([bytes(field), bytes(value)]));
            json!({"set": set.collect::<Json>(), "remove": removed(edits)})
        }
        Edits::Set(edits) => {
            json!({"add": super::elements(set_in(edits).map(|(member, ())| member)), "remove": removed(edits)})
        }
        Edits::SortedSet(edits) => {
            let set = set_in(edits).map(|(member, at)| json!([bytes(member), score(*at)]));
            json!({"set": set.collect::<Json>(), "remove": removed(edits)})
        }
        Edits::Stream(edits) => edits.iter().map(of_edit).collect(),
    }
}

fn set_in<V>(edits: &[crate::members::Edit<V>]) -> impl Iterator<Item = (&Blob, &V)> {
    edits.iter().filter_map(|(name, payload)| payload.as_ref().map(|payload| (name, payload)))
}

fn removed<V>(edits: &[crate::members::Edit<V>]) -> Json {
    super::elements(edits.iter().filter(|(_, payload)| payload.is_none()).map(|(name, _)| name))
}

fn of_edit(edit: &stream::Edit) -> Json {
    use stream::Edit;
    match edit {
        Edit::Append(id, fields) | Edit::Entry(id, Some(fields)) => json!({"add": entry(*id, fields)}),
        Edit::Entry(id, None) => json!({"remove": id.to_string()}),
        Edit::Trim(count) => json!({"trim": count}),
        Edit::Marks(marks) => json!({"last": marks.last.to_string(), "added": marks.added}),
        Edit::Group(name, Some(_)) => json!({"group": bytes(name)}),
        Edit::Group(name, None) => json!({"remove_group": bytes(name)}),
        Edit::Position(group, position) => json!({"group": bytes(group), "last": position.last.to_string()}),
        Edit::Consumer(group, name, Some(_)) => json!({"group": bytes(group), "consumer": bytes(name)}),
        Edit::Consumer(group, name, None) => json!({"group": bytes(group), "remove_consumer": bytes(name)}),
        Edit::Pending(group, id, Some(pending)) => {
            json!({"group": bytes(group), "delivered": id.to_string(), "to": bytes(&pending.consumer)})
        }
        Edit::Pending(group, id, None) => json!({"group": bytes(group), "acknowledged": id.to_string()}),
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::{Hash, Op, SortedSet, json::delta};

    #[test]
    fn aggregates_show_their_elements() {
        let hash = Hash::from_iter([(Blob::from("f"), Blob::from(b"\xff"))]);
        assert_eq!(elements_of(&Value::Hash(hash)), Some(json!([["f", {"base64": "/w=="}]])));
        let scores = [("a", 1.5), ("b", f64::INFINITY)].map(|(m, s)| (m.into(), Score::new(s).unwrap()));
        let set = SortedSet::from_iter(scores);
        assert_eq!(elements_of(&Value::SortedSet(Box::new(set))), Some(json!([["a", 1.5], ["b", "inf"]])));
        assert_eq!(elements_of(&Value::String("x".into())), None);
    }

    #[test]
    fn deltas_name_what_came_and_what_went() {
        let edits = Edits::Set(smallvec![("a".into(), Some(())), ("b".into(), None)]);
        assert_eq!(delta(&Op::Edit(edits)), Some(json!({"add": ["a"], "remove": ["b"]})));
        let fields: stream::Fields = [Blob::from("f"), Blob::from("v")].into();
        let append = stream::Edit::Append(stream::Id { millis: 1, number: 2 }, fields);
        let edits = Edits::Stream(vec![append, stream::Edit::Trim(3)]);
        assert_eq!(delta(&Op::Edit(edits)), Some(json!([{"add": ["1-2", ["f", "v"]]}, {"trim": 3}])));
    }
}
