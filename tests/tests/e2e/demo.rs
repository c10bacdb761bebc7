//! `adsum demo chirp`: one command for the whole application, until Ctrl-C.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use adsum_tests::port::Block;
use adsum_tests::{Running, Scratch, processes, program, require, running, until_ok};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(120);

struct Demo {
    running: Running,
    // After `running`: dropping it ends what the demonstration has started.
    scratch: Scratch,
    _ports: Block,
}

impl Demo {
    /// With ports of the test's own, except where `faces` is false: then those that it finds.
    fn start(arguments: &[&str], faces: bool) -> Demo {
        let (scratch, ports) = (Scratch::new(), Block::reserve());
        let mut command = Command::new(program::adsum());
        command.args(["demo", "chirp"]).args(arguments).current_dir(scratch.path());
        // Where it keeps its data; it is by this, too, that its processes are known as the test's own.
        command.env("TMPDIR", scratch.path());
        let range = ports.from(10);
        command.args(["--port-range", &format!("{}-{}", range.start(), range.end())]);
        if faces {
            command.args(["--resp-addr", &ports.address(0).to_string()]);
            command.args(["--http-addr", &ports.address(1).to_string()]);
            command.args(["--dns-addr", &ports.address(2).to_string()]);
            command.args(["--gateway-addr", &ports.address(3).to_string()]);
        }
        Demo { running: Running::start(&mut command), scratch, _ports: ports }
    }

    /// Waits until it has said this, and gives all that it has said.
    #[track_caller]
    fn until_says(&self, words: &str) -> String {
        until_ok(&format!("it says {words:?}"), PATIENCE, || {
            let text = self.running.stderr();
            if text.contains(words) { Ok(text) } else { Err(text) }
        })
    }

    /// Ctrl-C.
    #[track_caller]
    fn end(self) {
        self.running.signal(Signal::SIGINT);
        self.running.finish(SOON).ok();
        let left = processes::under(self.scratch.path());
        assert!(left.is_empty(), "left behind: {left:?}");
        let entries = std::fs::read_dir(self.scratch.path()).expect("it is ours");
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let left: Vec<String> = names.filter(|name| name.starts_with("adsum-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn tweets(count: u32) -> String {
    let count = count.to_string();
    let mut chirp = Command::new(program::chirp());
    chirp.args(["generate", "--tweets", &count, "--users", &count]);
    running::run(&mut chirp, b"", SOON).ok() + "\n"
}

#[test]
fn a_file_of_tweets_becomes_a_service_per_user_and_what_it_says_to_try_works() {
    if !require("curl") || !require("redis-cli") || !require("dig") {
        return;
    }
    let folder = Scratch::new();
    let file = folder.file("tweets.ndjson");
    std::fs::write(&file, tweets(20)).unwrap();
    let demo = Demo::start(&["--stream", &file], true);
    let text = demo.until_says("every tweet is stored, 20 users have a service");
    let block = text.split_once("Try, in another terminal:\n").expect("it says what to try").1;
    let lines: Vec<&str> = block.lines().map_while(|line| line.strip_prefix("  ")).collect();
    assert!(lines.len() >= 8, "{lines:?}");
    let script = format!("set -e\n{}", lines.join("\n"));
    let output = running::run(Command::new("sh").args(["-c", &script]), b"", PATIENCE).ok();
    let expect =
        ["\"users\":[", "302 Found", "\"id_str\":", "/chirp/", "127.0.0.1", "scaled to 5", "passing"];
    for part in expect {
        assert!(output.contains(part), "{part} is not in {output}");
    }
    demo.end();
}

#[test]
fn tweets_that_come_over_standard_input_are_taken_as_they_come() {
    let mut demo = Demo::start(&["--stream", "-"], true);
    let tweets = tweets(4);
    let (first, rest) = tweets.split_once('\n').unwrap();
    demo.running.send(&format!("{first}\n"));
    demo.until_says("1 users, 1 services pass, 0 tweets queued, 0 in work");
    demo.running.send(rest);
    demo.running.close_input();
    demo.until_says("every tweet is stored, 4 users have a service");
    demo.end();
}

#[test]
fn tweets_are_made_up_where_there_are_none() {
    let demo = Demo::start(&[], true);
    demo.until_says("Try, in another terminal:");
    demo.end();
}

#[test]
fn ports_that_are_taken_make_way_and_it_says_which() {
    // Ours, or somebody else's: taken they are.
    let _taken = [6379, 8500, 8600, 8080].map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let demo = Demo::start(&[], false);
    let text = demo.until_says("Try, in another terminal:");
    for port in [6379, 8500, 8600, 8080] {
        assert!(text.contains(&format!("port {port} is taken")), "{text}");
    }
    demo.end();
}

#[test]
fn a_stream_that_is_not_there_is_named_before_anything_is_started() {
    let scratch = Scratch::new();
    let mut command = Command::new(program::adsum());
    command.args(["demo", "chirp", "--stream", "no-such-file"]).current_dir(scratch.path());
    let error = running::run(&mut command, b"", SOON).fails(1);
    assert!(error.contains("no-such-file") && !error.contains("Adsum is here"), "{error}");
}
