//! Changing a draft by a JSON merge patch (RFC 7396), with one convenience on top.

use serde_json::{Map, Value};

/// What `patch` makes of `target`: `null` takes a field away, an object goes into its counterpart, all else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, change) in patch {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.as_str()).or_insert(Value::Null), change);
        }
    }
}

/// The draft of a service, changed. A check of another kind does not keep the path or the command of the old one.
pub(crate) fn change(draft: &Value, patch: &Value) -> Value {
    let mut draft = draft.clone();
    let kind = patch.pointer("/check/kind").filter(|kind| Some(*kind) != draft.pointer("/check/kind"));
    if let (Some(_), Some(Value::Object(check))) = (kind, draft.pointer_mut("/check")) {
        check.remove("path");
        check.remove("command");
    }
    merge(&mut draft, patch);
    draft
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(target: Value, patch: Value, expect: Value) {
        let mut merged = target;
        merge(&mut merged, &patch);
        assert_eq!(merged, expect);
    }

    #[test]
    fn the_examples_of_the_rfc() {
        check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"}));
        check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
        check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
        check(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}}));
        check(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}));
        check(json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"]));
        check(json!({"a": "foo"}), json!(null), json!(null));
        check(json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1}));
        check(json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"}));
        check(json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}}));
    }

    #[test]
    fn a_check_of_another_kind_leaves_its_path_behind() {
        let draft = json!({"check": {"kind": "http", "path": "/a", "retries": 3}});
        let tcp = change(&draft, &json!({"check": {"kind": "tcp"}}));
        assert_eq!(tcp, json!({"check": {"kind": "tcp", "retries": 3}}));
        let same = change(&draft, &json!({"check": {"kind": "http"}}));
        assert_eq!(same, draft);
    }
}
