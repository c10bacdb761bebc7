//! What a change did to the value of its key, as JSON: for faces that tell of it in text.
//!
//! Bytes that are no UTF-8 stand as base64 (RFC 4648 4): under `NAME_base64` where they have a name, in an object
//! `{"base64": "..."}` as an element.

use serde_json::{Map, Value as Json, json};

use crate::{Blob, Op};

mod aggregate;

pub use aggregate::elements_of;

/// Elements in order.
pub fn elements<'a>(elements: impl Iterator<Item = &'a Blob>) -> Json {
    elements.map(|element| bytes(element)).collect()
}

/// Bytes without a name.
fn bytes(bytes: &[u8]) -> Json {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({"base64": base64(bytes)}),
    }
}

/// Bytes with a name.
pub fn put_bytes(data: &mut Map<String, Json>, name: &str, bytes: &[u8]) {
    match str::from_utf8(bytes) {
        Ok(text) => data.insert(name.to_string(), text.into()),
        Err(_) => data.insert(format!("{name}_base64"), base64(bytes).into()),
    };
}

/// The delta that is no whole value: `{"append": ...}`, `{"rank": r, "remove": n, "insert": [...]}` of a list, or what
/// [`edits`](crate::Edits) say of the elements of another aggregate.
pub fn delta(op: &Op) -> Option<Json> {
    match op {
        Op::Append(tail) => {
            let mut delta = Map::new();
            put_bytes(&mut delta, "append", tail);
            Some(delta.into())
        }
        Op::Splice { rank, remove, insert } => {
            Some(json!({"rank": rank, "remove": remove, "insert": elements(insert.iter())}))
        }
        Op::Edit(edits) => Some(aggregate::edits(edits)),
        Op::Put { .. } | Op::Delete | Op::SetDeadline(_) | Op::Clear => None,
    }
}

pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let insert = [Blob::from("a"), Blob::from(b"\xff")].into_iter().collect();
        let splice = Op::Splice { rank: 0, remove: 1, insert };
        assert_eq!(
            delta(&splice),
            Some(json!({"rank": 0, "remove": 1, "insert": ["a", {"base64": "/w=="}]}))
        );
        assert_eq!(delta(&Op::Append("x".into())), Some(json!({"append": "x"})));
        assert_eq!(delta(&Op::Append(b"\xff".into())), Some(json!({"append_base64": "/w=="})));
        assert_eq!(delta(&Op::Delete), None);
    }

    #[test]
    fn the_examples_of_the_rfc() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xfe]), "/+/+");
    }
}
