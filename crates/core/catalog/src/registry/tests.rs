//! The view is the same whether it is kept up or loaded, and its indexes only grow.

use adsum_keyspace::{Database, Keyspace, Now, Space, Transaction};
use adsum_model::registered::{Check, Node, Service, Status};

use crate::register::{self, Others, Told};
use crate::{Catalog, records};

#[derive(Default)]
struct Kept {
    keyspace: Keyspace,
    catalog: Catalog,
}

impl Kept {
    fn run(&mut self, body: impl FnOnce(&mut Transaction<'_>)) -> u64 {
        self.keyspace.transact(Now::default(), body).unwrap();
        let seen = self.catalog.revision();
        let commits: Vec<_> = self.keyspace.after(Space::System, seen).unwrap().cloned().collect();
        commits.iter().for_each(|commit| self.catalog.apply(commit));
        self.catalog.revision().0
    }

    fn index(&self, name: &str) -> u64 {
        self.catalog.index_of(name).0
    }
}

fn service(id: &str, name: &str) -> Service {
    Service { node: "n1".into(), id: id.into(), service: name.into(), ..Service::default() }
}

fn check(id: &str, of: &str, status: Status) -> Check {
    Check { node: "n1".into(), id: id.into(), service: of.into(), status, ..Check::default() }
}

fn put(tx: &mut Transaction<'_>, service: Service) {
    register::tell(tx, Told { service: Some(service), ..Told::default() }).unwrap();
}

fn look(tx: &mut Transaction<'_>, check: Check) {
    register::tell(tx, Told { checks: vec![check], ..Told::default() }).unwrap();
}

#[test]
fn a_registry_that_is_kept_up_is_the_one_that_is_loaded() {
    let mut kept = Kept::default();
    kept.run(|tx| {
        let checks = vec![check("c", "a", Status::Warning)];
        register::register_service(tx, &service("a", "web"), checks, Others::Stay).unwrap();
    });
    kept.run(|tx| put(tx, service("b", "web")));
    kept.run(|tx| put(tx, service("b", "other")));
    let loaded = Catalog::load(kept.keyspace.keys(Database::System), kept.keyspace.revision());
    for catalog in [&kept.catalog, &loaded] {
        let registry = catalog.registry();
        let ids = |name: &str| registry.named(name).map(|service| service.id.clone()).collect::<Vec<_>>();
        assert_eq!((ids("web"), ids("other")), (vec!["a".to_string()], vec!["b".to_string()]));
        assert_eq!(registry.status(registry.service("n1", "a").unwrap()), Status::Warning);
        assert_eq!(registry.service("n1", "a").unwrap().created.0, 1);
        assert_eq!((registry.services_on("N1").count(), registry.checks_on("n1").count()), (2, 1));
    }
    assert_eq!(loaded.index_of("web"), loaded.revision());
}

#[test]
fn an_index_moves_with_its_own_service_and_with_its_node() {
    let mut kept = Kept::default();
    let made = kept.run(|tx| put(tx, service("a", "Web")));
    assert_eq!((kept.index("web"), kept.index("WEB")), (made, made));
    kept.run(|tx| put(tx, service("b", "other")));
    assert_eq!(kept.index("web"), made);
    let checked = kept.run(|tx| look(tx, check("c", "a", Status::Passing)));
    assert_eq!(kept.index("web"), checked);
    let listed = kept.catalog.services_index();
    let node = kept.run(|tx| look(tx, check("mem", "", Status::Critical)));
    assert_eq!((kept.index("web"), kept.index("other")), (node, node));
    assert_eq!(kept.catalog.services_index(), listed);
}

#[test]
fn an_index_does_not_go_back_when_one_of_two_kinds_of_a_service_goes() {
    let mut kept = Kept::default();
    let name = "web".parse().unwrap();
    let spec = adsum_model::Spec::new("web".parse().unwrap(), vec!["true".into()]);
    kept.run(|tx| put(tx, service("a", "web")));
    kept.run(|tx| records::put_service(tx, &adsum_model::Service::new(spec, 1, 0)));
    let gone = kept.run(|tx| records::delete_service(tx, &name));
    assert_eq!(kept.index("web"), gone);
    let both = kept.run(|tx| {
        register::deregister_service(tx, "n1", "a");
    });
    assert_eq!(kept.index("web"), both);
    assert_eq!(kept.index("never"), both);
}

#[test]
fn what_has_to_be_looked_at_changes_with_definitions_alone() {
    let mut kept = Kept::default();
    let defined = kept.run(|tx| look(tx, check("c", "", Status::Critical)));
    kept.run(|tx| look(tx, check("c", "", Status::Passing)));
    assert_eq!(kept.catalog.registry().definitions().0, defined);
    let gone = kept.run(|tx| {
        register::deregister_check(tx, "n1", "c");
    });
    assert_eq!(kept.catalog.registry().definitions().0, gone);
}

#[test]
fn a_node_is_found_by_the_address_that_it_has_now() {
    let mut kept = Kept::default();
    let mut put = |address: &str| {
        let node = Node { name: "Ext".into(), address: address.into(), ..Node::default() };
        kept.run(|tx| register::tell(tx, Told { node: Some(node.clone()), ..Told::default() }).unwrap());
        let registry = kept.catalog.registry().clone();
        move |address: &str| registry.nodes_at(address.parse().unwrap()).count()
    };
    let at = put("10.0.0.1");
    assert_eq!((at("10.0.0.1"), at("10.0.0.2")), (1, 0));
    let at = put("FD00:0::1");
    assert_eq!((at("10.0.0.1"), at("fd00::1")), (0, 1));
    let at = put("db.example.org");
    assert_eq!(at("fd00::1"), 0);
    let _ = put("10.0.0.1");
    kept.run(|tx| assert!(!register::deregister_node(tx, "ext")));
    assert_eq!(kept.catalog.registry().nodes_at("10.0.0.1".parse().unwrap()).count(), 0);
}
