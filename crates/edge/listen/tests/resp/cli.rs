//! The real redis-cli.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::kit::Face;

/// What redis-cli prints; None, with a note, where there is none.
fn run(face: &Face, args: &[&str], input: &str) -> Option<String> {
    let child = Command::new("redis-cli")
        .args(["-p", &face.bound.addr.port().to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: no redis-cli (Debian: apt install redis-tools)");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[track_caller]
fn check(face: &Face, args: &[&str], input: &str, expected: &str) {
    if let Some(printed) = run(face, args, input) {
        assert_eq!(printed, expected, "{args:?}");
    }
}

#[test]
fn the_talks_commands_work_from_redis_cli() {
    let face = Face::new();
    check(&face, &["set", "/path/to/disk/mydb.conf", "host=db"], "", "OK\n");
    check(&face, &["keys", "/path/*"], "", "/path/to/disk/mydb.conf\n");
    check(&face, &["-x", "set", "/path/to/disk/mydb.conf"], "from a file", "OK\n");
    check(&face, &["get", "/path/to/disk/mydb.conf"], "", "from a file\n");
    check(&face, &["SET", "/etc/lock/u/.lock", "rnd", "NX", "PX", "30000"], "", "OK\n");
    check(&face, &["SET", "/etc/lock/u/.lock", "rnd", "NX", "PX", "30000"], "", "\n");
    check(&face, &["-3", "config", "get", "notify-keyspace-events"], "", "notify-keyspace-events AKE\n");
}

#[test]
fn a_script_of_commands_works_from_redis_cli() {
    let face = Face::new();
    let script = "SETEX a 30 x\nTTL a\nRPUSH q 1 2\nBLPOP q 0\nnosuch\nHELLO 3\nINFO server\n";
    let Some(printed) = run(&face, &[], script) else { return };
    assert!(printed.starts_with("OK\n30\n2\nq\n1\nERR unknown command 'nosuch'"), "{printed}");
    assert!(printed.contains("redis_version:7.2.4"), "{printed}");
    check(&face, &["--scan", "--pattern", "q*"], "", "q\n");
}
