//! What the real `dig` makes of the answers.

use tokio::process::Command;

use super::*;

/// Whether `dig` is here; says so when it is not, and fails in a run that must skip nothing.
fn dig_is_here() -> bool {
    let here = std::process::Command::new("dig").arg("-v").output().is_ok();
    if !here {
        println!("SKIPPED a test of the DNS face: needs dig (apt-get install bind9-dnsutils)");
        assert!(std::env::var_os("ADSUM_TEST_STRICT").is_none(), "dig is missing");
    }
    here
}

async fn dig(face: &Face, arguments: &str) -> String {
    let port = face.addr.port().to_string();
    let output = Command::new("dig")
        .args(["-r", "@127.0.0.1", "-p", &port, "+tries=1", "+time=30", "+nocookie"])
        .args(arguments.split(' '))
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Asks, and wants each of the pieces in what `dig` prints, blanks taken as one.
#[track_caller]
fn check_printed(arguments: &str, printed: &str, pieces: &[&str]) {
    let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for piece in pieces {
        assert!(words.contains(piece), "dig {arguments}: no '{piece}' in\n{printed}");
    }
}

#[tokio::test]
async fn dig_gets_what_it_asks_for() {
    if !dig_is_here() {
        return;
    }
    let face = Face::start();
    let table: [(&str, &[&str]); 15] = [
        (
            "web.service.adsum",
            &["status: NOERROR", "flags: qr aa rd;", "ANSWER: 2,", "IN A 10.0.0.1", "IN A 10.0.0.2"],
        ),
        ("_web._tcp.service.adsum SRV", &["ANSWER: 2,", "ADDITIONAL: 3", "SRV 1 1 8001", "SRV 1 1 8002"]),
        (
            "web.service.consul SRV",
            &["SRV 1 1 8001 0a000001.addr.dc1.consul.", "0a000002.addr.dc1.consul. 0 IN A"],
        ),
        ("web.service.dc1.consul +tcp", &["status: NOERROR", "ANSWER: 2,", "(TCP)"]),
        ("web.service.adsum +noedns", &["ANSWER: 2,", "ADDITIONAL: 0"]),
        ("web.service.adsum +edns=0 +bufsize=4096", &["EDNS: version: 0, flags:; udp: 1232"]),
        ("web.service.adsum +edns=1 +noednsnegotiation", &["status: BADVERS", "EDNS: version: 0"]),
        ("none.service.adsum", &["status: NXDOMAIN", "AUTHORITY: 1,", "SOA ns.adsum. hostmaster.adsum."]),
        ("web.service.adsum AAAA", &["status: NOERROR", "ANSWER: 0,", "AUTHORITY: 1,", "adsum. 1 IN SOA"]),
        ("down.service.adsum", &["status: NOERROR", "ANSWER: 0,", "EDE: 0 (Other): (no healthy instance)"]),
        ("wEb.SeRvIcE.AdSuM", &["wEb.SeRvIcE.AdSuM. 0 IN A 10.0.0.1"]),
        ("example.com", &["status: REFUSED"]),
        ("web.service.adsum ANY +notcp", &["HINFO \"RFC8482\" \"\""]),
        ("n1.node.consul", &["n1.node.consul. 0 IN A 127.0.0.1"]),
        ("adsum NS", &["adsum. 0 IN NS n1.node.dc1.adsum."]),
    ];
    for (arguments, pieces) in table {
        check_printed(arguments, &dig(&face, arguments).await, pieces);
    }
}

#[tokio::test]
async fn dig_comes_again_over_tcp_when_an_answer_is_truncated() {
    if !dig_is_here() {
        return;
    }
    let face = Face::start();
    for record_type in ["A", "SRV"] {
        let arguments = format!("many.service.adsum {record_type}");
        let whole = dig(&face, &arguments).await;
        check_printed(&arguments, &whole, &["Truncated, retrying in TCP mode", "ANSWER: 100,", "(TCP)"]);
        let arguments = format!("{arguments} +ignore");
        let part = dig(&face, &arguments).await;
        check_printed(&arguments, &part, &["flags: qr aa tc rd;", "(UDP)"]);
    }
}

#[tokio::test]
async fn dig_is_refused_a_transfer() {
    if !dig_is_here() {
        return;
    }
    let face = Face::start();
    let printed = dig(&face, "adsum AXFR").await;
    check_printed("adsum AXFR", &printed, &["Transfer failed"]);
}
