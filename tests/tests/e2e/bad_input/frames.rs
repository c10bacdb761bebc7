//! Requests that announce what they do not keep, or never end.

use std::io::Write;
use std::net::TcpStream;

use adsum_tests::Agent;
use adsum_tests::resp::{Connection, Reply};

use super::refused;
use super::witness::{MIB, unharmed};

#[test]
fn lengths_that_nest_overflow_or_are_none_are_refused() {
    let agent = Agent::start();
    let cases: [(&[u8], &str); 8] = [
        (b"*1\r\n*1\r\n*1\r\n*1\r\n", "expected '$', got '*'"),
        (b"*2\r\n$4\r\nECHO\r\n*1\r\n$1\r\na\r\n", "expected '$', got '*'"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*1\r\n$18446744073709551617\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$4\r\nPINGPONG\r\n", "expected a line end after 4 bytes of bulk"),
        (b"*1\r\n$16777217\r\n", "is over the limit of 16777216 bytes"),
    ];
    for (bytes, words) in cases {
        let answer = refused(&agent, bytes);
        assert!(answer.starts_with("-ERR Protocol error") && answer.contains(words), "{words}: {answer}");
    }
}

#[test]
fn what_is_announced_and_never_sent_takes_no_memory() {
    let agent = Agent::start();
    unharmed(&agent, 32 * MIB, || {
        let mut half: Vec<TcpStream> = Vec::new();
        for _ in 0..200 {
            let mut stream = TcpStream::connect(agent.resp()).unwrap();
            stream.write_all(b"*1000000\r\n$16777216\r\nhalf of it").unwrap();
            half.push(stream);
        }
        Connection::open(agent.resp()).unwrap().ask(&["PING"]).unwrap();
    });
}

#[test]
fn a_request_of_many_large_arguments_is_cut_off_at_its_limit() {
    let agent = Agent::start();
    // What has come of it is kept in a buffer that doubles as it grows.
    let answer = unharmed(&agent, 200 * MIB, || {
        let mut connection = Connection::open(agent.resp()).unwrap();
        let argument =
            [format!("${}\r\n", 15 << 20).into_bytes(), vec![b'x'; 15 << 20], b"\r\n".to_vec()].concat();
        connection.send_bytes(b"*9\r\n$3\r\nDEL\r\n").unwrap();
        // It is closed before all was sent.
        let sent = (0..8).take_while(|_| connection.send_bytes(&argument).is_ok()).count();
        assert!(sent >= 4, "it was cut off after {sent} arguments already");
        connection.read_to_end()
    });
    // Whoever still sends when the agent closes may get the reset before the words.
    if let Ok(answer) = answer {
        assert!(answer.is_empty() || answer.contains("request over the limit of 67108864 bytes"), "{answer}");
    }
    assert_eq!(Connection::open(agent.resp()).unwrap().ask(&["PING"]).unwrap(), Reply::Text("PONG".into()));
}

#[test]
fn a_request_that_comes_byte_by_byte_is_done_and_holds_nobody_up() {
    let agent = Agent::start();
    let value = "v".repeat(5000);
    unharmed(&agent, 32 * MIB, || {
        let mut connection = Connection::open(agent.resp()).unwrap();
        for byte in format!("*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n${}\r\n{value}\r\n", value.len()).bytes() {
            connection.send_bytes(&[byte]).unwrap();
        }
        assert_eq!(connection.read().unwrap(), Reply::Text("OK".into()));
        assert_eq!(connection.ask(&["GET", "slow"]).unwrap(), Reply::Text(value.clone()));
    });
}
