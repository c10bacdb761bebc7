//! Dead man's switches: what is to be done when a key expires.
//!
//! A switch belongs to the name of a key of a user database, whatever the key holds and however often it is set anew.
//! It stands in the system space, and in the transaction in which its key expires, a **firing** of it is put beside
//! it: so there is one for each expiry, whatever happens in between, and none for a key that is deleted. Whoever does
//! what the firing says takes it out.
//!
//! ```text
//! switch/0:alive/web              restart web
//! fired/0:alive/web@1042          restart web       the key that was made at revision 1042 has expired
//! ```

use std::fmt;

use adsum_model::Revision;

use crate::{Blob, Database, Place, limits};

const SWITCH: &str = "switch/";
const FIRED: &str = "fired/";

/// What a switch does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Says so in the event log, with these words.
    Event(String),
    /// Sends a POST to this address.
    Webhook(String),
    /// Replaces the instances of the service with this name.
    Restart(String),
}

/// Words that are no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no action: write EVENT text, WEBHOOK http://..., or RESTART service, in {limit} bytes at most", limit = limits::ACTION)]
pub struct UnknownAction(String);

impl Action {
    /// Of a verb, in whatever case, and what it is about.
    pub fn of(verb: &str, operand: &str) -> Result<Action, UnknownAction> {
        if operand.len() > limits::ACTION {
            let shown: String = operand.chars().take(40).collect();
            return Err(UnknownAction(format!("{verb} {shown}...")));
        }
        let operand = operand.to_string();
        match verb.to_ascii_lowercase().as_str() {
            "event" => Ok(Action::Event(operand)),
            "webhook" if is_address(&operand) => Ok(Action::Webhook(operand)),
            "restart" if !operand.is_empty() => Ok(Action::Restart(operand)),
            _ => Err(UnknownAction(format!("{verb} {operand}"))),
        }
    }

    /// Of its own printed form.
    pub fn parse(text: &str) -> Result<Action, UnknownAction> {
        let (verb, operand) = text.split_once(' ').unwrap_or((text, ""));
        Action::of(verb, operand)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Event(text) => write!(f, "event {text}"),
            Action::Webhook(url) => write!(f, "webhook {url}"),
            Action::Restart(service) => write!(f, "restart {service}"),
        }
    }
}

/// `http://HOST[:PORT][/...]`, without a user.
fn is_address(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map(|(_, port)| port);
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    !authority.is_empty() && !authority.starts_with(':') && !authority.contains('@') && has_port
}

/// Where the switch of a key stands in the system space. None for a key that is of the system itself.
pub fn key_of(database: Database, key: &[u8]) -> Option<Blob> {
    named(SWITCH, database, key).map(Blob::from)
}

/// Where its firing stands when the key that was made at `created` has expired.
pub(crate) fn firing_of(database: Database, key: &[u8], created: Revision) -> Option<Blob> {
    let mut name = named(FIRED, database, key)?;
    name.extend_from_slice(format!("@{created}").as_bytes());
    Some(name.into())
}

/// The key that a switch is of.
pub fn place_of(switch: &[u8]) -> Option<Place> {
    parse(switch.strip_prefix(SWITCH.as_bytes())?)
}

/// The key that a firing is of, and the revision that the key was made at.
pub fn fired_place(firing: &[u8]) -> Option<(Place, Revision)> {
    let name = firing.strip_prefix(FIRED.as_bytes())?;
    let at = name.iter().rposition(|byte| *byte == b'@')?;
    let created = str::from_utf8(&name[at + 1..]).ok()?.parse().ok()?;
    Some((parse(&name[..at])?, Revision(created)))
}

/// What the names of all switches begin with.
pub fn all() -> &'static [u8] {
    SWITCH.as_bytes()
}

/// What the names of all firings begin with.
pub fn all_fired() -> &'static [u8] {
    FIRED.as_bytes()
}

fn named(kind: &str, database: Database, key: &[u8]) -> Option<Vec<u8>> {
    let Database::User(number) = database else { return None };
    Some([format!("{kind}{number}:").as_bytes(), key].concat())
}

fn parse(name: &[u8]) -> Option<Place> {
    let colon = name.iter().position(|byte| *byte == b':')?;
    let number: u8 = str::from_utf8(&name[..colon]).ok()?.parse().ok()?;
    Some((Database::User(number), Blob::from(&name[colon + 1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_reads_as_it_is_printed() {
        for action in ["event web is silent", "webhook http://127.0.0.1:9/x", "restart web", "event "] {
            assert_eq!(Action::parse(action).unwrap().to_string(), action);
        }
        assert_eq!(Action::of("RESTART", "web"), Ok(Action::Restart("web".to_string())));
        for right in ["http://h", "http://h:80/x", "http://[::1]/x", "http://[::1]:9"] {
            assert!(Action::of("webhook", right).is_ok(), "{right}");
        }
        for wrong in ["http://h:90000/x", "http://u:p@h/", "http://:80/", "http://", "https://h/"] {
            assert!(Action::of("webhook", wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "restart", "webhook ftp://x", "dance x"] {
            assert!(Action::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Action::of("event", &"x".repeat(limits::ACTION + 1)).is_err());
    }

    #[test]
    fn a_name_leads_back_to_its_key() {
        let place = (Database::User(3), Blob::from("a:b@c"));
        assert_eq!(place_of(&key_of(place.0, &place.1).unwrap()), Some(place.clone()));
        let firing = firing_of(place.0, &place.1, Revision(17)).unwrap();
        assert_eq!(fired_place(&firing), Some((place, Revision(17))));
        assert_eq!(key_of(Database::System, b"x"), None);
    }
}
