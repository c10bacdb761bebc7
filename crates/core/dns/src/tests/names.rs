//! What each form of a name gets.

use super::*;

const NEGATIVE_ADSUM: &str = "authority adsum. 1 SOA ns.adsum. hostmaster.adsum. 1 3600 600 86400 1";
const NEGATIVE_CONSUL: &str = "authority consul. 1 SOA ns.consul. hostmaster.consul. 1 3600 600 86400 1";
const WEB: [&str; 3] = ["aa NOERROR", "10.0.0.1", "10.0.0.2"];

/// The addresses that a name has, in order.
#[track_caller]
fn check_addresses(name: &str, expected: &[&str]) {
    let message = Query::new(&format!("{name} A")).edns(1232).ask(Transport::Udp, &world());
    let flags = said(&message)[0].clone();
    let addresses = message.answers.iter().map(|record| record.data.to_string());
    assert_eq!(std::iter::once(flags).chain(addresses).collect::<Vec<_>>(), expected, "{name}");
}

#[test]
fn a_service_has_the_addresses_of_its_routable_instances() {
    check(
        "web.service.adsum. A",
        &["aa NOERROR", "web.service.adsum. 0 A 10.0.0.1", "web.service.adsum. 0 A 10.0.0.2"],
    );
}

#[test]
fn a_service_has_one_srv_record_per_instance_with_its_address_besides() {
    check(
        "web.service.adsum. SRV",
        &[
            "aa NOERROR",
            "web.service.adsum. 0 SRV 1 1 8001 baaaaaaaaaaa.web.service.adsum.",
            "web.service.adsum. 0 SRV 1 1 8002 caaaaaaaaaaa.web.service.adsum.",
            "additional baaaaaaaaaaa.web.service.adsum. 0 A 10.0.0.1",
            "additional caaaaaaaaaaa.web.service.adsum. 0 A 10.0.0.2",
        ],
    );
}

#[test]
fn srv_records_of_the_consul_zone_point_to_addresses_as_consul_has_them() {
    check(
        "twins.service.consul. SRV",
        &[
            "aa NOERROR",
            "twins.service.consul. 0 SRV 1 1 9004 7f000001.addr.dc1.consul.",
            "twins.service.consul. 0 SRV 1 1 9005 7f000001.addr.dc1.consul.",
            "twins.service.consul. 0 SRV 1 1 9006 fd000000000000000000000000000006.addr.dc1.consul.",
            "additional 7f000001.addr.dc1.consul. 0 A 127.0.0.1",
            "additional fd000000000000000000000000000006.addr.dc1.consul. 0 AAAA fd00::6",
        ],
    );
}

#[test]
fn every_form_of_a_services_name_finds_it() {
    for zone in ["adsum.", "dc1.adsum.", "consul.", "dc1.consul.", "svc.example.org.", "dc1.svc.example.org."]
    {
        for form in ["web", "_web._tcp", "_web._TCP", "_web._v1", "v1.web", "blue.web", "_web._BLUE"] {
            check_addresses(&format!("{form}.service.{zone}"), &WEB);
        }
    }
}

#[test]
fn an_instance_has_a_name_of_its_own() {
    check(
        "caaaaaaaaaaa.web.service.adsum. A",
        &["aa NOERROR", "caaaaaaaaaaa.web.service.adsum. 0 A 10.0.0.2"],
    );
    check(
        "caaaaaaaaaaa.web.service.adsum. SRV",
        &[
            "aa NOERROR",
            "caaaaaaaaaaa.web.service.adsum. 0 SRV 1 1 8002 caaaaaaaaaaa.web.service.adsum.",
            "additional caaaaaaaaaaa.web.service.adsum. 0 A 10.0.0.2",
        ],
    );
    check("caaaaaaaaaaa.twins.service.adsum. A", &["aa NXDOMAIN", NEGATIVE_ADSUM]);
}

#[test]
fn an_address_that_instances_share_is_said_once() {
    check("twins.service.adsum. A", &["aa NOERROR", "twins.service.adsum. 0 A 127.0.0.1"]);
    check("twins.service.adsum. AAAA", &["aa NOERROR", "twins.service.adsum. 0 AAAA fd00::6"]);
}

