//! Names of services, nodes and stacks.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a service or node: a DNS label (RFC 1035 2.3.1 with the relaxation of RFC 1123), since every name is
/// also a DNS name. 1 to 63 of `a-z`, `0-9` and `-`, not beginning or ending with `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// Why a string is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name must not be empty")]
    Empty,
    #[error("name '{0}' is longer than 63 characters")]
    TooLong(String),
    #[error("name '{name}' has '{found}': use a-z, 0-9 and '-' only")]
    Character { name: String, found: char },
    #[error("name '{0}' must not begin or end with '-'")]
    Hyphen(String),
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(found) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            return Err(NameError::Character { name: text.to_string(), found });
        }
        if text.len() > 63 {
            return Err(NameError::TooLong(text.to_string()));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(NameError::Hyphen(text.to_string()));
        }
        Ok(Name(text.into()))
    }
}

/// A name orders as its text does, so that names can be looked up by any text.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Name, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_label() {
        assert_eq!("chirp-user-aym0566x".parse::<Name>().unwrap().as_str(), "chirp-user-aym0566x");
        assert_eq!("".parse::<Name>(), Err(NameError::Empty));
        assert_eq!("-a".parse::<Name>(), Err(NameError::Hyphen("-a".into())));
        assert_eq!("a_b".parse::<Name>(), Err(NameError::Character { name: "a_b".into(), found: '_' }));
        assert!(matches!("a".repeat(64).parse::<Name>(), Err(NameError::TooLong(_))));
    }
}
