//! Changing a draft by a JSON merge patch (RFC 7396), with two conveniences on top: a check of another kind leaves nothing
//! of the old one behind, and a list of routes, ports or tags may be changed in part:
//!
//! ```text
//! {"routes": {"remove": ["Host(old.local)"], "add": ["Host(new.local); priority=1"]}}
//! ```

use adsum_stack::{Problem, names_port, names_route, names_ulimit};
use serde_json::{Map, Value};

/// A list that may be changed in part, and how what is to be taken away names what is there.
type List = (&'static str, fn(&str, &str) -> bool);

const LISTS: [List; 4] =
    [("routes", names_route), ("publish", names_port), ("tags", str::eq), ("ulimits", names_ulimit)];

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

/// The draft of a service, changed, and what of the patch means nothing.
pub(crate) fn change(draft: &Value, patch: &Value) -> (Value, Vec<Problem>) {
    let mut draft = draft.clone();
    let kind = patch.pointer("/check/kind").filter(|kind| Some(*kind) != draft.pointer("/check/kind"));
    if let (Some(_), Some(Value::Object(check))) = (kind, draft.pointer_mut("/check")) {
        check.remove("path");
        check.remove("command");
    }
    let mut patch = patch.clone();
    let mut problems = Vec::new();
    for (name, names) in LISTS {
        if let Some(Value::Object(partial)) = patch.get(name) {
            let changed = change_list(name, draft.get(name), partial, names, &mut problems);
            patch[name] = changed;
        }
    }
    merge(&mut draft, &patch);
    (draft, problems)
}

/// A list without what is to be removed and with what is to be added.
fn change_list(
    name: &str,
    list: Option<&Value>,
    change: &Map<String, Value>,
    names: fn(&str, &str) -> bool,
    problems: &mut Vec<Problem>,
) -> Value {
    let mut list = list.and_then(Value::as_array).cloned().unwrap_or_default();
    let part = |part: &str| change.get(part).and_then(Value::as_array).cloned().unwrap_or_default();
    for (key, value) in change.iter().filter(|(key, value)| !is_part(key, value)) {
        let advice = "is no change of a list: write it like {\"add\": [\"a\"], \"remove\": [\"b\"]}";
        problems.push(Problem::new(format!("{name}.{key}"), value, advice));
    }
    for gone in part("remove") {
        let text = gone.as_str().unwrap_or_default();
        let before = list.len();
        list.retain(|there| !there.as_str().is_some_and(|there| names(text, there)));
        if list.len() == before {
            let there: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            let there = if there.is_empty() { "nothing".to_string() } else { there.join(", ") };
            let advice = format!("is not there to be removed: there is {there}");
            problems.push(Problem::new(format!("{name}.remove"), text, advice));
        }
    }
    let added = part("add");
    if name == "ulimits" {
        // A resource has one limit: the new one.
        let resource =
            |limit: &Value| limit.as_str().and_then(|text| Some(text.split_once('=')?.0.to_string()));
        list.retain(|there| !added.iter().any(|new| resource(new) == resource(there)));
    }
    list.extend(added);
    Value::Array(list)
}

fn is_part(key: &str, value: &Value) -> bool {
    let texts = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    matches!(key, "add" | "remove") && texts
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
        let (tcp, _) = change(&draft, &json!({"check": {"kind": "tcp"}}));
        assert_eq!(tcp, json!({"check": {"kind": "tcp", "retries": 3}}));
        let (same, _) = change(&draft, &json!({"check": {"kind": "http"}}));
        assert_eq!(same, draft);
    }

    #[test]
    fn a_ulimit_takes_the_place_of_the_one_before_and_goes_by_its_name() {
        let draft = json!({"ulimits": ["core=0", "nofile=1:2", "nproc=9"]});
        let patch = json!({"ulimits": {"add": ["nofile=5"], "remove": ["nproc"]}});
        assert_eq!(change(&draft, &patch), (json!({"ulimits": ["core=0", "nofile=5"]}), vec![]));
    }

    #[test]
    fn a_list_is_changed_in_part() {
        let draft = json!({"routes": ["Host(a)", "Host(b); priority=1"], "publish": ["80/tcp"], "labels": {"a": "1"}});
        let patch = json!({
            "routes": {"remove": ["Host(`b`)"], "add": ["Host(c)"]}, "publish": {"remove": ["80"], "add": ["80"]},
            "labels": {"a": null, "b": "2"},
        });
        let expect = json!({"routes": ["Host(a)", "Host(c)"], "publish": ["80"], "labels": {"b": "2"}});
        assert_eq!(change(&draft, &patch), (expect, vec![]));
        let whole = json!({"routes": ["Host(d)"]});
        assert_eq!(change(&draft, &whole).0["routes"], json!(["Host(d)"]));
    }

    #[test]
    fn what_is_not_there_cannot_be_removed() {
        let draft = json!({"publish": ["80"]});
        let (_, problems) = change(&draft, &json!({"publish": {"remove": ["81"], "ad": ["1"], "add": "x"}}));
        let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[2].contains("'81' is not there to be removed: there is 80"), "{found:?}");
    }
}
