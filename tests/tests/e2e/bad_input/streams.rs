//! XREAD with words that make no sense, or too many.

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, until};

use super::SOON;
use super::vanishing::blocked;
use super::witness::{MIB, unharmed};

const STREAM: &str = "adsum:watch:/config/";

#[test]
fn what_xread_cannot_read_is_refused_with_the_reason() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    connection.ask(&["SET", "/config/a", "1"]).unwrap();
    let id = "Invalid stream ID";
    let cases: [(&[&str], &str); 13] = [
        (&["STREAMS", STREAM, "18446744073709551616-0"], id),
        (&["STREAMS", STREAM, "0-18446744073709551616"], id),
        (&["STREAMS", STREAM, "-1"], id),
        (&["STREAMS", STREAM, "1-2-3"], id),
        (&["STREAMS", STREAM, ""], id),
        (&["STREAMS", STREAM, "now"], id),
        (&["COUNT", "many", "STREAMS", STREAM, "0"], "not an integer"),
        (&["COUNT", "9223372036854775808", "STREAMS", STREAM, "0"], "not an integer"),
        (&["BLOCK", "-1", "STREAMS", STREAM, "0"], "timeout is negative"),
        (&["BLOCK", "1.5", "STREAMS", STREAM, "0"], "timeout is not an integer"),
        (&["STREAMS", STREAM, STREAM, "0"], "Unbalanced"),
        (&["STREAMS", STREAM, "/config/", "0", "0"], "either watches, as adsum:watch:PREFIX, or streams"),
        (&["STREAMS", "/config/a", "0"], "WRONGTYPE"),
    ];
    for (words, reason) in cases {
        let answer = connection.ask(&[&["XREAD"], words].concat()).unwrap();
        assert!(matches!(&answer, Reply::Error(error) if error.contains(reason)), "{words:?}: {answer:?}");
    }
}

#[test]
fn counts_and_ids_at_the_ends_of_their_ranges_are_just_numbers() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    connection.ask(&["SET", "/config/a", "1"]).unwrap();
    for count in ["0", "-9223372036854775808", "1", "9223372036854775807"] {
        let answer = connection.ask(&["XREAD", "COUNT", count, "STREAMS", STREAM, "$"]).unwrap();
        assert_eq!(answer, Reply::Nil, "{count}");
    }
    // What comes after what was never written is not known; the answer says from where on it is.
    let last = "18446744073709551615-18446744073709551615";
    let Reply::Error(error) = connection.ask(&["XREAD", "STREAMS", STREAM, last]).unwrap() else {
        panic!("nobody has seen this")
    };
    let known = error.strip_prefix("COMPACTED ").expect("it names a revision");
    let answer = connection.ask(&["XREAD", "STREAMS", STREAM, known]).unwrap();
    assert_eq!(answer, Reply::Nil, "what it names is yet to come, and can be waited for");
    // Longer than any clock goes, which is for ever; the connection can be given up all the same.
    connection.send(&["XREAD", "BLOCK", "9223372036854775807", "STREAMS", STREAM, "$"]).unwrap();
    let mut other = Connection::open(agent.resp()).unwrap();
    until("it waits", SOON, || (blocked(&mut other) == 1).then_some(()));
    drop(connection);
    until("it waits no longer", SOON, || (blocked(&mut other) == 0).then_some(()));
}

#[test]
fn many_streams_of_fifty_clients_are_watched_and_too_many_are_refused() {
    let agent = Agent::start();
    let reading = |streams: usize| {
        let mut words: Vec<String> = ["XREAD", "BLOCK", "0", "STREAMS"].map(str::to_string).to_vec();
        words.extend((0..streams).map(|stream| format!("{STREAM}{stream}/")));
        words.extend((0..streams).map(|_| "$".to_string()));
        words
    };
    unharmed(&agent, 96 * MIB, || {
        let mut readers: Vec<Connection> = (0..50).map(|_| Connection::open(agent.resp()).unwrap()).collect();
        for reader in &mut readers {
            let words = reading(128);
            reader.send(&words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        }
        let mut writer = Connection::open(agent.resp()).unwrap();
        until("all wait", SOON, || (blocked(&mut writer) == readers.len()).then_some(()));
        writer.ask(&["SET", "/config/99/a", "1"]).unwrap();
        for reader in &mut readers {
            assert!(matches!(reader.read().unwrap(), Reply::List(_)));
        }
    });
    let mut connection = Connection::open(agent.resp()).unwrap();
    connection.send(&reading(129).iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let Reply::Error(error) = connection.read().unwrap() else { panic!("it is too many") };
    assert!(error.contains("128 streams at most"), "{error}");
}
