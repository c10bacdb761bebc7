//! What the sockets of the RESP and DNS faces need of a store.

use std::sync::Arc;

use adsum_catalog::Catalog;
use adsum_keyspace::{Now, Space};
use adsum_listen::resp::Busy;
use adsum_model::{Name, Revision};
use adsum_resp::{Overseer, Server};

use crate::Store;

impl adsum_listen::resp::Engine for Store {
    fn enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> T {
        Store::enter(self, body)
    }

    fn try_enter<T>(&self, body: impl FnOnce(&mut Server, Now) -> T) -> Result<T, Busy> {
        Store::try_enter(self, body).map_err(|crate::Busy| Busy)
    }

    fn overseer(&self) -> &Overseer {
        Store::overseer(self)
    }

    fn durable(&self) -> Revision {
        self.durable_revision()
    }

    fn hasten(&self) {
        Store::hasten(self);
    }

    async fn durable_above(&self, revision: Revision) -> Revision {
        self.visible(Space::User).until(|visible| visible > revision).await
    }

    async fn failed(&self) {
        self.until_failed().await;
    }
}

impl adsum_listen::dns::Directory for Store {
    fn catalog(&self) -> Arc<Catalog> {
        self.directory().view()
    }

    fn asked(&self, service: &Name) {
        self.directory().asked(service);
    }
}
