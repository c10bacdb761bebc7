//! Which users there are, and where: what the proxy answers from.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalog::{Instance, host_and_port};
use crate::name::{PREFIX, slug};

/// By the user's part of the service name. Made anew from every answer of the catalog, never patched.
#[derive(Debug, Default, PartialEq)]
pub struct Table(BTreeMap<String, User>);

#[derive(Debug, PartialEq, Serialize)]
pub struct User {
    name: String,
    service: String,
    pub address: String,
}

impl Table {
    /// Only services named after users count; of several instances the first does.
    pub fn of(instances: Vec<Instance>) -> Table {
        let mut users = BTreeMap::new();
        for Instance { service, address, port } in instances {
            let Some(name) = service.strip_prefix(PREFIX).map(str::to_string) else { continue };
            let address = host_and_port(&address, port);
            users.entry(name.clone()).or_insert(User { name, service, address });
        }
        Table(users)
    }

    /// Under any way to write the name: `Foo_Bar`, `foo_bar` or `foo-bar`.
    pub fn find(&self, name: &str) -> Option<&User> {
        self.0.get(&slug(name))
    }

    pub fn users(&self) -> Vec<&User> {
        self.0.values().collect()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(instances: &[(&str, &str, u16)]) -> Table {
        let instance = |&(service, address, port): &(&str, &str, u16)| Instance {
            service: service.to_string(),
            address: address.to_string(),
            port,
        };
        Table::of(instances.iter().map(instance).collect())
    }

    #[test]
    fn a_user_is_found_in_every_spelling() {
        let table = table(&[("chirp-user-foo-bar", "127.0.0.1", 20003), ("chirp-user-foo-x", "::1", 20004)]);
        for name in ["Foo_Bar", "foo_bar", "foo-bar", "FOO-BAR"] {
            assert_eq!(table.find(name).unwrap().address, "127.0.0.1:20003", "{name}");
        }
        assert_eq!(table.find("Foo_").unwrap().address, "[::1]:20004");
        assert_eq!(table.find("foo"), None);
    }

    #[test]
    fn only_the_services_of_users_are_listed_and_each_once() {
        let table = table(&[
            ("chirp-proxy", "127.0.0.1", 20000),
            ("chirp-user-b", "127.0.0.1", 20002),
            ("chirp-user-a", "127.0.0.1", 20001),
            ("chirp-user-a", "127.0.0.1", 20009),
        ]);
        let addresses: Vec<_> = table.users().iter().map(|user| &user.address).collect();
        assert_eq!(addresses, ["127.0.0.1:20001", "127.0.0.1:20002"]);
    }
}
