//! Many commands at once, and commands in pieces.

use std::io::Write;

use adsum_listen::resp::Limits;
use adsum_resp::limits;

use crate::kit::Face;

#[test]
fn ten_thousand_commands_in_one_pipeline_are_answered_in_order() {
    let face = Face::new();
    let mut client = face.connect();
    let requests: String = (0..10_000).map(|n| format!("*2\r\n$4\r\nECHO\r\n$4\r\n{n:04}\r\n")).collect();
    let replies: String = (0..10_000).map(|n| format!("$4\r\n{n:04}\r\n")).collect();
    let mut writer = client.0.try_clone().unwrap();
    let sending = std::thread::spawn(move || writer.write_all(requests.as_bytes()).unwrap());
    client.expect(replies);
    sending.join().unwrap();
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let face = Face::new();
    let mut client = face.connect();
    client.0.set_nodelay(true).unwrap();
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\nGET a\r\n" {
        client.send([*byte]);
    }
    client.expect("+OK\r\n$5\r\nhello\r\n");
}

#[test]
fn a_large_value_goes_in_and_out() {
    let face = Face::new();
    let mut client = face.connect();
    let value = vec![b'v'; 8 * 1024 * 1024];
    client.send(
        [format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n", value.len()).as_bytes(), &value, b"\r\n"].concat(),
    );
    client.expect("+OK\r\n");
    client.send("GET a\r\nPING\r\n");
    client.expect([format!("${}\r\n", value.len()).as_bytes(), &value, b"\r\n+PONG\r\n"].concat());
}

#[test]
fn half_a_command_and_a_hang_up_is_no_command() {
    let face = Face::new();
    let mut client = face.connect();
    client.send("SET a 1\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n2");
    client.finish();
    client.expect("+OK\r\n");
    client.expect_end();
    face.connect().ask("GET a", "$1\r\n1\r\n");
}

#[test]
fn a_client_that_sends_all_and_hangs_up_gets_all_replies() {
    let face = Face::with(Limits { replies: 1024, ..Limits::default() });
    let mut client = face.connect();
    client.send("PING\r\n".repeat(20_000));
    client.finish();
    client.expect("+PONG\r\n".repeat(20_000));
    client.expect_end();
}

#[test]
fn while_a_client_takes_no_replies_nothing_more_of_it_is_run() {
    const VALUE: usize = 1024 * 1024;
    // What fits the buffers of both sockets, with room.
    const ON_THE_WAY: usize = 24;
    let face = Face::new();
    let (mut client, mut observer) = (face.connect(), face.connect());
    let value = "v".repeat(VALUE);
    client.ask(&format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${VALUE}\r\n{value}"), "+OK\r\n");
    client.send("GET a\r\nINCR n\r\n".repeat(200));
    let mut done = 0;
    for taken in 0..200 {
        client.expect(format!("${VALUE}\r\n{value}\r\n:{}\r\n", taken + 1));
        observer.send("STRLEN n\r\nGET n\r\n");
        let reply = number(&mut observer);
        done = reply;
        assert!(done <= taken + 1 + ON_THE_WAY, "{done} were run when {} were taken", taken + 1);
    }
    assert_eq!(done, 200);
}

/// The number in the reply to GET, behind its length in two forms.
fn number(client: &mut crate::kit::Client) -> usize {
    let mut line = || {
        let mut line = String::new();
        let mut byte = [0];
        while !line.ends_with("\r\n") {
            std::io::Read::read_exact(&mut client.0, &mut byte).unwrap();
            line.push(char::from(byte[0]));
        }
        line.trim().to_owned()
    };
    line();
    line();
    line().parse().unwrap()
}

#[test]
fn short_requests_that_commit_much_have_turns_of_their_own() {
    const LENGTH: usize = 4 * 1024 * 1024;
    let face = Face::new();
    let mut client = face.connect();
    client.ask(&format!("SETRANGE a {} x", LENGTH - 1), &format!(":{LENGTH}\r\n"));
    client.send("SETRANGE a 5 y\r\n".repeat(50));
    client.expect(format!(":{LENGTH}\r\n").repeat(50));
    let most = face.engine.most_at_once();
    assert!(most > limits::COMMITS, "{most} bytes at once are no matter");
    assert!(most < limits::COMMITS + 2 * LENGTH, "{most} bytes at once");
}