#[test]
fn an_srv_target_resolves_to_the_address_that_came_with_it() {
    for zone in ["adsum.", "consul.", "svc.example.org."] {
        let question = format!("twins.service.{zone} SRV");
        let message = Query::new(&question).edns(1232).ask(Transport::Udp, &world());
        assert!(message.additionals.len() >= 2);
        for record in &message.additionals {
            let question = format!("{} {}", record.name, record.record_type());
            let message = Query::new(&question).edns(1232).ask(Transport::Udp, &world());
            assert_eq!(message.answers, std::slice::from_ref(record));
        }
    }
}

#[test]
fn a_prepared_query_has_the_routable_ones_of_those_that_answer_it() {
    for name in
        ["webq.query.consul.", "WebQ.query.dc1.adsum.", "all.webs.query.consul.", "id-of-webq.query.adsum."]
    {
        check_addresses(name, &WEB);
    }
    check("other.query.adsum. A", &["aa NXDOMAIN", NEGATIVE_ADSUM]);
    check("query.adsum. A", &["aa NOERROR", NEGATIVE_ADSUM]);
    let message = Query::new("none.query.adsum. A").edns(1232).ask(Transport::Udp, &world());
    assert_eq!(said(&message)[0], "aa NOERROR", "it is there, and finds nothing");
}

#[test]
fn a_node_has_its_address() {
    check("n1.node.adsum. A", &["aa NOERROR", "n1.node.adsum. 0 A 10.0.0.1"]);
    check("n2.node.dc1.consul. AAAA", &["aa NOERROR", "n2.node.dc1.consul. 0 AAAA fd00::2"]);
    check("n2.node.adsum. A", &["aa NOERROR", NEGATIVE_ADSUM]);
    check("n3.node.adsum. A", &["aa NXDOMAIN", NEGATIVE_ADSUM]);
}

#[test]
fn a_spelled_address_is_itself() {
    check("7f000001.addr.dc1.consul. A", &["aa NOERROR", "7f000001.addr.dc1.consul. 0 A 127.0.0.1"]);
    check("7F000001.addr.adsum. A", &["aa NOERROR", "7F000001.addr.adsum. 0 A 127.0.0.1"]);
    check(
        "fd000000000000000000000000000006.addr.consul. AAAA",
        &["aa NOERROR", "fd000000000000000000000000000006.addr.consul. 0 AAAA fd00::6"],
    );
    check("7f000001.addr.consul. AAAA", &["aa NOERROR", NEGATIVE_CONSUL]);
    for digits in ["7f00001", "7f0000011", "7f00000g", "+f000001", "-f000001"] {
        check(&format!("{digits}.addr.consul. A"), &["aa NXDOMAIN", NEGATIVE_CONSUL]);
    }
}

#[test]
fn a_zone_has_its_soa_and_its_name_server() {
    check("adsum. SOA", &["aa NOERROR", "adsum. 1 SOA ns.adsum. hostmaster.adsum. 1 3600 600 86400 1"]);
    check(
        "Consul. NS",
        &["aa NOERROR", "Consul. 0 NS n1.node.dc1.consul.", "additional n1.node.dc1.consul. 0 A 10.0.0.1"],
    );
    check("ns.consul. A", &["aa NOERROR", "ns.consul. 0 A 10.0.0.1"]);
    check("adsum. A", &["aa NOERROR", NEGATIVE_ADSUM]);
}

#[test]
fn an_unknown_name_does_not_exist() {
    for name in [
        "none.service",
        "none.web.service",
        "_web._none.service",
        "_none._tcp.service",
        "_web.tcp.service",
        "a.b.c.service",
        "v1.twins.service",
        "web",
        "a.node.node",
        "web.service.dc2",
        "web.service.dc1.dc1",
        "-.service",
    ] {
        check(&format!("{name}.adsum. A"), &["aa NXDOMAIN", NEGATIVE_ADSUM]);
        check(&format!("{name}.consul. SRV"), &["aa NXDOMAIN", NEGATIVE_CONSUL]);
    }
}

