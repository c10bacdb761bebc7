//! Clients that do not take what they are sent.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, until};

use super::SOON;
use super::witness::{MIB, unharmed};

/// What may be on its way in the buffers of both sockets, and in those of the agent for one connection.
const ON_THE_WAY: u64 = 48 * MIB;

#[test]
fn a_flood_of_commands_whose_replies_are_never_read_is_no_longer_taken_and_others_are_served() {
    let agent = Agent::start();
    let mut owner = Connection::open(agent.resp()).unwrap();
    owner.ask(&["SET", "large", &"v".repeat(64 * 1024)]).unwrap();
    let flood = unharmed(&agent, ON_THE_WAY, || {
        let mut flood = TcpStream::connect(agent.resp()).unwrap();
        flood.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        // 1,000 replies of 64 KiB, again and again, as long as the agent takes the requests.
        let requests =
            "*3\r\n$4\r\nMGET\r\n$5\r\nlarge\r\n$5\r\nlarge\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n".repeat(1000);
        let mut rounds = 0;
        let error = loop {
            match flood.write_all(requests.as_bytes()) {
                Ok(()) => rounds += 1,
                Err(error) => break error,
            }
            assert!(rounds < 2000, "the agent takes commands for ever");
        };
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        flood
    });
    // Nothing more is run for it, and nothing that was run was run for nothing: it can still read.
    let Reply::Text(run) = owner.ask(&["GET", "n"]).unwrap() else { panic!("some were run") };
    assert!(run.parse::<u64>().unwrap() < 1000, "{run} of its requests were run");
    drop(flood);
}

#[test]
fn a_subscriber_that_does_not_listen_is_cut_off_and_the_log_says_who_and_why() {
    let agent = Agent::start();
    let mut slow = Connection::open(agent.resp()).unwrap();
    let Reply::Text(client) = slow.ask(&["CLIENT", "ID"]).unwrap() else { panic!("it has an id") };
    slow.ask(&["SUBSCRIBE", "news"]).unwrap();
    // 32 MiB of messages may wait, in a buffer that doubles as it grows.
    unharmed(&agent, 128 * MIB, || {
        let mut publisher = Connection::open(agent.resp()).unwrap();
        let message = "m".repeat(256 * 1024);
        let heard = |publisher: &mut Connection| publisher.ask(&["PUBLISH", "news", &message]).unwrap();
        let cut = (0..1000).find(|_| heard(&mut publisher) == Reply::Text("0".into()));
        let cut = cut.expect("it is cut off in the end");
        assert!(cut > 100, "it was cut off after {cut} messages already");
    });
    let line = until("the log says so", SOON, || {
        let log = agent.log();
        log.lines().find(|line| line.contains("RESP client disconnected")).map(str::to_string)
    });
    assert!(line.contains(&format!("client={client} ")), "{line}");
    assert!(line.contains("over the limit of its output buffer"), "{line}");
}
