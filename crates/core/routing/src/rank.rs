//! Which of two routes that a request fits has it.
//!
//! In this order: the higher priority; the more specific host (a name, then the longer wildcard, then none); the more
//! specific path (a whole one, then the longer prefix, then none); more further conditions; the older service; the
//! service's name; the route's place in its service. A rule with alternatives ranks as that many routes. A rule that has
//! too many to be told apart ranks as the least specific one of its priority.

use std::cmp::Reverse;

use adsum_model::Name;

use crate::alternative::Alternative;
use crate::literal::Atom;

/// What comes first is smaller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) priority: Reverse<i32>,
    pub(crate) specificity: Reverse<Specificity>,
    pub(crate) age: Age,
    /// Which of the route's alternatives it is.
    pub(crate) alternative: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Specificity {
    host: Part,
    path: Part,
    further: usize,
}

/// How much of a host or a path a condition fixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    #[default]
    Free,
    /// So many letters of it.
    Letters(usize),
    Whole,
}

/// Which of two routes was there first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age {
    /// Of the service, in Unix milliseconds.
    pub(crate) created: u64,
    pub(crate) service: Name,
    /// The route's place in its service.
    pub(crate) place: usize,
}

impl Specificity {
    pub(crate) fn of(alternative: &Alternative) -> Specificity {
        let host = alternative.wanted().map(Part::of_host).max().unwrap_or_default();
        let path = alternative.wanted().map(Part::of_path).max().unwrap_or_default();
        let counted = usize::from(host != Part::Free) + usize::from(path != Part::Free);
        Specificity { host, path, further: alternative.literals().len() - counted }
    }
}

impl Part {
    fn of_host(atom: &Atom) -> Part {
        match atom {
            Atom::Host(_) => Part::Whole,
            Atom::HostBelow(suffix) => Part::Letters(suffix.len()),
            Atom::Path(_) | Atom::PathPrefix(_) | Atom::Header { .. } | Atom::Method(_) => Part::Free,
        }
    }

    fn of_path(atom: &Atom) -> Part {
        match atom {
            Atom::Path(_) => Part::Whole,
            Atom::PathPrefix(prefix) => Part::Letters(prefix.len()),
            Atom::Host(_) | Atom::HostBelow(_) | Atom::Header { .. } | Atom::Method(_) => Part::Free,
        }
    }
}
