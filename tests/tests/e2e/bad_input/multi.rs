//! A transaction without an end.

use adsum_tests::Agent;
use adsum_tests::resp::{Connection, Reply};

use super::witness::{MIB, unharmed};

const COMMANDS: usize = 1_000_000;
const BATCH: usize = 10_000;
/// Long enough for a million commands to be over the limit.
const KEY: &str = "a-key-that-is-counted-a-million-times-if-it-were-run";

#[test]
fn a_million_queued_commands_are_refused_at_the_limit_and_none_of_them_is_run() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    // The limit of 64 MiB counts bytes of commands; what an allocation takes beside them is not counted.
    let error = unharmed(&agent, 256 * MIB, || {
        connection.ask(&["MULTI"]).unwrap();
        let batch = format!("*2\r\n$4\r\nINCR\r\n${}\r\n{KEY}\r\n", KEY.len()).repeat(BATCH);
        let refusals = (0..COMMANDS / BATCH).filter_map(|_| {
            connection.send_bytes(batch.as_bytes()).unwrap();
            (0..BATCH).filter_map(|_| refusal(connection.read().unwrap())).last()
        });
        refusals.last().expect("a million commands are over the limit")
    });
    assert!(error.contains("67108864"), "{error}");
    let Reply::Error(error) = connection.ask(&["EXEC"]).unwrap() else { panic!("nothing is run") };
    assert!(error.starts_with("EXECABORT"), "{error}");
    assert_eq!(connection.ask(&["EXISTS", KEY]).unwrap(), Reply::Text("0".into()));
}

fn refusal(reply: Reply) -> Option<String> {
    match reply {
        Reply::Error(error) => Some(error),
        Reply::Text(_) | Reply::Nil | Reply::List(_) => None,
    }
}
