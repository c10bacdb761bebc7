//! What services want of the gateway, as far as routes and ports are made from it. The same wishes make the same routes,
//! so that they are all that has to be compared, and kept.

use adsum_catalog::{Catalog, ServiceState};
use adsum_model::{Name, Publish, Route};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) service: Name,
    /// Unix milliseconds.
    pub(crate) created: u64,
    pub(crate) routes: Vec<Route>,
    pub(crate) publish: Vec<Publish>,
}

/// A wish in the catalog, not copied yet.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    service: &'a Name,
    created: u64,
    routes: &'a [Route],
    publish: &'a [Publish],
}

/// The wishes of all services that are not being removed and have one, by name.
pub(crate) fn seen(catalog: &Catalog) -> impl Iterator<Item = Seen<'_>> {
    catalog.services().filter_map(|(name, state)| Seen::of(name, state))
}

impl<'a> Seen<'a> {
    fn of(name: &'a Name, state: &'a ServiceState) -> Option<Seen<'a>> {
        let service = state.service.as_ref().filter(|service| !service.removed)?;
        let routing = &service.spec.routing;
        let wish = Seen {
            service: name,
            created: service.created,
            routes: &routing.routes,
            publish: &routing.publish,
        };
        (!routing.routes.is_empty() || !routing.publish.is_empty()).then_some(wish)
    }

    pub(crate) fn to_wish(self) -> Wish {
        Wish {
            service: self.service.clone(),
            created: self.created,
            routes: self.routes.to_vec(),
            publish: self.publish.to_vec(),
        }
    }
}

impl PartialEq<&Wish> for Seen<'_> {
    fn eq(&self, wish: &&Wish) -> bool {
        let rest = self.routes == wish.routes && self.publish == wish.publish;
        *self.service == wish.service && self.created == wish.created && rest
    }
}
