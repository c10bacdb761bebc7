//! Where the records of what clients register stand, and what their keys say.

use adsum_model::registered::Check;

use crate::registry::Key;

pub(super) fn node_key(name: &str) -> String {
    format!("external/{}", node_part(name))
}

pub(super) fn service_key(node: &str, id: &str) -> String {
    format!("registered/{}/{}", node_part(node), escape(id))
}

pub(super) fn check_key(node: &str, id: &str) -> String {
    format!("{}{}", checks_prefix(node), escape(id))
}

pub(super) fn checks_prefix(node: &str) -> String {
    format!("{CHECKS_AT}{}/", node_part(node))
}

pub(super) fn attached_prefix(node: &str, service: &str) -> String {
    format!("check-of/{}/{}/", node_part(node), escape(service))
}

pub(super) fn attached_key(check: &Check) -> String {
    format!("{}{}", attached_prefix(&check.node, &check.service), escape(&check.id))
}

pub(super) fn beat_key(node: &str, id: &str) -> String {
    format!("{BEATS}{}/{}", node_part(node), escape(id))
}

pub(super) const CHECKS_AT: &str = "check/";

/// What the keys of signs of life begin with.
pub const BEATS: &str = "beat/";

/// The check that a key of a sign of life is of.
pub fn beat_of(key: &[u8]) -> Option<Key> {
    parts(str::from_utf8(key).ok()?.strip_prefix(BEATS)?)
}

pub(super) fn node_part(node: &str) -> String {
    escape(&node.to_lowercase())
}

pub(super) fn escape(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

pub(crate) fn unescape(part: &str) -> String {
    part.replace("%2F", "/").replace("%25", "%")
}

/// `NODE/ID`
pub(crate) fn parts(rest: &str) -> Option<Key> {
    let (node, id) = rest.split_once('/')?;
    Some((unescape(node), unescape(id)))
}
