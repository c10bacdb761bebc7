//! A full disk: what grows is refused and says so, what takes away goes on, and all goes on when there is room.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, Scratch, processes, running, unable, until};

const SOON: Duration = Duration::from_secs(30);

/// A filesystem in memory that is gone with the test.
struct Small {
    scratch: Scratch,
}

impl Small {
    /// None where nothing can be mounted; the test has to return then.
    fn mount() -> Option<Small> {
        let small = Small { scratch: Scratch::new() };
        std::fs::create_dir(small.at()).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(small.at());
        let output = running::run(&mut command, b"", SOON);
        if output.code == Some(0) {
            return Some(small);
        }
        unable(&format!("nothing can be mounted here ({}): run as root", output.stderr.trim()));
        None
    }

    fn at(&self) -> PathBuf {
        self.scratch.path().join("mounted")
    }

    fn fill_up(&self) {
        let mut ballast = File::create(self.at().join("ballast")).unwrap();
        for piece in [1 << 20, 4096, 1] {
            while ballast.write_all(&vec![1; piece]).is_ok() {}
        }
    }

    fn clear(&self) {
        std::fs::remove_file(self.at().join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        processes::end_all_under(&self.at());
        // Should anybody use it still, it is gone with him.
        let mut command = Command::new("umount");
        let _ = command.arg("--lazy").arg(self.at()).output();
    }
}

#[test]
fn without_room_what_grows_is_refused_and_what_takes_away_goes_on() {
    let Some(small) = Small::mount() else { return };
    let mut agent = Agent::builder().data_dir(&small.at().join("data")).start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let mut ask = |words: &[&str]| connection.ask(words).unwrap();
    let value = "x".repeat(10_000);
    for key in ["/a", "/b"] {
        assert_eq!(ask(&["SET", key, &value]), Reply::Text("OK".into()));
    }
    let Reply::Text(fence) = ask(&["LOCK", "/lock", "me", "PX", "600000"]) else { panic!("no grant") };
    ask(&["SET", "/brief", "x", "PX", "3000"]);
    // There is room as long as nobody takes it: the control.
    assert_eq!(ask(&["SET", "/c", &value]), Reply::Text("OK".into()));
    small.fill_up();
    let mut acknowledged = 0;
    let refused =
        until("a write is refused", SOON, || match ask(&["SET", &format!("/w/{acknowledged}"), &value]) {
            Reply::Error(error) => Some(error),
            _ => {
                acknowledged += 1;
                None
            }
        });
    assert!(refused.starts_with("ERR disk full: ") && refused.contains("mounted/data"), "{refused}");
    assert!(acknowledged > 0, "the preallocated room was not used");

    // Reads, deletions, releases, and what expires.
    assert_eq!(ask(&["GET", "/a"]), Reply::Text(value.clone()));
    assert_eq!(ask(&["DEL", "/a"]), Reply::Text("1".into()));
    assert_eq!(ask(&["RENEW", "/lock", &fence, "PX", "600000"]), Reply::Text("OK".into()));
    assert_eq!(ask(&["UNLOCK", "/lock", &fence]), Reply::Text("OK".into()));
    until("the key expires", SOON, || (ask(&["EXISTS", "/brief"]) == Reply::Text("0".into())).then_some(()));
    let error = agent.adsum(&["kv", "put", "/c", "more"]).fails(1);
    assert!(error.contains("disk full") && error.contains("507"), "{error}");
    agent.adsum(&["kv", "del", "/c"]).ok();
    let error = agent.adsum(&["kv", "switch", "/a", "--event", "x"]).fails(1);
    assert!(error.contains("disk full"), "{error}");
    assert_eq!(agent.adsum(&["kv", "get", "/b"]).ok(), value);
    assert!(agent.log().contains("disk full"));

    small.clear();
    until("there is room again", SOON, || {
        (ask(&["SET", "/a", "new"]) == Reply::Text("OK".into())).then_some(())
    });
    agent.kill9();
    agent.restart();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let mut get = |key: &str| connection.ask(&["GET", key]).unwrap();
    assert_eq!(get("/a"), Reply::Text("new".into()));
    assert_eq!((get("/b"), get("/c"), get("/lock")), (Reply::Text(value.clone()), Reply::Nil, Reply::Nil));
    for number in 0..acknowledged {
        assert_eq!(get(&format!("/w/{number}")), Reply::Text(value.clone()));
    }
    agent.terminate();
}

#[test]
fn a_disk_that_the_agent_itself_has_filled_is_emptied_by_deleting() {
    let Some(small) = Small::mount() else { return };
    let agent = Agent::builder().data_dir(&small.at().join("data")).start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    let mut ask = |words: &[&str]| connection.ask(words).unwrap();
    let value = "x".repeat(100_000);
    let is_refused = |number: &u32| {
        // By then a snapshot is due, for which there is no room: that it could not be written is to hold up nothing.
        if *number == 400 {
            until("a snapshot is tried", SOON, || agent.log().contains("no snapshot").then_some(()));
        }
        matches!(ask(&["SET", &format!("/w/{number}"), &value]), Reply::Error(_))
    };
    let written = (0..1000).find(is_refused).expect("100 MB do not fit into 64");
    assert!(written > 100, "{written} writes of 100 KB have filled 64 MB");
    assert_eq!(ask(&["FLUSHALL"]), Reply::Text("OK".into()));
    until("there is room again", SOON, || {
        (ask(&["SET", "/a", &value]) == Reply::Text("OK".into())).then_some(())
    });
}
