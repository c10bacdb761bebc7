//! The backend, asked directly.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::http;
use crate::until;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_backend_answers_what_the_path_asks_for() {
    let backend = Backend::start();
    let get = |path| http::get(backend.address(), path).unwrap();
    assert_eq!(get("/").ok(), "own\n");
    assert_eq!(get("/status/503").status, 503);
    assert_eq!(get("/bytes/30").body, "abcdefghijklmnopqrstuvwxyzabcd");
}

#[test]
fn posts_are_counted_by_their_id() {
    let backend = Backend::start();
    for id in ["a", "b", "b"] {
        let answer = http::request(backend.address(), "POST", "/any", &[("X-Post-Id", id)], "body").unwrap();
        assert_eq!(answer.body, format!("post {id}\n"));
    }
    assert_eq!(backend.entries().posts().into_iter().collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
    assert!(http::get(backend.address(), "/counts").unwrap().body.contains(r#""posts":{"a":1,"b":2}"#));
}

#[test]
fn a_mood_changes_what_is_answered_but_not_the_health() {
    let backend = Backend::start();
    backend.set_mood("status 503");
    assert_eq!(http::get(backend.address(), "/bytes/1").unwrap().status, 503);
    assert_eq!(http::get(backend.address(), "/healthz").unwrap().status, 200);
    backend.set_mood("");
    assert_eq!(http::get(backend.address(), "/bytes/1").unwrap().status, 200);
}

#[test]
fn a_reset_in_the_body_leaves_the_answer_incomplete() {
    let backend = Backend::start();
    assert!(http::get(backend.address(), "/reset/body").is_err());
    assert!(http::get(backend.address(), "/reset/before").is_err());
    assert_eq!(backend.entries().count("reset"), 2);
}

#[test]
fn what_comes_on_a_connection_as_good_as_closed_is_a_race() {
    let millis = Duration::from_millis;
    let backend = Backend::closing_idle(Idle { after: millis(10), jitter: millis(0), wire: SOON });
    let mut stream = TcpStream::connect(backend.address()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    // In the middle of what the wire takes: this pause is the race itself, nobody waits for a level by it.
    std::thread::sleep(millis(500));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(stream.read_to_end(&mut Vec::new()).is_err());
    until("the race is noted", SOON, || (backend.entries().count("race") == 1).then_some(()));
    assert_eq!(backend.entries().count("request"), 1);
}

#[test]
fn an_answer_waits_until_there_is_a_file_of_its_name() {
    let backend = Backend::start();
    let address = backend.address();
    let waiting = std::thread::spawn(move || http::get(address, "/until/told"));
    until("it is asked", SOON, || (backend.entries().count("request GET /until") == 1).then_some(()));
    assert_eq!(backend.entries().count("done"), 0);
    std::fs::write(backend.folder().join("told"), "").unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().ok(), "until\n");
}
