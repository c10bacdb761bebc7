//! What people and programs see of requests.

use adsum_tests::{Agent, require, until_ok};
use serde_json::Value;

use super::{SOON, create, get, until_served};

#[test]
fn requests_are_counted_and_logged_with_where_they_went() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().display().to_string();
    let agent = Agent::builder().arg("--access-log=json").arg("--access-log-file").arg(&path).start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    let answer = until_served(&agent, "shop.local");
    let (id, instance) = (answer.header("x-request-id").unwrap(), answer.header("x-served-by").unwrap());
    assert_eq!(answer.header("x-attempts"), Some("1"));
    let line = until_ok("it is logged", SOON, || {
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines().find(|line| line.contains(id)).map(str::to_string).ok_or(text)
    });
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["status"], &line["route"], &line["instance"]),
        (&200.into(), &"shop/1".into(), &instance.into())
    );
    let metrics = agent.get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    let metrics = metrics.ok();
    let counted = metrics.lines().any(|line| {
        line.starts_with("adsum_gateway_requests_total{") && line.contains("shop/1") && line.contains("2xx")
    });
    assert!(counted, "{metrics}");
}

#[test]
fn headers_that_tell_of_the_inside_can_be_switched_off() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[gateway]\nrequest_id = false\nserved_by = false\nattempts = false\n";
    std::fs::write(file.path(), text).unwrap();
    let agent = Agent::builder().arg("--config").arg(&file.path().display().to_string()).start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    let answer = until_served(&agent, "shop.local");
    for name in ["x-request-id", "x-served-by", "x-attempts"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn the_gateway_is_found_in_the_status_the_environment_and_the_announcement() {
    let agent = Agent::start();
    create(&agent, "shop", &[]);
    let address = agent.gateway().to_string();
    let status = crate::web::json(&agent, "/api/status");
    assert_eq!(status["faces"]["gateway"], address);
    assert_eq!(agent.instances_of("shop")[0].env("ADSUM_GATEWAY_ADDR"), Some(address.as_str()));
    assert!(agent.log().contains(&format!("gateway on http://{address}")), "{}", agent.log());
    let shown = agent.adsum(&["gateway", "status"]).ok();
    assert!(shown.contains(&address) && shown.contains("gateway on one (worker 0)"), "{shown}");
}

#[test]
fn https_is_served_where_there_is_a_certificate() {
    if !require("openssl") || !require("curl") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str| scratch.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=shop.local"]);
    openssl.args(["-addext", "subjectAltName=DNS:shop.local", "-keyout", &key, "-out", &cert]);
    assert!(openssl.output().unwrap().status.success());
    let ports = adsum_tests::port::Block::reserve();
    let (tls, port) = (ports.address(0).to_string(), ports.port(0));
    let builder = Agent::builder().arg("--gateway-tls-cert").arg(&cert).arg("--gateway-tls-key").arg(&key);
    let agent = builder.arg("--gateway-tls-addr").arg(&tls).start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    until_served(&agent, "shop.local");
    let resolve = format!("shop.local:{port}:127.0.0.1");
    let url = format!("https://shop.local:{port}/bytes/3");
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--cacert", &cert, "--resolve", &resolve, &url]);
    let answer = curl.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "abc", "{answer:?}");
    assert_eq!(get(&agent, "shop.local", "/").unwrap().status, 200);
}
