//! Catalogs from a few words, and requests.

use adsum_catalog::{Catalog, records};
use adsum_keyspace::{Keyspace, Now, Space};
use adsum_model::{
    Berth, Health, Instance, InstanceId, Name, Phase, Protocol, Publish, Route, Service, Spec, Target,
    Version,
};
use adsum_routing::{Asked, Entrance, Found, Table, host_of, path};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A service of this age with these rules, one route for each.
pub(crate) fn service(text: &str, created: u64, rules: &[&str]) -> Service {
    let mut spec = Spec::new(name(text), vec!["true".into()]);
    spec.routing.routes = rules.iter().map(|rule| route(rule)).collect();
    Service::new(spec, 1, created)
}

pub(crate) fn route(rule: &str) -> Route {
    Route {
        name: None,
        rule: rule.parse().unwrap(),
        priority: 0,
        weight: None,
        rewrite: Default::default(),
        target: Target::Service,
    }
}

pub(crate) fn publish(port: u16, protocol: Protocol) -> Publish {
    Publish { port, target: None, protocol }
}

/// A running instance; its seed makes its id and its port.
pub(crate) fn instance(seed: u64, service: &str, health: Health) -> Instance {
    let berth = Berth {
        id: InstanceId::from_seed(seed),
        node: name("one"),
        endpoint: format!("127.0.0.1:{}", 20000 + seed).parse().unwrap(),
    };
    Instance {
        phase: Phase::Running,
        health,
        proven: !matches!(health, Health::Starting),
        created: seed,
        ..Instance::planned(name(service), berth)
    }
}

/// Records, and the catalog that follows them.
#[derive(Default)]
pub(crate) struct Records {
    keyspace: Keyspace,
    pub(crate) catalog: Catalog,
}

impl Records {
    pub(crate) fn of(services: &[Service], instances: &[Instance]) -> Records {
        let mut records = Records::default();
        services.iter().for_each(|service| records.put(service));
        instances.iter().for_each(|instance| records.put_instance(instance));
        records
    }

    pub(crate) fn put(&mut self, service: &Service) {
        self.keyspace.transact(Now::default(), |tx| records::put_service(tx, service)).unwrap();
        self.follow();
    }

    /// The version that the service stands for now.
    pub(crate) fn put_version(&mut self, service: &Service) {
        let Spec { name, task, check, routing, .. } = service.spec.clone();
        let (number, upstream, created) = (service.version, routing.policy.upstream, service.created);
        let version = Version { service: name, number, task, check, upstream, created };
        self.keyspace.transact(Now::default(), |tx| records::put_version(tx, &version)).unwrap();
        self.put(service);
    }

    pub(crate) fn put_instance(&mut self, instance: &Instance) {
        let mut instance = instance.clone();
        self.keyspace.transact(Now::default(), |tx| records::put_instance(tx, &mut instance)).unwrap();
        self.follow();
    }

    pub(crate) fn delete(&mut self, service: &str) {
        let service = name(service);
        self.keyspace.transact(Now::default(), |tx| records::delete_service(tx, &service)).unwrap();
        self.follow();
    }

    pub(crate) fn table(&self) -> Table {
        Table::build(&self.catalog, None)
    }

    fn follow(&mut self) {
        let commits: Vec<_> =
            self.keyspace.after(Space::System, self.catalog.revision()).unwrap().cloned().collect();
        commits.iter().for_each(|commit| self.catalog.apply(commit));
    }
}

pub(crate) fn table(services: &[Service]) -> Table {
    Records::of(services, &[]).table()
}

/// `GET shop.local/path x-beta:yes`
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
}

impl Request {
    pub(crate) fn of(text: &str) -> Request {
        let mut words = text.split(' ');
        let method = words.next().unwrap().parse().unwrap();
        let (host, path) = words.next().map(|url| url.split_at(url.find('/').unwrap())).unwrap();
        let headers = words.map(|word| word.split_once(':').unwrap());
        let headers =
            headers.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        Request {
            host: host_of(host).into_owned(),
            path: path::normalise(path).unwrap().into_owned(),
            method,
            headers: append(headers),
        }
    }

    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { host: &self.host, path: &self.path, method: &self.method, headers: &self.headers }
    }

    /// The label of the route that has it on the gateway's own addresses.
    pub(crate) fn label<'t>(&self, table: &'t Table, lot: u64) -> &'t str {
        self.found(table, lot).map_or("nobody", |found| &found.route.label)
    }

    pub(crate) fn found<'t>(&self, table: &'t Table, lot: u64) -> Option<Found<'t>> {
        table.find(Entrance::Gateway, &self.asked(), lot)
    }
}

fn append(headers: impl Iterator<Item = (HeaderName, HeaderValue)>) -> HeaderMap {
    let mut map = HeaderMap::new();
    headers.for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

#[track_caller]
pub(crate) fn check(table: &Table, request: &str, expect: &str) {
    assert_eq!(Request::of(request).label(table, 0), expect, "{request}");
}

/// All problems as people read them.
pub(crate) fn problems(table: &Table) -> Vec<String> {
    table.problems.iter().map(ToString::to_string).collect()
}
