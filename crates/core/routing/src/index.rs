//! Which alternatives a request may fit at all, by its host and its path's first segment, so that a thousand routes cost
//! little more than one.

use std::collections::BTreeMap;

use crate::alternative::Alternative;
use crate::literal::Atom;
use crate::matching::LONGEST_HOST;

/// The numbers are ranks: places in the list of all alternatives, best first. Each list is sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    exact: BTreeMap<Box<str>, Slot>,
    /// By `.shop.local`.
    below: BTreeMap<Box<str>, Slot>,
    any: Slot,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    by_segment: BTreeMap<Box<str>, Vec<u32>>,
    any: Vec<u32>,
}

/// Of what an alternative fixes, the part that it is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    host: Host<'a>,
    segment: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host<'a> {
    Exact(&'a str),
    Below(&'a str),
    Any,
}

impl<'a> Key<'a> {
    pub(crate) fn of(alternative: &'a Alternative) -> Key<'a> {
        let mut key = Key { host: Host::Any, segment: None };
        for atom in alternative.wanted() {
            match (atom, key.host) {
                (Atom::Host(host), _) => key.host = Host::Exact(host),
                (Atom::HostBelow(suffix), Host::Any) => key.host = Host::Below(suffix),
                (Atom::HostBelow(suffix), Host::Below(before)) if suffix.len() > before.len() => {
                    key.host = Host::Below(suffix);
                }
                (Atom::Path(path), _) => key.segment = Some(first_segment(path)),
                (Atom::PathPrefix(prefix), _) if &**prefix != "/" => {
                    key.segment = Some(first_segment(prefix))
                }
                (Atom::HostBelow(_) | Atom::PathPrefix(_) | Atom::Header { .. } | Atom::Method(_), _) => {}
            }
        }
        key
    }

    pub(crate) fn of_request(host: &'a str, path: &'a str) -> Key<'a> {
        Key { host: Host::Exact(host), segment: Some(first_segment(path)) }
    }

    /// What the host lies below, the longest first.
    fn suffixes(self) -> impl Iterator<Item = &'a str> {
        let (host, from) = match self.host {
            Host::Exact(host) => (host, 1),
            Host::Below(suffix) => (suffix, 0),
            Host::Any => ("", 0),
        };
        let host = if host.len() > LONGEST_HOST { "" } else { host };
        host.match_indices('.').map(|(dot, _)| dot).filter(move |dot| *dot >= from).map(|dot| &host[dot..])
    }
}

impl Index {
    /// Ranks have to come in order.
    pub(crate) fn insert(&mut self, key: Key<'_>, rank: u32) {
        let slot = match key.host {
            Host::Exact(host) => self.exact.entry(host.into()).or_default(),
            Host::Below(suffix) => self.below.entry(suffix.into()).or_default(),
            Host::Any => &mut self.any,
        };
        match key.segment {
            Some(segment) => slot.by_segment.entry(segment.into()).or_default().push(rank),
            None => slot.any.push(rank),
        }
    }

    /// Lists of all alternatives that what has the key may fit.
    pub(crate) fn lists<'a>(&'a self, key: Key<'a>) -> impl Iterator<Item = &'a [u32]> {
        let exact = match key.host {
            Host::Exact(host) => self.exact.get(host),
            Host::Below(_) | Host::Any => None,
        };
        let suffixes = (!self.below.is_empty()).then(|| key.suffixes()).into_iter().flatten();
        let below = suffixes.filter_map(|suffix| self.below.get(suffix));
        let slots = exact.into_iter().chain(below).chain([&self.any]);
        slots.flat_map(move |slot| slot.lists(key.segment))
    }
}

impl Slot {
    fn lists(&self, segment: Option<&str>) -> impl Iterator<Item = &[u32]> {
        let own = segment.and_then(|segment| self.by_segment.get(segment));
        own.map(Vec::as_slice).into_iter().chain([self.any.as_slice()])
    }
}

/// `/api/x` has `api`.
fn first_segment(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').next().unwrap_or_default()
}
