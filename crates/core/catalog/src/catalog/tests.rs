//! The view follows the records, whether it is loaded or kept up.

use adsum_keyspace::{Keyspace, Now, Space};
use adsum_model::{Berth, Health, Phase, Spec};

use super::*;
use crate::records;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn service(text: &str) -> Service {
    let spec = Spec::new(name(text), vec!["true".into()]);
    Service::new(spec, 1, 0)
}

pub(crate) fn instance(seed: u64, service: &str, slot: u32, health: Health) -> Instance {
    let berth = Berth {
        id: InstanceId::from_seed(seed),
        node: name("n1"),
        endpoint: "127.0.0.1:20000".parse().unwrap(),
    };
    Instance {
        slot,
        phase: Phase::Running,
        health,
        proven: health == Health::Passing,
        ..Instance::planned(name(service), berth)
    }
}

/// Runs transactions and keeps a catalog up by the commits.
struct Kept {
    keyspace: Keyspace,
    catalog: Catalog,
}

impl Kept {
    fn new() -> Kept {
        Kept { keyspace: Keyspace::default(), catalog: Catalog::default() }
    }

    fn run(&mut self, body: impl FnOnce(&mut adsum_keyspace::Transaction<'_>)) -> u64 {
        self.keyspace.transact(Now::default(), body).unwrap();
        let seen = self.catalog.revision();
        let commits: Vec<_> = self.keyspace.after(Space::System, seen).unwrap().cloned().collect();
        commits.iter().for_each(|commit| self.catalog.apply(commit));
        self.catalog.revision().0
    }
}

#[test]
fn a_catalog_that_is_kept_up_is_the_one_that_is_loaded() {
    let mut kept = Kept::new();
    kept.run(|tx| records::put_service(tx, &service("web")));
    kept.run(|tx| records::put_instance(tx, &mut instance(1, "web", 2, Health::Passing)));
    kept.run(|tx| records::put_instance(tx, &mut instance(2, "web", 1, Health::Starting)));
    kept.run(|tx| records::put_instance(tx, &mut instance(3, "api", 1, Health::Passing)));
    kept.run(|tx| records::delete_instance(tx, &InstanceId::from_seed(3)));

    let loaded = Catalog::load(kept.keyspace.keys(Database::System), kept.keyspace.revision());
    for catalog in [&kept.catalog, &loaded] {
        let web = catalog.service(&name("web")).unwrap();
        assert_eq!(web.instances.iter().map(|i| i.slot).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(web.routable().count(), 1);
        assert!(catalog.service(&name("api")).is_none());
        assert!(catalog.instance(&InstanceId::from_seed(1)).is_some());
    }
}

#[test]
fn an_index_moves_with_its_service_alone_and_never_back() {
    let mut kept = Kept::new();
    assert_eq!(kept.catalog.index(&name("web")), Revision(1));
    let created = kept.run(|tx| records::put_service(tx, &service("web")));
    assert_eq!(kept.catalog.index(&name("web")).0, created);
    kept.run(|tx| records::put_service(tx, &service("other")));
    assert_eq!(kept.catalog.index(&name("web")).0, created);
    let removed = kept.run(|tx| records::delete_service(tx, &name("web")));
    assert_eq!(kept.catalog.index(&name("web")).0, removed);
    assert_eq!(kept.catalog.services_index().0, removed);
}

#[test]
fn services_under_a_prefix_are_found_by_any_prefix() {
    let mut kept = Kept::new();
    for service_name in ["a", "chirp-user-a", "chirp-user-b", "chirp-worker", "d"] {
        kept.run(|tx| records::put_service(tx, &service(service_name)));
    }
    let under = |prefix: &str| {
        let names = kept.catalog.services_under(prefix);
        names.map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(under("chirp-user-"), ["chirp-user-a", "chirp-user-b"]);
    assert_eq!(under("").len(), 5);
    assert_eq!(under("x"), Vec::<String>::new());
}

#[test]
fn the_routing_revision_moves_only_with_what_decides_where_requests_go() {
    let mut kept = Kept::new();
    let at = |kept: &Kept| kept.catalog.routing_revision().0;
    let service_put = kept.run(|tx| records::put_service(tx, &service("web")));
    assert_eq!(at(&kept), service_put);
    let planned = kept.run(|tx| records::put_instance(tx, &mut instance(1, "web", 1, Health::Starting)));
    assert_eq!(at(&kept), planned);
    kept.run(|tx| {
        let mut same = Instance { reason: Some("slow".into()), ..instance(1, "web", 1, Health::Starting) };
        records::put_instance(tx, &mut same);
    });
    kept.run(|tx| records::take_port(tx, &name("n1"), 20001, &InstanceId::from_seed(1)));
    kept.run(|tx| {
        let mut tagged = service("web");
        tagged.spec.tags = vec!["v1".into()];
        records::put_service(tx, &tagged);
    });
    assert_eq!(at(&kept), planned);
    let passing = kept.run(|tx| records::put_instance(tx, &mut instance(1, "web", 1, Health::Passing)));
    assert_eq!(at(&kept), passing);
    let weighed = kept.run(|tx| {
        let weights = [(1, 10_000)].into();
        records::put_service(tx, &Service { weights, ..service("web") });
    });
    assert_eq!(at(&kept), weighed);
    let gone = kept.run(|tx| records::delete_instance(tx, &InstanceId::from_seed(1)));
    assert_eq!(at(&kept), gone);
}

#[test]
fn an_instance_is_routed_as_it_is_since_its_own_last_change() {
    let mut kept = Kept::new();
    let of = |kept: &Kept, seed| kept.catalog.routed_since(&InstanceId::from_seed(seed)).0;
    let first = kept.run(|tx| records::put_instance(tx, &mut instance(1, "web", 1, Health::Passing)));
    let second = kept.run(|tx| records::put_instance(tx, &mut instance(2, "web", 2, Health::Passing)));
    assert_eq!((of(&kept, 1), of(&kept, 2)), (first, second));
    let draining = kept.run(|tx| records::put_instance(tx, &mut instance(1, "web", 1, Health::Draining)));
    kept.run(|tx| {
        let mut same = Instance { reason: Some("x".into()), ..instance(1, "web", 1, Health::Draining) };
        records::put_instance(tx, &mut same);
    });
    assert_eq!((of(&kept, 1), of(&kept, 2)), (draining, second));
    assert_eq!(kept.catalog.routing_revision().0, draining);
    let loaded = Catalog::load(kept.keyspace.keys(Database::System), kept.keyspace.revision());
    assert_eq!(loaded.routed_since(&InstanceId::from_seed(2)), loaded.routing_revision());
}
