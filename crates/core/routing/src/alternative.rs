//! A rule as alternatives: each a list of conditions that all have to hold. This is the form in which rules are indexed,
//! ranked and compared.
//!
//! ```text
//! (Host(a) || Host(b)) && !(Path(/x) || Method(PUT))
//!   Host(a), !Path(/x), !Method(PUT)
//!   Host(b), !Path(/x), !Method(PUT)
//! ```

use adsum_model::Rule;

use crate::asked::Asked;
use crate::literal::{Atom, Literal};
use crate::matching::matches;
use crate::path;

/// Alternatives of one rule at most; a rule with more is kept as it is, and ranks last.
const ALTERNATIVES: usize = 512;
/// Conditions in all alternatives of one rule at most.
const LITERALS: usize = 8192;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alternative {
    /// All of these hold. Sorted, none twice.
    All(Vec<Literal>),
    /// A rule with too many alternatives to be taken apart.
    Whole(Rule),
}

impl Alternative {
    /// All alternatives that can be met, sorted, none twice. A route and the same written in another way have the same.
    pub(crate) fn of(rule: &Rule) -> Vec<Alternative> {
        let Some(expanded) = expand(rule, true) else { return vec![Alternative::Whole(rule.clone())] };
        let mut alternatives: Vec<Alternative> =
            expanded.into_iter().filter_map(conjunction).map(Alternative::All).collect();
        alternatives.sort();
        alternatives.dedup();
        alternatives
    }

    pub(crate) fn matches(&self, request: &Asked<'_>) -> bool {
        match self {
            Alternative::All(literals) => literals.iter().all(|literal| literal.matches(request)),
            Alternative::Whole(rule) => matches(rule, request),
        }
    }

    /// Whether it takes every request that the other takes, as far as that can be proven.
    pub(crate) fn covers(&self, other: &Alternative) -> bool {
        let (Alternative::All(mine), Alternative::All(others)) = (self, other) else { return false };
        mine.iter().all(|wide| others.iter().any(|narrow| narrow.implies(wide)))
    }

    /// Whether one request may fit both; false only where it is proven that none does.
    pub(crate) fn may_meet(&self, other: &Alternative) -> bool {
        let (Alternative::All(mine), Alternative::All(others)) = (self, other) else { return true };
        !mine.iter().any(|one| others.iter().any(|other| one.contradicts(other)))
    }

    /// The conditions that must hold; none of a rule that was not taken apart.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Atom> {
        self.literals().iter().filter(|literal| literal.wanted).map(|literal| &literal.atom)
    }

    pub(crate) fn literals(&self) -> &[Literal] {
        match self {
            Alternative::All(literals) => literals,
            Alternative::Whole(_) => &[],
        }
    }
}

/// The rule with its paths as requests have them. A path that no request can have stays as it is.
pub(crate) fn with_normal_paths(rule: &Rule) -> Rule {
    let all = |rules: &[Rule]| rules.iter().map(with_normal_paths).collect();
    let normal =
        |path: &String| path::normalise(path).map_or_else(|_| path.clone(), |path| path.into_owned());
    match rule {
        Rule::All(rules) => Rule::All(all(rules)),
        Rule::Any(rules) => Rule::Any(all(rules)),
        Rule::Not(rule) => Rule::Not(Box::new(with_normal_paths(rule))),
        Rule::Path(path) => Rule::Path(normal(path)),
        Rule::PathPrefix(path) => Rule::PathPrefix(normal(path)),
        Rule::Host(_) | Rule::Header { .. } | Rule::Method(_) => rule.clone(),
    }
}

/// The alternatives of a rule or of its opposite; none when there are too many.
fn expand(rule: &Rule, wanted: bool) -> Option<Vec<Vec<Literal>>> {
    match (rule, wanted) {
        (Rule::Not(rule), _) => expand(rule, !wanted),
        (Rule::All(rules), true) | (Rule::Any(rules), false) => {
            rules.iter().try_fold(vec![vec![]], |product, rule| multiply(&product, &expand(rule, wanted)?))
        }
        (Rule::Any(rules), true) | (Rule::All(rules), false) => {
            let parts: Option<Vec<_>> = rules.iter().map(|rule| expand(rule, wanted)).collect();
            bounded(parts?.into_iter().flatten().collect())
        }
        (Rule::Host(_) | Rule::Path(_) | Rule::PathPrefix(_) | Rule::Header { .. } | Rule::Method(_), _) => {
            let atom = Atom::of(rule)?;
            Some(vec![vec![Literal { atom, wanted }]])
        }
    }
}

fn multiply(these: &[Vec<Literal>], those: &[Vec<Literal>]) -> Option<Vec<Vec<Literal>>> {
    if these.len() * those.len() > ALTERNATIVES {
        return None;
    }
    let pairs = these.iter().flat_map(|one| those.iter().map(move |other| (one, other)));
    bounded(pairs.map(|(one, other)| one.iter().chain(other).cloned().collect()).collect())
}

fn bounded(alternatives: Vec<Vec<Literal>>) -> Option<Vec<Vec<Literal>>> {
    let literals: usize = alternatives.iter().map(Vec::len).sum();
    (alternatives.len() <= ALTERNATIVES && literals <= LITERALS).then_some(alternatives)
}

/// Sorted, none twice, none that always holds; nothing when no request fits all.
fn conjunction(mut literals: Vec<Literal>) -> Option<Vec<Literal>> {
    literals.retain(|literal| !literal.holds_always());
    literals.sort();
    literals.dedup();
    let mut pairs = literals
        .iter()
        .enumerate()
        .flat_map(|(at, one)| literals[at + 1..].iter().map(move |other| (one, other)));
    let contradictory = pairs.any(|(one, other)| one.contradicts(other));
    let met = !contradictory && literals.iter().all(Literal::can_be_met);
    met.then_some(literals)
}
