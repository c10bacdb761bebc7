//! Locks that are held by another, get lost, or lose their agent.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::resp::Server;
use crate::run::{Ended, adsum_command};

fn lock(server: &Server, args: &[&str]) -> Ended {
    let mut command = adsum_command("127.0.0.1:1", &["lock", "/l"]);
    command.env("ADSUM_RESP_ADDR", &server.address).args(args).output().unwrap().into()
}

/// A lock that is granted under fence 42, renewed as `renewal` says, and released as `release` says.
fn granting(renewal: Option<&'static str>, release: &'static str) -> Server {
    Server::start(move |words| match words[0].as_str() {
        "LOCK" => Some(":42\r\n"),
        "RENEW" => renewal,
        "UNLOCK" => Some(release),
        _ => Some("-ERR unknown command\r\n"),
    })
}

/// Three seconds, of which a third passes between two renewals. Not shorter, since a machine may stand still for a while,
/// and what is shown is not what comes of that.
const TTL: &str = "3s";
/// More than a third.
const LATE: Duration = Duration::from_millis(1200);

const OK: &str = "+OK\r\n";
const FENCED: &str = "-FENCED 50\r\n";
const GONE: &str = "-FENCED 0\r\n";

#[test]
fn the_command_runs_under_its_fence_and_its_exit_code_is_passed_on() {
    let server = granting(Some(OK), OK);
    let ended = lock(&server, &["--", "sh", "-c", "echo $ADSUM_LOCK_KEY $ADSUM_LOCK_FENCE; exit 7"]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(7), "/l 42\n", ""));
    let asked = &server.commands("LOCK")[0];
    assert!(asked.starts_with("LOCK /l ") && asked.ends_with(" PX 30000 WAIT 0"), "{asked}");
    assert_eq!(server.commands("UNLOCK"), ["UNLOCK /l 42"]);
}

#[test]
fn a_place_in_a_semaphore_is_held_under_its_own_name() {
    let server = Server::start(|words| match words[0].as_str() {
        "LOCK" => Some("*2\r\n$4\r\n/l:2\r\n:43\r\n"),
        _ => Some(OK),
    });
    let ended = lock(
        &server,
        &[
            "-n",
            "2",
            "--owner",
            "me",
            "--wait",
            "1s",
            "--",
            "sh",
            "-c",
            "echo $ADSUM_LOCK_KEY $ADSUM_LOCK_FENCE",
        ],
    );
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "/l:2 43\n"), "{ended:?}");
    let asked = &server.commands("LOCK")[0];
    assert!(asked.starts_with("LOCK /l me PX 30000 WAIT ") && asked.ends_with(" LIMIT 2"), "{asked}");
    assert_eq!(server.commands("UNLOCK"), ["UNLOCK /l:2 43"]);
}

#[test]
fn a_lease_is_renewed_while_the_command_runs() {
    let server = granting(Some(OK), OK);
    let begun = Instant::now();
    let ended = lock(&server, &["--ttl", "1500ms", "--", "sleep", "2.2"]);
    // On a busy machine the command takes longer than it sleeps, and is renewed for as long.
    let most = begun.elapsed().as_millis() as usize / 500;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let renewals = server.commands("RENEW /l 42 PX 1500").len();
    assert!((2..=most).contains(&renewals), "{renewals} renewals, at most {most} expected");
}

#[test]
fn a_command_whose_lock_is_taken_away_is_ended() {
    for (reply, why) in [(FENCED, "another has it, under the fence 50"), (GONE, "its key is gone")] {
        let begun = Instant::now();
        let ended = lock(&granting(Some(reply), reply), &["--ttl", TTL, "--", "sleep", "60"]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(&format!("is lost: {why}")), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(30), "the command was not ended");
    }
}

