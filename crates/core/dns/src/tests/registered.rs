//! What clients have registered: its names, addresses, tags and weights.

use std::sync::LazyLock;

use adsum_catalog::register::{self, Told};
use adsum_model::Priority;
use adsum_model::registered::{Check, Node, Service, Status, Weights};

use super::*;

fn at(node: &str, id: &str, name: &str, address: &str, port: u16) -> Service {
    Service {
        node: node.into(),
        id: id.into(),
        service: name.into(),
        address: address.into(),
        port,
        ..Service::default()
    }
}

fn tell(tx: &mut Transaction<'_>, service: Service, statuses: &[Status]) {
    let check = |(number, status): (usize, &Status)| Check {
        node: service.node.clone(),
        id: format!("{}:{number}", service.id),
        service: service.id.clone(),
        status: *status,
        ..Check::default()
    };
    let checks = statuses.iter().enumerate().map(check).collect();
    let known = service.node == "n1";
    let node = Node { name: service.node.clone(), address: "10.9.0.1".into(), ..Node::default() };
    let told = Told { node: (!known).then_some(node), service: Some(service), checks };
    register::tell(tx, told).unwrap();
}

fn mixed() -> &'static Catalog {
    static MIXED: LazyLock<Catalog> = LazyLock::new(|| {
        catalog_of(|tx| {
            put_node(tx, "n1", "10.0.0.1");
            put_service(tx, "web", &["run"]);
            put_instance(tx, 1, "web", "10.0.0.1:8001", Health::Passing);
            let weights = Weights { passing: 10, warning: 3 };
            let tags = vec!["blue".to_string()];
            tell(tx, Service { weights, tags, ..at("n1", "own", "Web", "10.7.0.1", 91) }, &[Status::Passing]);
            tell(
                tx,
                Service { weights, ..at("n1", "warns", "web", "", 92) },
                &[Status::Warning, Status::Passing],
            );
            tell(tx, at("n1", "fails", "web", "10.7.0.3", 93), &[Status::Critical]);
            tell(tx, at("Ext", "pay", "My_Pay", "", 94), &[]);
            tell(tx, at("n1", "far", "far", "db.example.org", 95), &[]);
        })
    });
    &MIXED
}

#[track_caller]
fn check_mixed(question: &str, expected: &[&str]) {
    let message = Query::new(question).edns(1232).ask(Transport::Udp, mixed());
    assert_eq!(said(&message), expected, "{question}");
}

#[test]
fn what_is_registered_stands_beside_what_runs_here_with_its_weights() {
    check_mixed(
        "web.service.consul. SRV",
        &[
            "aa NOERROR",
            "web.service.consul. 0 SRV 1 1 8001 0a000001.addr.dc1.consul.",
            "web.service.consul. 0 SRV 1 10 91 0a070001.addr.dc1.consul.",
            "web.service.consul. 0 SRV 1 3 92 n1.node.dc1.consul.",
            "additional 0a000001.addr.dc1.consul. 0 A 10.0.0.1",
            "additional 0a070001.addr.dc1.consul. 0 A 10.7.0.1",
            "additional n1.node.dc1.consul. 0 A 10.0.0.1",
        ],
    );
    check_mixed(
        "web.service.adsum. A",
        &["aa NOERROR", "web.service.adsum. 0 A 10.0.0.1", "web.service.adsum. 0 A 10.7.0.1"],
    );
}

#[test]
fn a_tag_is_that_of_a_single_place() {
    check_mixed("blue.web.service.adsum. A", &["aa NOERROR", "blue.web.service.adsum. 0 A 10.7.0.1"]);
    check_mixed("run.web.service.adsum. A", &["aa NOERROR", "run.web.service.adsum. 0 A 10.0.0.1"]);
    check_mixed(
        "_web._blue.service.consul. SRV",
        &[
            "aa NOERROR",
            "_web._blue.service.consul. 0 SRV 1 10 91 0a070001.addr.dc1.consul.",
            "additional 0a070001.addr.dc1.consul. 0 A 10.7.0.1",
        ],
    );
}

#[test]
fn a_name_that_is_none_of_ours_is_found_in_any_case_and_so_is_a_node_without_an_agent() {
    check_mixed("my_pay.service.consul. A", &["aa NOERROR", "my_pay.service.consul. 0 A 10.9.0.1"]);
    check_mixed(
        "my_pay.service.consul. SRV",
        &[
            "aa NOERROR",
            "my_pay.service.consul. 0 SRV 1 1 94 ext.node.dc1.consul.",
            "additional ext.node.dc1.consul. 0 A 10.9.0.1",
        ],
    );
    check_mixed("ext.node.consul. A", &["aa NOERROR", "ext.node.consul. 0 A 10.9.0.1"]);
    check_mixed(
        "1.0.9.10.in-addr.arpa. PTR",
        &["aa NOERROR", "1.0.9.10.in-addr.arpa. 0 PTR ext.node.dc1.consul."],
    );
}

#[test]
fn an_address_that_is_a_name_is_asked_for_elsewhere() {
    check_mixed("far.service.consul. A", &["aa NOERROR", "far.service.consul. 0 CNAME db.example.org."]);
    check_mixed(
        "far.service.consul. SRV",
        &["aa NOERROR", "far.service.consul. 0 SRV 1 1 95 db.example.org."],
    );
}

