//! One condition on a request, or its opposite, and what can be said of two of them.
//!
//! What is said here is true for every request. Where the answer is not known it is "no": two literals of which neither
//! implies the other and that are not disjoint may still never meet.

use adsum_model::Rule;

use crate::asked::Asked;
use crate::matching::{LONGEST_HOST, has_header, is_below};
use crate::path;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom {
    Host(Box<str>),
    /// `.shop.local`: every host that ends with it and is longer.
    HostBelow(Box<str>),
    Path(Box<str>),
    PathPrefix(Box<str>),
    Header {
        name: Box<str>,
        value: Box<str>,
    },
    Method(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Literal {
    pub(crate) atom: Atom,
    /// False is the opposite.
    pub(crate) wanted: bool,
}

impl Atom {
    /// A rule that is a single matcher.
    pub(crate) fn of(rule: &Rule) -> Option<Atom> {
        match rule {
            Rule::All(_) | Rule::Any(_) | Rule::Not(_) => None,
            Rule::Host(host) => Some(match host.strip_prefix('*') {
                Some(suffix) => Atom::HostBelow(suffix.into()),
                None => Atom::Host(host.as_str().into()),
            }),
            Rule::Path(path) => Some(Atom::Path(path.as_str().into())),
            Rule::PathPrefix(prefix) => Some(Atom::PathPrefix(prefix.as_str().into())),
            Rule::Header { name, value } => {
                Some(Atom::Header { name: name.as_str().into(), value: value.as_str().into() })
            }
            Rule::Method(method) => Some(Atom::Method(method.as_str().into())),
        }
    }

    fn matches(&self, request: &Asked<'_>) -> bool {
        match self {
            Atom::Host(host) => **host == *request.host(),
            Atom::HostBelow(suffix) => is_below(request.host(), suffix),
            Atom::Path(path) => **path == *request.path,
            Atom::PathPrefix(prefix) => path::is_under(prefix, request.path),
            Atom::Header { name, value } => has_header(request, name, value),
            Atom::Method(method) => request.method == &**method,
        }
    }

    /// Whether every request that fits this one fits the other.
    fn implies(&self, other: &Atom) -> bool {
        match (self, other) {
            (Atom::Host(host), Atom::HostBelow(suffix)) => is_below(host, suffix),
            (Atom::HostBelow(inner), Atom::HostBelow(outer)) => inner.ends_with(&**outer),
            (Atom::Path(path), Atom::PathPrefix(prefix)) => path::is_under(prefix, path),
            (Atom::PathPrefix(inner), Atom::PathPrefix(outer)) => path::is_under(outer, inner),
            (one, other) => one == other,
        }
    }

    /// Whether no request fits both.
    fn is_disjoint(&self, other: &Atom) -> bool {
        match (self, other) {
            (Atom::Host(one), Atom::Host(other)) => one != other,
            (Atom::Path(one), Atom::Path(other)) => one != other,
            (Atom::Method(one), Atom::Method(other)) => one != other,
            (Atom::Host(_) | Atom::HostBelow(_), Atom::Host(_) | Atom::HostBelow(_))
            | (Atom::Path(_) | Atom::PathPrefix(_), Atom::Path(_) | Atom::PathPrefix(_)) => {
                !self.implies(other) && !other.implies(self)
            }
            (_, _) => false,
        }
    }

    fn is_everywhere(&self) -> bool {
        matches!(self, Atom::PathPrefix(prefix) if **prefix == *"/")
    }

    /// Whether some request fits it: a path that no request has after normalisation is never met.
    fn can_be_met(&self) -> bool {
        match self {
            Atom::Path(path) | Atom::PathPrefix(path) => path::is_normal(path),
            Atom::HostBelow(suffix) => suffix.len() < LONGEST_HOST,
            Atom::Host(_) | Atom::Header { .. } | Atom::Method(_) => true,
        }
    }
}

impl Literal {
    pub(crate) fn matches(&self, request: &Asked<'_>) -> bool {
        self.atom.matches(request) == self.wanted
    }

    /// Whether every request that fits this one fits the other.
    pub(crate) fn implies(&self, other: &Literal) -> bool {
        match (self.wanted, other.wanted) {
            (true, true) => self.atom.implies(&other.atom),
            (true, false) => self.atom.is_disjoint(&other.atom),
            (false, false) => other.atom.implies(&self.atom),
            (false, true) => false,
        }
    }

    /// Whether no request fits both.
    pub(crate) fn contradicts(&self, other: &Literal) -> bool {
        match (self.wanted, other.wanted) {
            (true, true) => self.atom.is_disjoint(&other.atom),
            (true, false) => self.atom.implies(&other.atom),
            (false, true) => other.atom.implies(&self.atom),
            (false, false) => false,
        }
    }

    /// Every path begins with `/`.
    pub(crate) fn holds_always(&self) -> bool {
        self.wanted && self.atom.is_everywhere()
    }

    pub(crate) fn can_be_met(&self) -> bool {
        if !self.wanted { !self.atom.is_everywhere() } else { self.atom.can_be_met() }
    }
}
