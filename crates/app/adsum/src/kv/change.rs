//! A change of a key as the agent tells it, in parts of a line.

use serde_json::Value;

/// `set`, or several names of one change.
pub(super) fn event(json: &Value) -> Option<String> {
    let names = json.get("events").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    if names.is_empty() { json.get("event")?.as_str().map(str::to_string) } else { Some(names.join(",")) }
}

/// What the key has now, or what was done to it.
pub(super) fn value(json: &Value) -> Option<String> {
    let structure = || json.get("value").or(json.get("delta")).map(Value::to_string);
    bytes(json, "value").or_else(structure)
}

/// When the key ends.
pub(super) fn expires(json: &Value) -> Option<String> {
    json.get("expires")?.as_u64().map(|moment| format!("expires {}", adsum_runtime::rfc3339(moment)))
}

/// Text, or else `base64:` and what it is in that.
pub(super) fn bytes(json: &Value, name: &str) -> Option<String> {
    let text = json.get(name).and_then(Value::as_str).map(escape);
    let binary = || json.get(format!("{name}_base64"))?.as_str().map(|base64| format!("base64:{base64}"));
    text.or_else(binary)
}

/// An event is a line, whatever its value is.
fn escape(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '\\' => "\\\\".to_string(),
        letter if letter.is_control() => letter.escape_default().to_string(),
        letter => letter.to_string(),
    });
    letters.collect()
}