#[test]
fn a_node_that_is_critical_takes_all_that_is_there_with_it() {
    let catalog = catalog_of(|tx| {
        put_node(tx, "n1", "10.0.0.1");
        put_service(tx, "web", &[]);
        put_instance(tx, 1, "web", "10.0.0.1:8001", Health::Passing);
        tell(tx, at("n1", "own", "web", "10.7.0.1", 91), &[]);
        let check = Check { node: "n1".into(), id: "_node_maintenance".into(), ..Check::default() };
        register::tell(tx, Told { checks: vec![check], ..Told::default() }).unwrap();
    });
    let message = Query::new("web.service.adsum. A").edns(1232).ask(Transport::Udp, &catalog);
    assert!(message.answers.is_empty());
    assert_eq!(said(&message).last().unwrap(), "reason 0 no healthy instance");
}

fn noted(service: Service, priority: &str) -> Service {
    Service { meta: [(Priority::KEY.to_string(), priority.to_string())].into(), ..service }
}

/// `api` on several nodes, in a domain of the user's own.
fn owned() -> Catalog {
    catalog_of(|tx| {
        put_node(tx, "n1", "10.0.0.1");
        let mut spec = Spec::new(name("auth"), vec!["true".into()]);
        spec.labels = [(Priority::KEY.to_string(), "20".to_string())].into();
        records::put_service(tx, &adsum_model::Service::new(spec, 1, 0));
        put_instance(tx, 1, "auth", "10.0.0.1:8001", Health::Passing);
        let weights = Weights { passing: 10, warning: 1 };
        tell(tx, Service { weights, ..at("n1", "1", "auth", "10.7.0.1", 8080) }, &[]);
        tell(tx, noted(at("n1", "Two", "auth", "", 8081), "65535"), &[]);
        tell(tx, at("n1", "no_label", "auth", "10.7.0.3", 8082), &[]);
        tell(tx, noted(at("n1", "same", "auth", "10.7.0.4", 8083), "not any more"), &[]);
        tell(tx, at("Ext", "same", "auth", "10.7.0.5", 8084), &[]);
        // The Kelvin sign, which is a `k` to Unicode and not to DNS.
        tell(tx, at("n1", "\u{212A}", "auth", "10.7.0.7", 8086), &[]);
        tell(tx, at("n1", "ill", "auth", "10.7.0.6", 8085), &[Status::Critical]);
        let tags = vec!["1".to_string(), "blue".to_string()];
        tell(tx, Service { tags, ..at("n1", "blue-1", "shop", "10.8.0.1", 80) }, &[]);
        tell(tx, at("Ext", "1", "shop", "10.8.0.2", 80), &[]);
        tell(tx, at("n1", "1-of-node", "node", "10.8.0.3", 80), &[]);
    })
}

#[track_caller]
fn ask_owned(question: &str) -> Vec<String> {
    said(&Query::new(question).edns(1232).ask(Transport::Udp, &owned()))
}

#[test]
fn in_a_domain_of_ones_own_srv_records_have_priority_weight_and_name_of_the_registration() {
    let said = ask_owned("_auth._tcp.walterdalmut.com. SRV");
    let records: Vec<&str> = said.iter().filter_map(|line| Some(line.split_once(" SRV ")?.1)).collect();
    let expected = [
        "20 1 8001 baaaaaaaaaaa.auth.walterdalmut.com.",
        "1 1 8084 0a070005.addr.dc1.walterdalmut.com.",
        "1 10 8080 1.auth.walterdalmut.com.",
        "65535 1 8081 two.auth.walterdalmut.com.",
        "1 1 8082 0a070003.addr.dc1.walterdalmut.com.",
        "1 1 8083 0a070004.addr.dc1.walterdalmut.com.",
        "1 1 8086 0a070007.addr.dc1.walterdalmut.com.",
    ];
    assert_eq!(records, expected);
}

#[test]
fn a_target_in_a_domain_of_ones_own_resolves_to_the_address_that_came_with_it() {
    for name in ["_auth._tcp", "shop", "node.service"] {
        let message =
            Query::new(&format!("{name}.walterdalmut.com. SRV")).edns(1232).ask(Transport::Udp, &owned());
        assert!(!message.additionals.is_empty());
        for record in &message.additionals {
            let question = format!("{} {}", record.name, record.record_type());
            let answer = Query::new(&question).edns(1232).ask(Transport::Udp, &owned());
            assert_eq!(answer.answers, std::slice::from_ref(record), "{question}");
        }
    }
    assert_eq!(ask_owned("ill.auth.walterdalmut.com. A").last().unwrap(), "reason 0 no healthy instance");
}

#[test]
fn an_id_comes_before_a_tag_in_a_domain_of_ones_own_alone() {
    let addresses = |name: &str| -> Vec<String> {
        let said = ask_owned(&format!("{name} A"));
        said.iter().filter_map(|line| Some(line.split_once(" 0 A ")?.1.to_string())).collect()
    };
    assert_eq!(addresses("1.shop.walterdalmut.com."), ["10.8.0.2"]);
    assert_eq!(addresses("blue.shop.walterdalmut.com."), ["10.8.0.1"]);
    assert_eq!(addresses("1.shop.service.consul."), ["10.8.0.1"]);
    let two = ask_owned("two.auth.service.consul. A");
    assert_eq!(two[0], "aa NXDOMAIN");
}
