//! What is wrong with routes. What is said to be never reached is proven to be; a conflict is reported where it cannot be
//! ruled out that one request fits both of two routes that nothing but age ranks.

use std::collections::BTreeSet;

use adsum_model::{Rule, Target};

use crate::alternative::Alternative;
use crate::index::Key;
use crate::path;
use crate::problem::Problem;
use crate::redirect;
use crate::route::RouteEntry;
use crate::routes::{Choice, Ranked, Routes};

/// Problems that are listed at most.
pub(crate) const LISTED: usize = 1000;
/// Better alternatives that each one is compared with at most, so that the time it takes grows with the number of
/// routes and not with its square. With more of them on the same host and path segment a problem may go unseen.
const COMPARED: usize = 1000;

/// Sorted, none twice.
pub(crate) fn problems(routes: &Routes) -> Vec<Problem> {
    let mut found: BTreeSet<Problem> = routes.entries.iter().flat_map(of_entry).collect();
    for (choice, ranks) in routes.choices.iter().zip(ranks(routes)) {
        found.extend(of_choice(routes, choice, &ranks));
    }
    found.extend(unsplit(routes));
    found.extend(of_ports(routes));
    let more = found.len().saturating_sub(LISTED);
    let mut listed: Vec<Problem> = found.into_iter().take(LISTED).collect();
    listed.extend((more > 0).then_some(Problem::More { count: more }));
    listed
}

/// By choice, the ranks of its alternatives.
fn ranks(routes: &Routes) -> Vec<Vec<usize>> {
    let mut ranks = vec![Vec::new(); routes.choices.len()];
    routes.ranked.iter().enumerate().for_each(|(rank, ranked)| ranks[ranked.choice].push(rank));
    ranks
}

/// What can be seen of a route alone.
fn of_entry(entry: &RouteEntry) -> Vec<Problem> {
    let mut found = Vec::new();
    impossible_paths(&entry.rule, entry, &mut found);
    if let Target::RedirectToInstance { service: pattern } = &entry.target {
        let route = entry.label.clone();
        if !redirect::has_prefix(&entry.rule) {
            found.push(Problem::RedirectWithoutPrefix { route: route.clone() });
        }
        if !redirect::names_something(pattern) {
            found.push(Problem::RedirectPattern { route, pattern: pattern.clone() });
        }
    }
    found
}

fn impossible_paths(rule: &Rule, entry: &RouteEntry, found: &mut Vec<Problem>) {
    match rule {
        Rule::All(rules) | Rule::Any(rules) => {
            rules.iter().for_each(|rule| impossible_paths(rule, entry, found))
        }
        Rule::Not(rule) => impossible_paths(rule, entry, found),
        Rule::Path(path) | Rule::PathPrefix(path) => {
            let problem = path::normalise(path).err().map(|reason| Problem::ImpossiblePath {
                route: entry.label.clone(),
                path: path.clone(),
                reason: reason.to_string(),
            });
            found.extend(problem);
        }
        Rule::Host(_) | Rule::Header { .. } | Rule::Method(_) => {}
    }
}

/// Of routes with the same rule and priority, whose alternatives have these ranks.
fn of_choice(routes: &Routes, choice: &Choice, ranks: &[usize]) -> Vec<Problem> {
    if ranks.is_empty() {
        return choice.entries.iter().map(|entry| never_met(routes, *entry)).collect();
    }
    let mut found = of_likes(routes, choice);
    let shadowed = shadowed(routes, choice, ranks);
    if shadowed.is_empty() {
        found.extend(ranks.iter().filter_map(|rank| conflict(routes, *rank)));
    }
    found.extend(shadowed);
    found
}

fn never_met(routes: &Routes, entry: usize) -> Problem {
    Problem::NeverMet { route: routes.entries[entry].label.clone() }
}