#[test]
fn a_name_with_names_below_it_exists() {
    for name in ["service", "node", "addr", "dc1", "service.dc1", "_tcp.service", "_v1.service.dc1"] {
        check(&format!("{name}.adsum. A"), &["aa NOERROR", NEGATIVE_ADSUM]);
    }
}

#[test]
fn a_record_type_that_a_name_has_not_is_no_unknown_name() {
    check("web.service.adsum. AAAA", &["aa NOERROR", NEGATIVE_ADSUM]);
    check("web.service.consul. TXT", &["aa NOERROR", NEGATIVE_CONSUL]);
    check("n1.node.consul. SRV", &["aa NOERROR", NEGATIVE_CONSUL]);
    check("7f000001.addr.consul. SRV", &["aa NOERROR", NEGATIVE_CONSUL]);
}

#[test]
fn a_service_without_a_routable_instance_says_why_there_is_no_answer() {
    let names =
        ["down.service", "_down._tcp.service", "v1.down.service", "idle.service", "daaaaaaaaaaa.web.service"];
    for name in names {
        for record_type in ["A", "AAAA", "SRV"] {
            check(
                &format!("{name}.adsum. {record_type}"),
                &["aa NOERROR", NEGATIVE_ADSUM, "reason 0 no healthy instance"],
            );
        }
    }
}

#[test]
fn a_client_without_edns_is_not_told_the_reason() {
    let message = Query::new("down.service.adsum. A").ask(Transport::Udp, &world());
    assert_eq!(said(&message), ["aa NOERROR", NEGATIVE_ADSUM]);
    assert!(message.edns.is_none());
}

#[test]
fn a_name_of_another_zone_is_refused() {
    for name in
        ["example.com.", ".", "adsum.example.org.", "example.org.", "xadsum.", "1.0.0.127.in-addr.arpa."]
    {
        check(&format!("{name} A"), &["REFUSED"]);
    }
}

#[test]
fn the_longer_of_two_zones_answers() {
    let mut config = config();
    config.zones.push("deep.consul".parse().unwrap());
    let query = Query::new("web.service.deep.consul. SRV").edns(1232);
    let bytes = answer(&query.bytes(), Transport::Udp, &world(), &config).bytes.unwrap();
    let message = Message::from_vec(&bytes).unwrap();
    assert_eq!(
        said(&message)[1],
        "web.service.deep.consul. 0 SRV 1 1 8001 baaaaaaaaaaa.web.service.deep.consul."
    );
}

#[test]
fn a_service_counts_as_asked_for_when_something_of_it_was_given_away() {
    let asked = |question: &str| Query::new(question).send(Transport::Udp, &world()).asked;
    for question in
        ["web.service.adsum. A", "_WEB._tcp.service.consul. SRV", "caaaaaaaaaaa.web.service.adsum. A"]
    {
        assert_eq!(asked(question), Some(name("web")), "{question}");
    }
    for question in
        ["web.service.adsum. AAAA", "down.service.adsum. A", "none.service.adsum. A", "adsum. SOA"]
    {
        assert_eq!(asked(question), None, "{question}");
    }
}

