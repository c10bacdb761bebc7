//! Published ports.

use adsum_model::{Health, Protocol};
use adsum_routing::{Action, Entrance};

use crate::kit::{Records, Request, instance, name, problems, publish, service};

fn records() -> Records {
    let mut old = service("old", 1, &["Host(a)"]);
    old.spec.routing.publish = vec![publish(9000, Protocol::Http), publish(9001, Protocol::Tcp)];
    let mut new = service("new", 2, &[]);
    new.spec.routing.publish = vec![publish(9001, Protocol::Http), publish(9002, Protocol::Http)];
    Records::of(&[new, old], &[instance(1, "old", Health::Passing)])
}

#[test]
fn all_requests_of_a_port_are_for_the_service_that_published_it() {
    let table = records().table();
    let request = Request::of("DELETE whatever/x/y");
    let found = table.find(Entrance::Port(9000), &request.asked(), 0).unwrap();
    assert_eq!((found.route.label.as_str(), found.service), ("old/:9000", &name("old")));
    assert_eq!((found.action, found.pool.unwrap().members.len()), (Action::Forward, 1));
    assert!(table.find(Entrance::Port(9003), &request.asked(), 0).is_none());
    assert_eq!(request.label(&table, 0), "nobody", "a port opens no route");
}

#[test]
fn a_port_of_two_services_is_the_older_ones() {
    let table = records().table();
    let ports: Vec<_> = table.ports().collect();
    assert_eq!(ports, [(9000, Protocol::Http), (9001, Protocol::Tcp), (9002, Protocol::Http)]);
    assert_eq!(table.tcp(9001).unwrap().service, name("old"));
    assert!(table.tcp(9000).is_none() && table.tcp(9003).is_none());
    let request = Request::of("GET a/");
    assert!(table.find(Entrance::Port(9001), &request.asked(), 0).is_none(), "no requests on a TCP port");
    assert_eq!(
        problems(&table),
        ["new and old publish port 9001, and old has it: publish another one for new"]
    );
}

#[test]
fn a_port_that_an_instance_listens_on_is_told() {
    let mut shop = service("shop", 1, &[]);
    shop.spec.routing.publish = vec![publish(20001, Protocol::Http), publish(20001, Protocol::Tcp)];
    let records = Records::of(&[shop], &[instance(1, "api", Health::Passing)]);
    assert_eq!(
        problems(&records.table()),
        [
            "shop publishes port 20001 for http and for tcp, and the first of them counts: remove one"
                .to_string(),
            format!(
                "shop publishes port 20001, which instance {} of api listens on: publish another one",
                instance(1, "api", Health::Passing).id
            ),
        ]
    );
}

#[test]
fn a_service_that_is_being_removed_lets_go_of_its_ports() {
    let mut records = records();
    let mut old = records.catalog.service(&name("old")).unwrap().service.clone().unwrap();
    old.removed = true;
    records.put(&old);
    let ports: Vec<_> = records.table().ports().collect();
    assert_eq!(ports, [(9001, Protocol::Http), (9002, Protocol::Http)]);
}