/// What several of the same rule and priority make of each other.
fn of_likes(routes: &Routes, choice: &Choice) -> Vec<Problem> {
    let entries: Vec<&RouteEntry> = choice.entries.iter().map(|entry| &routes.entries[*entry]).collect();
    let oldest = entries[0];
    if choice.shares {
        let nothing = entries.iter().all(|entry| entry.weight == Some(0));
        return nothing.then(|| Problem::NoWeight { route: oldest.label.clone() }).into_iter().collect();
    }
    let weighted = entries.iter().find(|entry| entry.weight.is_some());
    let bare = entries.iter().filter(|entry| entry.weight.is_none());
    match weighted {
        None => entries[1..].iter().map(|entry| unweighted(oldest, entry)).collect(),
        Some(beside) => bare
            .map(|entry| Problem::WeightMissing {
                route: entry.label.clone(),
                beside: beside.label.clone(),
                winner: oldest.label.clone(),
            })
            .collect(),
    }
}

fn unweighted(oldest: &RouteEntry, entry: &RouteEntry) -> Problem {
    let (route, by) = (entry.label.clone(), oldest.label.clone());
    if oldest.service == entry.service {
        Problem::Shadowed { route, by }
    } else {
        Problem::Conflict { winner: by, loser: route }
    }
}

/// Routes are shadowed when something better takes all requests of each of their alternatives.
fn shadowed(routes: &Routes, choice: &Choice, ranks: &[usize]) -> Vec<Problem> {
    let covers: Option<Vec<&Ranked>> = ranks.iter().map(|rank| cover(routes, *rank)).collect();
    let Some(by) = covers.as_ref().and_then(|covers| covers.first()) else { return Vec::new() };
    let label = |entry: usize| routes.entries[entry].label.clone();
    let by = label(routes.choices[by.choice].entries[0]);
    choice.taking().iter().map(|entry| Problem::Shadowed { route: label(*entry), by: by.clone() }).collect()
}

/// The best alternative of another route that takes all requests of this one.
fn cover(routes: &Routes, rank: usize) -> Option<&Ranked> {
    let own = &routes.ranked[rank];
    better(routes, rank)
        .filter(|other| other.alternative.covers(&own.alternative))
        .min_by_key(|other| &other.rank)
}

/// With a better one of another service, between which and this one nothing but age decides.
fn conflict(routes: &Routes, rank: usize) -> Option<Problem> {
    let own = &routes.ranked[rank];
    let oldest = |ranked: &Ranked| &routes.entries[routes.choices[ranked.choice].entries[0]];
    let mut equal = better(routes, rank).filter(|other| {
        (other.rank.priority, other.rank.specificity) == (own.rank.priority, own.rank.specificity)
            && oldest(other).service != oldest(own).service
    });
    let other = equal.find(|other| other.alternative.may_meet(&own.alternative))?;
    Some(Problem::Conflict { winner: oldest(other).label.clone(), loser: oldest(own).label.clone() })
}

/// Alternatives of other routes that rank above this one, and fix no more of host and path than it does.
fn better(routes: &Routes, rank: usize) -> impl Iterator<Item = &Ranked> {
    let own = &routes.ranked[rank];
    let lists = routes.index.lists(Key::of(&own.alternative));
    let above = lists.flat_map(move |list| list.iter().take_while(move |other| (**other as usize) < rank));
    let others =
        above.map(|other| &routes.ranked[*other as usize]).filter(|other| other.choice != own.choice);
    others.take(COMPARED)
}

/// Routes whose rules are not taken apart.
fn unsplit(routes: &Routes) -> impl Iterator<Item = Problem> {
    let whole = routes.ranked.iter().filter(|ranked| matches!(ranked.alternative, Alternative::Whole(_)));
    let entries = whole.flat_map(|ranked| &routes.choices[ranked.choice].entries);
    entries.map(|entry| Problem::TooManyAlternatives { route: routes.entries[*entry].label.clone() })
}

fn of_ports(routes: &Routes) -> Vec<Problem> {
    let published =
        routes.wishes.iter().flat_map(|wish| wish.publish.iter().map(move |publish| (wish, publish)));
    let problem = published.filter_map(|(wish, publish)| {
        let (port, has) = (publish.port, &routes.ports[&publish.port]);
        if has.entry.service != wish.service {
            let (winner, loser) = (has.entry.service.clone(), wish.service.clone());
            return Some(Problem::PortTaken { port, winner, loser });
        }
        let twice = has.publish.protocol != publish.protocol;
        twice.then(|| Problem::PortTwice { port, service: wish.service.clone() })
    });
    problem.collect()
}