#[test]
fn the_start_of_a_list_turns_with_the_id_and_its_order_stays() {
    let order = |id| {
        let query = Query { id, ..Query::new("many.service.adsum. A") };
        let message = query.ask(Transport::Udp, &crowd(3));
        message.answers.iter().map(|record| record.data.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(order(0), ["10.1.0.1", "10.1.0.2", "10.1.0.3"]);
    assert_eq!(order(1), ["10.1.0.2", "10.1.0.3", "10.1.0.1"]);
    assert_eq!(order(5), ["10.1.0.3", "10.1.0.1", "10.1.0.2"]);
    assert_eq!(order(6), order(0));
}

#[test]
fn an_address_leads_back_to_its_node_and_else_to_the_services_there() {
    check("1.0.0.10.in-addr.arpa. PTR", &["aa NOERROR", "1.0.0.10.in-addr.arpa. 0 PTR n1.node.dc1.consul."]);
    let nibbles = |digits: &str| digits.chars().rev().map(|digit| format!("{digit}.")).collect::<String>();
    let second = nibbles("fd000000000000000000000000000002");
    check(
        &format!("{second}ip6.arpa. PTR"),
        &["aa NOERROR", &format!("{second}ip6.arpa. 0 PTR n2.node.dc1.consul.")],
    );
    check("2.0.0.10.in-addr.arpa. PTR", &["aa NOERROR", "2.0.0.10.in-addr.arpa. 0 PTR web.service.consul."]);
}

#[test]
fn what_is_no_address_of_ours_is_not_answered_for() {
    for name in [
        "9.9.9.9.in-addr.arpa.",
        "0.0.10.in-addr.arpa.",
        "1.1.0.0.10.in-addr.arpa.",
        "x.0.0.10.in-addr.arpa.",
        "+1.0.0.10.in-addr.arpa.",
        "256.0.0.10.in-addr.arpa.",
        "1.ip6.arpa.",
        "arpa.",
    ] {
        check(&format!("{name} PTR"), &["REFUSED"]);
    }
    check("1.0.0.10.in-addr.arpa. A", &["REFUSED"]);
}

#[test]
fn in_a_flat_zone_services_stand_below_the_domain_itself() {
    let asked = |question: &str| said(&Query::new(question).edns(1232).ask(Transport::Udp, &world()));
    assert_eq!(
        asked("_web._tcp.walterdalmut.com. SRV")[..3],
        [
            "aa NOERROR",
            "_web._tcp.walterdalmut.com. 0 SRV 1 1 8001 baaaaaaaaaaa.web.walterdalmut.com.",
            "_web._tcp.walterdalmut.com. 0 SRV 1 1 8002 caaaaaaaaaaa.web.walterdalmut.com.",
        ]
    );
    let one = "baaaaaaaaaaa.web.walterdalmut.com. 0 A 10.0.0.1";
    assert_eq!(asked("baaaaaaaaaaa.web.walterdalmut.com. A"), ["aa NOERROR", one]);
    for name in ["web", "web.service", "v1.web", "web.dc1", "web.service.dc1"] {
        assert_eq!(asked(&format!("{name}.walterdalmut.com. A")).len(), 3, "{name}");
    }
    assert_eq!(asked("n1.node.walterdalmut.com. A")[1], "n1.node.walterdalmut.com. 0 A 10.0.0.1");
    assert_eq!(asked("absent.walterdalmut.com. A")[0], "aa NXDOMAIN");
    // The others are not.
    assert_eq!(asked("web.adsum. A")[0], "aa NXDOMAIN");
}

#[test]
fn what_is_not_ours_is_for_a_resolver_when_the_client_wants_that() {
    let foreign = |question: &str, flags: u16| {
        Query { flags, ..Query::new(question) }.send(Transport::Udp, &world()).foreign
    };
    assert!(foreign("example.com. A", RECURSION_DESIRED));
    assert!(foreign("9.9.9.9.in-addr.arpa. PTR", RECURSION_DESIRED));
    assert!(!foreign("example.com. A", 0));
    assert!(!foreign("absent.service.adsum. A", RECURSION_DESIRED));
    assert!(!foreign("1.0.0.10.in-addr.arpa. PTR", RECURSION_DESIRED));
}

#[test]
fn instead_of_an_answer_a_client_is_told_to_use_tcp_or_that_nobody_answers() {
    let query = Query { id: 7, ..Query::new("example.com. A") }.edns(1232);
    let cut = Message::from_vec(&crate::truncated(&query.bytes()).unwrap()).unwrap();
    assert!(cut.metadata.truncation && cut.queries.len() == 1 && cut.metadata.id == 7);
    let failed = Message::from_vec(&crate::unreachable(&query.bytes()).unwrap()).unwrap();
    assert_eq!(said(&failed), ["SERVFAIL", "reason 0 no resolver that this server asks has answered"]);
    assert_eq!(crate::truncated(b"nothing"), None);
}
