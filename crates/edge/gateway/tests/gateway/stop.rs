//! The gateway stops: nobody who was promised an answer goes without.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

use adsum_gateway::{AccessLog, LogTarget};
use adsum_model::Policy;

use crate::drain::{frame, open_websocket, read_frame, websocket};
use crate::kit::{Backend, House};

#[tokio::test]
async fn request_in_flight_is_answered_with_close_and_resting_connections_end() {
    let (backend, release) = Backend::holding("GET /slow").await;
    let house = House::serving(&[&backend]);
    let addr = house.addr();
    let mut resting = house.connect().await;
    resting.get("/").await;
    let mut slow = house.connect().await;
    slow.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    let gateway = house.gateway;
    let begun = Instant::now();
    let stopping = tokio::task::spawn_blocking(move || gateway.stop(Duration::from_secs(20)));
    assert_eq!(resting.rest().await.unwrap(), b"");
    let refused = async { while tokio::net::TcpStream::connect(addr).await.is_ok() {} };
    tokio::time::timeout(crate::kit::PATIENCE, refused).await.expect("nothing is accepted any more");
    release.send(()).unwrap();
    let answer = slow.answer().await.unwrap();
    assert_eq!((answer.text(), answer.header("connection")), ("done", Some("close")));
    stopping.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "it does not wait for its grace");
}

#[tokio::test]
async fn client_in_the_queue_when_the_gateway_stops_is_served() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut first = house.connect().await;
    first.get("/").await;
    // The worker is kept busy by many, so that some are in the queue still when it is told to stop.
    let mut wires = Vec::new();
    for _ in 0..50 {
        let mut wire = house.connect().await;
        wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        wires.push(wire);
    }
    let gateway = house.gateway;
    let stopping = tokio::task::spawn_blocking(move || gateway.stop(Duration::from_secs(20)));
    for wire in &mut wires {
        assert_eq!(wire.answer().await.unwrap().text(), "hello");
    }
    stopping.await.unwrap();
}

#[tokio::test]
async fn request_that_comes_as_the_gateway_stops_is_answered_and_told_to_close() {
    for (second, status) in [("/", 200), ("/none", 404)] {
        let backend = Backend::saying("hello").await;
        let mut house = House::new();
        house.put("web", Policy::default(), &["Path(/)"], &[]);
        house.instance("web", 1, backend.addr, adsum_model::Health::Passing);
        house.apply();
        let addr = house.addr();
        let (mut resting, mut halfway) = (house.connect().await, house.connect().await);
        assert_eq!(resting.get("/").await.header("connection"), None);
        halfway.get("/").await;
        halfway.send(format!("GET {second} HTTP/1.1\r\nho")).await;
        let gateway = house.gateway;
        let stopping = tokio::task::spawn_blocking(move || gateway.stop(Duration::from_secs(20)));
        while tokio::net::TcpStream::connect(addr).await.is_ok() {}
        let answer = resting.get(second).await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
        assert_eq!(resting.rest().await.unwrap(), b"");
        tokio::time::sleep(Duration::from_millis(700)).await;
        halfway.send("st: a\r\n\r\n").await;
        let answer = halfway.answer().await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
        stopping.await.unwrap();
    }
}

#[tokio::test]
async fn clients_that_say_nothing_keep_no_gateway_from_stopping() {
    let identity = crate::secure::Identity::new("web.test");
    let house = crate::secure::house_with(&identity);
    let silent = house.connect().await;
    let pending = crate::kit::Wire::connect(house.gateway.addresses().tls.unwrap()).await;
    house.metric_becomes("adsum_gateway_connections", "", 2.0).await;
    let (gateway, begun) = (house.gateway, Instant::now());
    tokio::task::spawn_blocking(move || gateway.stop(Duration::from_secs(20))).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop((silent, pending));
}

