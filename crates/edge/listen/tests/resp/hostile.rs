//! Clients that do not play by the rules.

use std::io::Write;

use adsum_listen::resp::Limits;

use crate::kit::Face;

#[test]
fn a_browser_is_cut_off_without_an_answer() {
    let face = Face::new();
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost:6379\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nSET a 1\r\n",
        "Host: localhost\r\n",
        "PUT /a HTTP/1.1\r\n\r\nSET a 1\r\n",
    ] {
        let mut client = face.connect();
        client.send(request);
        client.expect_end();
    }
    face.connect().ask("EXISTS a", ":0\r\n");
}

#[test]
fn what_is_not_the_protocol_is_told_so_and_cut_off_behind_what_was_right() {
    let face = Face::new();
    for (bytes, error) in [
        ("*1\r\n!4\r\nPING\r\n", "-ERR Protocol error: expected '$', got '!'\r\n"),
        ("*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        (
            "*1\r\n$536870913\r\n",
            "-ERR Protocol error: invalid bulk length: 536870913 is over the limit of 16777216 bytes (proto-max-bulk-len)\r\n",
        ),
    ] {
        let mut client = face.connect();
        client.send(format!("PING\r\n{bytes}"));
        client.expect(format!("+PONG\r\n{error}"));
        client.expect_end();
    }
}

#[test]
fn a_line_without_an_end_is_cut_off() {
    let face = Face::new();
    let mut client = face.connect();
    client.send("x".repeat(64 * 1024 + 1));
    client.expect("-ERR Protocol error: too big inline request\r\n");
    client.expect_end();
}

#[test]
fn an_announcement_that_is_not_kept_harms_nobody() {
    let face = Face::new();
    let mut silent: Vec<_> = (0..50).map(|_| face.connect()).collect();
    for client in &mut silent {
        client.send("*1000000\r\n$16777216\r\n");
    }
    face.connect().ask("PING", "+PONG\r\n");
}

#[test]
fn a_listener_that_does_not_listen_is_cut_off_and_the_others_hear_on() {
    let face = Face::with(Limits { output: 64 * 1024, ..Limits::default() });
    let (mut slow, mut quick, mut writer) = (face.connect(), face.connect(), face.connect());
    let confirmed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
    slow.ask("SUBSCRIBE c", confirmed);
    quick.ask("SUBSCRIBE c", confirmed);
    let payload = "x".repeat(32 * 1024);
    let message = format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${}\r\n{payload}\r\n", payload.len());
    let mut heard = 0;
    while heard < 10_000 {
        writer.send(format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n${}\r\n{payload}\r\n", payload.len()));
        quick.expect(&message);
        heard += 1;
        let mut reply = [0; 4];
        std::io::Read::read_exact(&mut writer.0, &mut reply).unwrap();
        if &reply == b":1\r\n" {
            break;
        }
    }
    assert!(heard < 10_000, "the slow one was never cut off");
    let received = slow.rest();
    assert!(received.len() < heard * message.len());
    quick.send("PING\r\n");
    quick.expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

#[test]
fn one_client_too_many_is_refused_and_has_its_place_when_another_goes() {
    let face = Face::with(Limits { clients: 2, ..Limits::default() });
    let (mut one, mut two) = (face.connect(), face.connect());
    one.ask("PING", "+PONG\r\n");
    two.ask("PING", "+PONG\r\n");
    let mut three = face.connect();
    three.expect("-ERR max number of clients reached\r\n");
    three.expect_end();
    drop(one);
    face.engine.await_level(|server| server.connected() == 1);
    face.connect().ask("PING", "+PONG\r\n");
}

#[test]
fn a_client_that_goes_in_the_middle_leaves_nothing_behind() {
    let face = Face::new();
    for n in 0..50 {
        let mut client = face.connect();
        let request = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n".repeat(10);
        client.0.write_all(&request.as_bytes()[..n * 5]).unwrap();
    }
    face.engine.await_level(|server| server.connected() == 0);
}