#[test]
fn a_lock_that_nobody_renews_is_lost_when_its_time_is_over() {
    let server = granting(None, OK);
    let begun = Instant::now();
    let ended = lock(&server, &["--ttl", TTL, "--", "sleep", "60"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("no renewal got through in time"), "{ended:?}");
    assert!((Duration::from_secs(3)..Duration::from_secs(30)).contains(&begun.elapsed()));
    assert!(server.commands("RENEW").len() >= 2, "a connection that hangs leaves time for another");
}

#[test]
fn a_lock_that_was_lost_unnoticed_fails_the_run() {
    let ended = lock(&granting(Some(OK), FENCED), &["--", "true"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("was lost before the command had ended"), "{ended:?}");
}

#[test]
fn a_lock_that_another_holds_runs_nothing() {
    let server = Server::start(|words| match words[0].as_str() {
        "LOCK" => Some("$-1\r\n"),
        "PTTL" => Some(":12000\r\n"),
        _ => Some("-ERR unknown command\r\n"),
    });
    let ended = lock(&server, &["--wait", "200ms", "--", "echo", "ran"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let expect = "error: another holds the lock on '/l' after 200ms, for another 12s unless it is renewed: wait longer with --wait\n";
    assert_eq!(ended.stderr, expect);
    assert_eq!(server.commands("LOCK").len(), 1, "it waits in the agent's queue and asks once");
}

/// Nobody knows when the grant was given: so the time is counted from a renewal, and not from the question.
#[test]
fn a_grant_that_comes_late_is_renewed_before_the_command_runs() {
    let server = Server::start(|words| match words[0].as_str() {
        "LOCK" => {
            std::thread::sleep(LATE);
            Some(":42\r\n")
        }
        _ => Some(OK),
    });
    let ended = lock(&server, &["--ttl", TTL, "--", "true"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(server.commands("RENEW"), ["RENEW /l 42 PX 3000"]);
}

#[test]
fn a_grant_that_was_lost_before_it_was_read_is_asked_for_again() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |words| match words[0].as_str() {
        "LOCK" if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
            std::thread::sleep(LATE);
            Some(":42\r\n")
        }
        "LOCK" => Some(":50\r\n"),
        "RENEW" => Some(FENCED),
        "FENCE" | "GET" => Some("$-1\r\n"),
        _ => Some(OK),
    });
    let ended = lock(&server, &["--ttl", TTL, "--", "sh", "-c", "echo $ADSUM_LOCK_FENCE"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "50\n"), "{ended:?}");
}

#[test]
fn a_command_that_cannot_run_gives_the_lock_back() {
    let server = granting(Some(OK), OK);
    let ended = lock(&server, &["--", "/nowhere/command"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: cannot run '/nowhere/command'"), "{ended:?}");
    assert_eq!(server.commands("UNLOCK").len(), 1);
}

#[test]
fn an_agent_that_refuses_is_quoted() {
    let server = Server::start(|_| Some("-NOAUTH Authentication required.\r\n"));
    let ended = lock(&server, &["--", "true"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("LOCK is refused: NOAUTH Authentication required."), "{ended:?}");
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
        let server = granting(Some(OK), OK);
        let script = "trap 'exit 9' TERM INT USR1; echo there; while :; do sleep 0.05; done";
        let child = running(&server, "30s", script);
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(9), ""), "{signal}");
        assert_eq!(server.commands("UNLOCK").len(), 1);
    }
}

#[test]
fn a_command_that_ignores_sigterm_does_not_outlive_its_lock_for_long() {
    let begun = Instant::now();
    let child = running(&granting(Some(FENCED), FENCED), TTL, "trap '' TERM; echo there; exec sleep 60");
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!(ended.code, Some(1));
    assert!((Duration::from_secs(5)..Duration::from_secs(30)).contains(&begun.elapsed()));
}

#[test]
fn an_interrupted_wait_runs_nothing() {
    // A grant whose answer does not come: it is given back by our own name.
    let server = Server::start(|words| match words[0].as_str() {
        "LOCK" => None,
        "FENCE" => Some(":42\r\n"),
        "GET" => Some("$1\r\nx\r\n"),
        _ => Some(OK),
    });
    let mut command = adsum_command("127.0.0.1:1", &["lock", "/l", "--", "echo", "ran"]);
    command.env("ADSUM_RESP_ADDR", &server.address).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while server.commands("LOCK").is_empty() {
        std::thread::yield_now();
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let ended: Ended = child.wait_with_output().unwrap().into();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("interrupted before the lock on '/l' was granted"), "{ended:?}");
    assert_eq!(server.commands("GET"), ["GET /l"]);
    assert!(server.commands("UNLOCK").is_empty(), "it is another's");
}
