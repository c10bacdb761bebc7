//! The id of an instance.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names one running copy of one version, for ever: an id is never given twice. Twelve characters of `a-z` and `2-7`,
/// so that it is a DNS label too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(Box<str>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no instance id: twelve of a-z and 2-7 are wanted")]
pub struct ParseIdError(String);

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const LENGTH: usize = 12;

impl InstanceId {
    /// Spells out the lower 60 bits of `seed`.
    pub fn from_seed(seed: u64) -> InstanceId {
        let text: String =
            (0..LENGTH).map(|i| char::from(ALPHABET[(seed >> (5 * i)) as usize & 31])).collect();
        InstanceId(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<InstanceId, ParseIdError> {
        if text.len() == LENGTH && text.bytes().all(|b| ALPHABET.contains(&b)) {
            Ok(InstanceId(text.into()))
        } else {
            Err(ParseIdError(text.to_string()))
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<InstanceId, ParseIdError> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.0.into()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_parses_what_it_prints() {
        let id = InstanceId::from_seed(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("abc".parse::<InstanceId>().is_err());
        assert!("ABCDEFGHIJKL".parse::<InstanceId>().is_err());
    }
}
