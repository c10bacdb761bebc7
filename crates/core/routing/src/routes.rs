//! The routes of all services, ranked and indexed. Made from the wishes alone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use adsum_model::Publish;

use crate::alternative::Alternative;
use crate::asked::Asked;
use crate::index::{Index, Key};
use crate::problem::Problem;
use crate::rank::{Age, Rank, Specificity};
use crate::review;
use crate::route::RouteEntry;
use crate::wish::Wish;

#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    pub(crate) wishes: Vec<Wish>,
    /// By service, then place.
    pub(crate) entries: Vec<RouteEntry>,
    pub(crate) choices: Vec<Choice>,
    /// Best first.
    pub(crate) ranked: Vec<Ranked>,
    pub(crate) index: Index,
    pub(crate) ports: BTreeMap<u16, Port>,
    pub(crate) problems: Vec<Problem>,
}

/// Routes with the same priority and the same rule.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The oldest first. When they do not share, it has all requests.
    pub(crate) entries: Vec<usize>,
    pub(crate) shares: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    pub(crate) rank: Rank,
    pub(crate) alternative: Alternative,
    pub(crate) choice: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) publish: Publish,
    pub(crate) entry: RouteEntry,
}

/// What makes routes the same but for their weight.
type Likeness = (Reverse<i32>, Vec<Alternative>);

impl Routes {
    pub(crate) fn of(wishes: Vec<Wish>) -> Routes {
        let mut routes = Routes { wishes, ..Routes::default() };
        let ages = routes.enter();
        let alike = routes.group(&ages);
        routes.rank(alike, &ages);
        routes.publish();
        routes.problems = review::problems(&routes);
        routes
    }

    /// Who has the request: the best of those that fit.
    pub(crate) fn find(&self, request: &Asked<'_>) -> Option<&Choice> {
        let key = Key::of_request(request.host(), request.path);
        let mut best = u32::MAX;
        for list in self.index.lists(key) {
            let better = list.iter().take_while(|rank| **rank < best);
            let fits = |rank: &&u32| self.ranked[**rank as usize].alternative.matches(request);
            best = better.into_iter().copied().find(|rank| fits(&rank)).unwrap_or(best);
        }
        let ranked = self.ranked.get(best as usize)?;
        Some(&self.choices[ranked.choice])
    }

    fn enter(&mut self) -> Vec<Age> {
        let mut ages = Vec::new();
        for wish in &self.wishes {
            for (place, route) in wish.routes.iter().enumerate() {
                self.entries.push(RouteEntry::of(&wish.service, place, route));
                ages.push(Age { created: wish.created, service: wish.service.clone(), place });
            }
        }
        ages
    }

    fn group(&self, ages: &[Age]) -> BTreeMap<Likeness, Vec<usize>> {
        let mut by_age: Vec<usize> = (0..self.entries.len()).collect();
        by_age.sort_by_key(|entry| &ages[*entry]);
        let mut alike: BTreeMap<Likeness, Vec<usize>> = BTreeMap::new();
        for entry in by_age {
            let route = &self.entries[entry];
            let likeness = (Reverse(route.priority), Alternative::of(&route.rule));
            alike.entry(likeness).or_default().push(entry);
        }
        alike
    }

    fn rank(&mut self, alike: BTreeMap<Likeness, Vec<usize>>, ages: &[Age]) {
        for ((priority, alternatives), entries) in alike {
            let (choice, oldest) = (self.choices.len(), entries[0]);
            for (number, alternative) in alternatives.into_iter().enumerate() {
                let specificity = Reverse(Specificity::of(&alternative));
                let rank = Rank { priority, specificity, age: ages[oldest].clone(), alternative: number };
                self.ranked.push(Ranked { rank, alternative, choice });
            }
            let shares =
                entries.len() > 1 && entries.iter().all(|entry| self.entries[*entry].weight.is_some());
            self.choices.push(Choice { entries, shares });
        }
        self.ranked.sort_by(|one, other| one.rank.cmp(&other.rank));
        for (rank, ranked) in self.ranked.iter().enumerate() {
            self.index.insert(Key::of(&ranked.alternative), rank as u32);
        }
    }

    /// A port is the oldest service's that publishes it.
    fn publish(&mut self) {
        let mut by_age: Vec<&Wish> = self.wishes.iter().collect();
        by_age.sort_by_key(|wish| (wish.created, &wish.service));
        for wish in by_age {
            for publish in &wish.publish {
                let entry = || RouteEntry::of_port(&wish.service, publish);
                self.ports.entry(publish.port).or_insert_with(|| Port { publish: *publish, entry: entry() });
            }
        }
    }
}

impl Choice {
    /// Those that get requests.
    pub(crate) fn taking(&self) -> &[usize] {
        if self.shares { &self.entries } else { &self.entries[..1] }
    }
}
