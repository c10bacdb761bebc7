//! Locks that are held by another, get lost, or lose their agent.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::resp::Server;
use crate::run::{Ended, adsum_command};

fn lock(server: &Server, args: &[&str]) -> Ended {
    let mut command = adsum_command("127.0.0.1:1", &["lock", "/l"]);
    command.env("ADSUM_RESP_ADDR", &server.address).args(args).output().unwrap().into()
}

/// A lock that is granted, renewed as `renewal` says, and released as `release` says.
fn granting(renewal: Option<&'static str>, release: &'static str) -> Server {
    Server::start(move |words| match (words[0].as_str(), words.get(3).map(String::as_str)) {
        ("SET", Some("NX")) => Some("+OK\r\n"),
        ("SET", _) => renewal,
        ("DELEX", _) => Some(release),
        _ => Some("-ERR unknown command\r\n"),
    })
}

const RENEWED: Option<&str> = Some("+OK\r\n");
const REFUSED: Option<&str> = Some("$-1\r\n");

#[test]
fn the_command_runs_under_its_token_and_its_exit_code_is_passed_on() {
    let server = granting(RENEWED, ":1\r\n");
    let ended = lock(&server, &["--", "sh", "-c", "echo $ADSUM_LOCK_KEY $ADSUM_LOCK_TOKEN; exit 7"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(7), ""));
    let token = ended.stdout.strip_prefix("/l ").unwrap().trim();
    assert_eq!(server.commands("SET"), [format!("SET /l {token} NX PX 30000")]);
    assert_eq!(server.commands("DELEX"), [format!("DELEX /l IFEQ {token}")]);
}

#[test]
fn a_lease_is_renewed_while_the_command_runs() {
    let server = granting(RENEWED, ":1\r\n");
    let ended = lock(&server, &["--ttl", "1500ms", "--", "sleep", "2.2"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let renewals = server.commands("SET").iter().filter(|set| set.contains(" IFEQ ")).count();
    assert!((2..=4).contains(&renewals), "{renewals} renewals in 2.2 s");
}

#[test]
fn a_command_whose_lock_is_taken_away_is_ended() {
    let server = granting(REFUSED, ":0\r\n");
    let begun = Instant::now();
    let ended = lock(&server, &["--ttl", "300ms", "--", "sleep", "30"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("is lost: its key was removed, or another has it"), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_lock_that_nobody_renews_is_lost_when_its_time_is_over() {
    let server = granting(None, ":0\r\n");
    let begun = Instant::now();
    let ended = lock(&server, &["--ttl", "1s", "--", "sleep", "30"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("no renewal got through in time"), "{ended:?}");
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&begun.elapsed()));
    assert!(server.commands("SET").len() >= 3, "a connection that hangs leaves time for another");
}

#[test]
fn a_lock_that_was_lost_unnoticed_fails_the_run() {
    let ended = lock(&granting(RENEWED, ":0\r\n"), &["--", "true"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("was lost before the command had ended"), "{ended:?}");
}

#[test]
fn a_lock_that_another_holds_runs_nothing() {
    let server = Server::start(|words| match words[0].as_str() {
        "SET" => REFUSED,
        "PTTL" => Some(":12000\r\n"),
        "SUBSCRIBE" => Some("*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"),
        _ => Some("-ERR unknown command\r\n"),
    });
    let ended = lock(&server, &["--wait", "200ms", "--", "echo", "ran"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let expect = "error: another holds the lock on '/l' after 200ms, for another 12s unless it is renewed: wait longer with --wait\n";
    assert_eq!(ended.stderr, expect);
    assert_eq!(server.commands("SUBSCRIBE"), ["SUBSCRIBE __keyspace@0__:/l"]);
}

#[test]
fn a_message_about_the_key_is_worth_another_try() {
    let told = Arc::new(OnceLock::new());
    let looked = told.clone();
    let server = Server::start(move |words| match (words[0].as_str(), words.get(3).map(String::as_str)) {
        ("SET", Some("NX")) if looked.get().is_none() => REFUSED,
        ("SET", _) => RENEWED,
        ("PTTL", _) => {
            looked.get_or_init(Instant::now);
            Some(":30000\r\n")
        }
        // The confirmation, and at once the message.
        ("SUBSCRIBE", _) => {
            Some("*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$3\r\ndel\r\n")
        }
        _ => Some(":1\r\n"),
    });
    let ended = lock(&server, &["--", "echo", "ran"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "ran\n"));
    let waited = told.get().unwrap().elapsed();
    assert!(waited < Duration::from_millis(900), "it waited {waited:?} for the next look");
}

#[test]
fn a_command_that_cannot_run_gives_the_lock_back() {
    let server = granting(RENEWED, ":1\r\n");
    let ended = lock(&server, &["--", "/nowhere/command"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: cannot run '/nowhere/command'"), "{ended:?}");
    assert_eq!(server.commands("DELEX").len(), 1);
}

#[test]
fn an_agent_that_refuses_is_quoted() {
    let server = Server::start(|_| Some("-NOAUTH Authentication required.\r\n"));
    let ended = lock(&server, &["--", "true"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("SET is refused: NOAUTH Authentication required."), "{ended:?}");
}

/// Starts a shell under the lock and waits until it says that it is there.
fn running(server: &Server, ttl: &str, script: &str) -> Child {
    let mut command = adsum_command("127.0.0.1:1", &["lock", "/l", "--ttl", ttl, "--", "sh", "-c", script]);
    command.env("ADSUM_RESP_ADDR", &server.address).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "there\n");
    child
}

#[test]
fn signals_are_for_the_command() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
        let server = granting(RENEWED, ":1\r\n");
        let script = "trap 'exit 9' TERM INT USR1; echo there; while :; do sleep 0.05; done";
        let child = running(&server, "30s", script);
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(9), ""), "{signal}");
        assert_eq!(server.commands("DELEX").len(), 1);
    }
}

#[test]
fn a_command_that_ignores_sigterm_does_not_outlive_its_lock_for_long() {
    let begun = Instant::now();
    let child = running(&granting(REFUSED, ":0\r\n"), "300ms", "trap '' TERM; echo there; exec sleep 30");
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(1));
    assert!((Duration::from_secs(5)..Duration::from_secs(10)).contains(&begun.elapsed()));
}

#[test]
fn an_interrupted_wait_runs_nothing() {
    let server = Server::start(|words| match words[0].as_str() {
        "SET" => REFUSED,
        "PTTL" => Some(":30000\r\n"),
        "SUBSCRIBE" => Some("*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"),
        _ => Some(":0\r\n"),
    });
    let mut command = adsum_command("127.0.0.1:1", &["lock", "/l", "--", "echo", "ran"]);
    command.env("ADSUM_RESP_ADDR", &server.address).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while server.commands("PTTL").is_empty() {
        std::thread::yield_now();
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("interrupted before the lock on '/l' was granted"), "{ended:?}");
}
