//! Names outside of our own zones: domains that somebody owns, and names that others know.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use adsum_tests::{Agent, clients, port, require, until};
use serde_json::json;

use super::web;

const SOON: Duration = Duration::from_secs(30);

/// A resolver that knows `example.com` itself, and asks one of ours for `adsum`.
struct Dnsmasq {
    child: Child,
    address: SocketAddr,
    _ports: port::Block,
}

impl Dnsmasq {
    fn start(ours: SocketAddr) -> Dnsmasq {
        let ports = port::Block::reserve();
        let address = ports.address(0);
        let mut command = Command::new("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--user=",
        ]);
        command.args(["--bind-interfaces", "--listen-address=127.0.0.1", "--pid-file="]);
        command.arg(format!("--port={}", address.port()));
        command.arg(format!("--server=/adsum/{}#{}", ours.ip(), ours.port()));
        command.arg("--address=/example.com/192.0.2.7").stdin(Stdio::null());
        let dnsmasq = Dnsmasq { child: command.spawn().expect("dnsmasq is here"), address, _ports: ports };
        until("dnsmasq answers", SOON, || (dnsmasq.dig("example.com") == "192.0.2.7\n").then_some(()));
        dnsmasq
    }

    fn dig(&self, name: &str) -> String {
        clients::dig(self.address, &["+short", name]).stdout
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_is_found_below_a_domain_that_somebody_owns() {
    if !require("dig") {
        return;
    }
    let agent = Agent::builder().arg("--dns-domain").arg("walterdalmut.com").start();
    web::create(&agent, "api", &[]);
    let instance = web::service(&agent, "api")["instances"][0].clone();
    let (id, address) = (instance["id"].as_str().unwrap(), web::address(&instance));
    let records = agent.dig(&["+short", "_api._tcp.walterdalmut.com", "SRV"]).ok();
    let port = address.port();
    assert_eq!(records, format!("1 1 {port} {id}.api.walterdalmut.com."));
    let target = agent.dig(&["+short", &format!("{id}.api.walterdalmut.com")]).ok();
    assert_eq!(target, address.ip().to_string());
    assert_eq!(agent.dig(&["+short", "api.walterdalmut.com"]).ok(), target);
}

#[test]
fn what_is_registered_has_a_name_a_priority_and_a_weight_below_a_domain_that_somebody_owns() {
    if !require("dig") {
        return;
    }
    let agent = Agent::builder().arg("--dns-domain").arg("walterdalmut.com").start();
    for (id, priority, port) in [("1", "1", 8080), ("spare", "10", 8081)] {
        let service = json!({"Name": "auth", "ID": id, "Address": "192.0.2.7", "Port": port,
            "Weights": {"Passing": 10, "Warning": 1}, "Meta": {"srv-priority": priority}});
        agent.send("PUT", "/v1/agent/service/register", &service.to_string()).ok();
    }
    let records = agent.dig(&["+short", "_auth._tcp.walterdalmut.com", "SRV"]).ok();
    let mut records: Vec<&str> = records.lines().collect();
    records.sort_unstable();
    let expected = ["1 10 8080 1.auth.walterdalmut.com.", "10 10 8081 spare.auth.walterdalmut.com."];
    assert_eq!(records, expected);
    for name in ["1.auth", "spare.auth"] {
        let address = agent.dig(&["+short", &format!("{name}.walterdalmut.com")]).ok();
        assert_eq!(address, "192.0.2.7");
    }
}

#[test]
fn a_resolver_in_front_finds_our_names_and_we_find_those_that_it_knows() {
    if !require("dig") || !require("dnsmasq") {
        return;
    }
    let behind = Agent::start();
    web::create(&behind, "web", &[]);
    let dnsmasq = Dnsmasq::start(behind.dns());
    assert_eq!(dnsmasq.dig("web.service.adsum"), "127.0.0.1\n");

    let resolver = dnsmasq.address.to_string();
    let agent = Agent::builder().arg("--dns-forward").arg(&resolver).start();
    for flags in [&["+short"][..], &["+short", "+tcp"]] {
        let found = agent.dig(&[flags, &["example.com"]].concat()).ok();
        assert_eq!(found, "192.0.2.7");
    }
    // Ours is not asked for elsewhere, and one who forwards nothing refuses.
    assert!(agent.dig(&["web.service.adsum"]).ok().contains("status: NXDOMAIN"));
    assert!(behind.dig(&["example.com"]).ok().contains("status: REFUSED"));
    drop(dnsmasq);
    let failed = agent.dig(&["example.com", "+time=10"]).ok();
    assert!(failed.contains("status: SERVFAIL") && failed.contains("no resolver"), "{failed}");
}
