//! A path with its query, each part percent-encoded, so that any text can be a part.

use std::fmt::{self, Display, Write};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    has_query: bool,
}

impl Path {
    /// `Path::of(&["v1", "kv", key])`: a `/` inside a part is a letter of it.
    pub(crate) fn of(parts: &[&str]) -> Path {
        let path = Path { text: String::new(), has_query: false };
        parts.iter().fold(path, |path, part| path.join(part))
    }

    /// One part more; before the query.
    pub(crate) fn join(mut self, part: &str) -> Path {
        self.text.push('/');
        self.encode(part);
        self
    }

    pub(crate) fn query(mut self, name: &str, value: impl Display) -> Path {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        self.encode(&value.to_string());
        self
    }

    /// The same when there is a value.
    pub(crate) fn query_if(self, name: &str, value: Option<impl Display>) -> Path {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// RFC 3986 2.3: everything but the unreserved.
    fn encode(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    self.text.push(char::from(byte));
                }
                _ => write!(self.text, "%{byte:02X}").expect("a string takes everything"),
            }
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_a_part_or_a_value() {
        let path = Path::of(&["v1", "kv", "/etc/ä b?"]).query("keys", true).query_if("x", Some("a&b"));
        assert_eq!(path.as_str(), "/v1/kv/%2Fetc%2F%C3%A4%20b%3F?keys=true&x=a%26b");
        assert_eq!(Path::of(&["api"]).query_if("x", None::<u32>).as_str(), "/api");
    }
}
