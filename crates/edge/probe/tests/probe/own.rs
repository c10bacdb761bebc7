//! The checks of instances that run here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use adsum_model::{Check, CheckKind};
use adsum_probe::{OUTPUT_LIMIT, Outcome, Status, Target, probe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

fn check(kind: CheckKind, timeout: Duration) -> Check {
    Check { kind, timeout, ..Check::default() }
}

fn target(endpoint: SocketAddr) -> Target {
    Target { endpoint, env: BTreeMap::new(), workdir: "/".into() }
}

async fn get(endpoint: SocketAddr, path: &str, timeout: Duration) -> Outcome {
    probe(&check(CheckKind::Http { path: path.to_string() }, timeout), &target(endpoint)).await
}

async fn sh_in(dir: &Path, script: &str, timeout: Duration) -> Outcome {
    let command = ["sh", "-c", script].map(String::from).to_vec();
    let mut target = target("127.0.0.1:1".parse().unwrap());
    target.workdir = dir.to_path_buf();
    target.env = BTreeMap::from([("PORT".to_string(), "20000".to_string())]);
    probe(&check(CheckKind::Command { command }, timeout), &target).await
}

async fn sh(script: &str, timeout: Duration) -> Outcome {
    sh_in(Path::new("/"), script, timeout).await
}

/// Answers one connection with these bytes and tells the request; keeps the connection open with `hold`.
async fn server(answer: &'static [u8], hold: bool) -> (SocketAddr, oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let byte = stream.read_u8().await.unwrap();
            request.push(byte);
        }
        let _ = tell.send(String::from_utf8(request).unwrap());
        let _ = stream.write_all(answer).await;
        if hold {
            let _ = stream.read_u8().await;
        }
    });
    (endpoint, told)
}

/// A port on which nobody listens: none that the system gives to anybody.
fn silence() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

#[tokio::test]
async fn http_follows_the_rule_of_consul() {
    for (answer, status) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"[..], Status::Passing),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Status::Passing),
        (b"HTTP/1.0 200 OK\r\n\r\nfine", Status::Passing),
        (b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", Status::Warning),
        (b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", Status::Critical),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Status::Critical),
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", Status::Critical),
        (b"SSH-2.0-OpenSSH\r\n", Status::Critical),
        (b"", Status::Critical),
    ] {
        let (endpoint, _) = server(answer, false).await;
        let outcome = get(endpoint, "/", LONG).await;
        assert_eq!(outcome.status, status, "{}: {}", String::from_utf8_lossy(answer), outcome.output);
    }
}

#[tokio::test]
async fn http_says_who_asks_and_shows_the_answer() {
    let (endpoint, request) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", true).await;
    let outcome = get(endpoint, "/healthz?deep=1", LONG).await;
    let expected = format!("HTTP GET http://{endpoint}/healthz?deep=1: 200 OK Output: fine");
    assert_eq!(outcome, Outcome { status: Status::Passing, output: expected });
    let request = request.await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /healthz?deep=1 http/1.1\r\n"), "{request}");
    for header in [
        format!("host: {endpoint}"),
        "user-agent: adsum health check".to_string(),
        "accept: text/plain, text/*, */*".to_string(),
    ] {
        assert!(request.contains(&format!("{header}\r\n")), "{header} in {request}");
    }
}

#[tokio::test]
async fn http_keeps_the_beginning_of_a_long_body() {
    const LONG_BODY: &[u8] = &{
        let mut answer = [b'x'; 40_000];
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n";
        let mut place = 0;
        while place < head.len() {
            answer[place] = head[place];
            place += 1;
        }
        answer
    };
    let (endpoint, _) = server(LONG_BODY, true).await;
    let outcome = get(endpoint, "/", LONG).await;
    assert_eq!(outcome.status, Status::Passing);
    assert_eq!(outcome.output.len(), OUTPUT_LIMIT);
}

#[tokio::test]
async fn http_names_what_went_wrong() {
    let nobody = silence();
    let outcome = get(nobody, "/healthz", LONG).await;
    assert_eq!(outcome.output, format!("GET http://{nobody}/healthz: connection refused"));
    assert_eq!(outcome.status, Status::Critical);

    let outcome = get(nobody, "no slash or space", LONG).await;
    assert_eq!(outcome.status, Status::Critical);

    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"] {
        let (hanging, _) = server(answer, true).await;
        let outcome = get(hanging, "/", SHORT).await;
        assert_eq!(outcome.output, format!("GET http://{hanging}/: no answer within 200ms"));
        assert_eq!(outcome.status, Status::Critical);
    }
}

