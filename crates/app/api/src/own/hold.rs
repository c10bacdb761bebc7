//! Who among those that route has yet to let go of an instance that gets nothing new.

use adsum_catalog::Catalog;
use adsum_control::{Acknowledged, Routing};
use adsum_model::{Health, Instance, Phase};
use adsum_routing::Face;

/// The gateways, as of one moment.
pub(crate) struct Holds {
    pub(crate) members: Vec<Acknowledged>,
    catalog: Catalog,
}

impl Holds {
    pub(crate) fn of(routing: &Routing, catalog: &Catalog) -> Holds {
        Holds { members: routing.acknowledgements().members(catalog), catalog: catalog.clone() }
    }

    /// Those that are waited for.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = &Acknowledged> {
        self.members.iter().filter(|member| member.live && member.id.face == Face::Gateway)
    }

    /// A sentence for each that has not let go. None for an instance that may get something new.
    pub(crate) fn on(&self, instance: &Instance) -> Option<Vec<String>> {
        let gets_nothing_new = instance.phase == Phase::Running
            && matches!(instance.health, Health::Draining | Health::Maintenance);
        gets_nothing_new.then(|| self.holding(instance))
    }

    pub(crate) fn holding(&self, instance: &Instance) -> Vec<String> {
        let out_since = self.catalog.routed_since(&instance.id);
        let holding = self.gateways().filter_map(|member| {
            if member.applied < out_since {
                return Some(format!("{} does not know yet that it gets nothing new", member.id));
            }
            let in_flight = member.in_flight.get(&instance.id)?;
            Some(format!("{} has {in_flight} in flight", member.id))
        });
        holding.collect()
    }
}

#[cfg(test)]
impl Holds {
    pub(crate) fn new(members: Vec<Acknowledged>, catalog: Catalog) -> Holds {
        Holds { members, catalog }
    }
}