#[tokio::test]
async fn websocket_is_told_when_the_gateway_stops() {
    let backend = websocket().await;
    let house = House::serving(&[&backend]);
    let mut wire = open_websocket(&house).await;
    let gateway = house.gateway;
    let stopping = tokio::task::spawn_blocking(move || gateway.stop(Duration::from_secs(2)));
    let (opcode, payload) = read_frame(&mut wire).await.unwrap();
    assert_eq!((opcode, &payload[..2]), (8, &1012u16.to_be_bytes()[..]));
    wire.send(frame(8, &payload[..2], Some([9; 4]))).await;
    assert_eq!(wire.rest().await.unwrap(), b"");
    stopping.await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_is_cut_when_the_grace_is_over() {
    let backend = Backend::silent().await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    house.metric_becomes("adsum_gateway_in_flight", "", 1.0).await;
    let gateway = house.gateway;
    tokio::task::spawn_blocking(move || gateway.stop(Duration::from_millis(200))).await.unwrap();
    assert!(wire.answer().await.is_err());
}

#[tokio::test]
async fn log_has_a_line_for_each_request_and_goes_on_in_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let backend = Backend::saying("hello").await;
    let mut house =
        House::with(|settings| settings.access_log = AccessLog::Json(LogTarget::File(path.clone())));
    house.serve("web", Policy::default(), &[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET /a?b HTTP/1.1\r\nhost: a\r\nuser-agent: x\\y\r\n\r\n").await;
    let id = wire.answer().await.unwrap().header("x-request-id").unwrap_or_default().to_owned();
    wire.ask("POST", "/b", "body").await;
    wait_for_lines(&path, 2).await;
    std::fs::rename(&path, folder.path().join("old.log")).unwrap();
    house.gateway.reopen_log();
    wire.get("/c").await;
    wait_for_lines(&path, 1).await;
    house.gateway.stop(Duration::from_secs(5));
    let old = std::fs::read_to_string(folder.path().join("old.log")).unwrap();
    assert!(old.contains("\"method\":\"POST\"") && old.contains("\"status\":200"), "{old}");
    assert!(old.contains("\"user_agent\":\"x\\\\y\"") && old.contains(&id), "{old}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("\"target\":\"/c\""));
}

async fn wait_for_lines(path: &std::path::Path, count: usize) {
    let end = Instant::now() + crate::kit::PATIENCE;
    while std::fs::read_to_string(path).unwrap_or_default().lines().count() < count {
        assert!(Instant::now() < end, "{path:?} has not {count} lines");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn combined_lines_are_as_httpd_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let backend = Backend::saying("hello").await;
    let mut house =
        House::with(|settings| settings.access_log = AccessLog::Combined(LogTarget::File(path.clone())));
    house.serve("web", Policy::default(), &[&backend]);
    let mut wire = house.connect().await;
    wire.get("/a").await;
    house.gateway.stop(Duration::from_secs(5));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("127.0.0.1 - - [") && text.contains("] \"GET /a HTTP/1.1\" 200 5 \"-\" \"-\" "),
        "{text}"
    );
}

#[tokio::test]
async fn reader_of_the_log_that_is_stuck_does_not_keep_the_gateway_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Both ends, so that nobody waits for a reader; then no room is left in it.
    let mut pipe =
        std::fs::File::options().read(true).write(true).custom_flags(O_NONBLOCK).open(&path).unwrap();
    while pipe.write(&[b'x'; 4096]).is_ok() {}
    let backend = Backend::saying("hello").await;
    let mut house =
        House::with(|settings| settings.access_log = AccessLog::Json(LogTarget::File(path.clone())));
    house.serve("web", Policy::default(), &[&backend]);
    assert_eq!(house.connect().await.get("/").await.status, 200);
    let (gateway, begun) = (house.gateway, Instant::now());
    tokio::task::spawn_blocking(move || gateway.stop(Duration::ZERO)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "the log was waited for");
    assert!(begun.elapsed() < Duration::from_secs(10), "but not for long");
    // The thread may end now.
    let mut sink = vec![0; 1 << 20];
    while pipe.read(&mut sink).is_ok_and(|read| read > 0) {}
}

/// Of Linux.
const O_NONBLOCK: i32 = 0o4000;