#[tokio::test]
async fn tcp_is_a_connection_that_is_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap();
    let outcome = probe(&check(CheckKind::Tcp, LONG), &target(endpoint)).await;
    assert_eq!(outcome.status, Status::Passing);
    drop(listener);
    let outcome = probe(&check(CheckKind::Tcp, LONG), &target(endpoint)).await;
    assert_eq!(outcome.output, format!("TCP connect {endpoint}: connection refused"));
    assert_eq!(outcome.status, Status::Critical);
}

#[tokio::test]
async fn a_process_check_always_passes() {
    let outcome = probe(&check(CheckKind::Process, SHORT), &target(silence())).await;
    assert_eq!(outcome.status, Status::Passing);
}

#[tokio::test]
async fn a_command_follows_the_rule_of_consul() {
    for (script, status, output) in [
        ("echo fine; exit 0", Status::Passing, "fine\n"),
        ("echo slow >&2; exit 1", Status::Warning, "slow\n"),
        ("echo $PORT; exit 2", Status::Critical, "20000\n"),
        ("exit 127", Status::Critical, ""),
        ("kill -9 $$", Status::Critical, "sh: signal: 9 (SIGKILL)\n"),
    ] {
        let output = output.to_string();
        assert_eq!(sh(script, LONG).await, Outcome { status, output }, "{script}");
    }
    let outcome = sh("env", LONG).await;
    assert!(!outcome.output.contains("CARGO"), "{}", outcome.output);
}

#[tokio::test]
async fn a_command_that_cannot_run_says_why() {
    let missing = CheckKind::Command { command: vec!["no-such-program".to_string()] };
    let outcome = probe(&check(missing, LONG), &target(silence())).await;
    assert_eq!(outcome.output, "no-such-program: no such file or directory");
    assert_eq!(outcome.status, Status::Critical);
    let empty = CheckKind::Command { command: Vec::new() };
    assert_eq!(probe(&check(empty, LONG), &target(silence())).await.status, Status::Critical);
    let outcome = sh_in(Path::new("/no/such"), "exit 0", LONG).await;
    assert_eq!(outcome.output, "sh: cannot run in '/no/such': no such directory");
}

#[tokio::test]
async fn a_flood_from_a_command_is_cut_and_does_not_block_it() {
    let outcome = sh("yes | head -c 1000000; exit 1", LONG).await;
    assert_eq!(outcome.status, Status::Warning);
    assert_eq!(outcome.output.len(), OUTPUT_LIMIT);
}

#[tokio::test]
async fn what_a_command_leaves_in_the_background_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let outcome = sh_in(dir.path(), "sleep 1000 & echo $! > left; echo fine", LONG).await;
    assert_eq!(outcome, Outcome { status: Status::Passing, output: "fine\n".to_string() });
    assert!(begun.elapsed() < LONG);
    let left: i32 = std::fs::read_to_string(dir.path().join("left")).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(left), nix::sys::signal::SIGKILL).unwrap();
}

fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[track_caller]
fn until(what: &str, level: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !level() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; sleep 1000 & echo $! > child; echo $$ > leader; echo waiting; wait";
    let outcome = sh_in(dir.path(), script, Duration::from_secs(3)).await;
    assert_eq!(outcome, Outcome { status: Status::Critical, output: "sh: no answer within 3s".to_string() });
    for name in ["child", "leader"] {
        let pid = std::fs::read_to_string(dir.path().join(name)).unwrap();
        until("it is killed", || !lives(pid.trim()));
    }
}

#[tokio::test]
async fn a_probe_that_is_dropped_takes_its_command_along() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    let probing = tokio::spawn(async move { sh_in(&path, "echo $$ > leader; exec sleep 1000", LONG).await });
    let leader = dir.path().join("leader");
    let deadline = Instant::now() + LONG;
    while !std::fs::read_to_string(&leader).is_ok_and(|text| text.ends_with('\n')) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let pid = std::fs::read_to_string(&leader).unwrap();
    assert!(lives(pid.trim()));
    probing.abort();
    assert!(probing.await.is_err());
    until("it is killed", || !lives(pid.trim()));
}
