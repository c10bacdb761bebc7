//! Blocked clients on a real socket.

use crate::kit::Face;

#[test]
fn a_blocked_client_is_served_and_goes_on_with_its_pipeline() {
    let face = Face::new();
    let (mut waiter, mut writer) = (face.connect(), face.connect());
    waiter.send("BLPOP q 0\r\nECHO behind\r\nBLPOP q 0\r\n");
    waiter.expect_silence();
    writer.ask("RPUSH q a", ":1\r\n");
    waiter.expect("*2\r\n$1\r\nq\r\n$1\r\na\r\n$6\r\nbehind\r\n");
    writer.ask("RPUSH q b", ":1\r\n");
    waiter.expect("*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
}

#[test]
fn a_blocked_client_times_out_and_goes_on() {
    let face = Face::new();
    let mut waiter = face.connect();
    waiter.send("BLPOP q 0.02\r\nPING\r\nBLMOVE q p LEFT LEFT 0.02\r\n");
    waiter.expect("*-1\r\n+PONG\r\n*-1\r\n");
}

#[test]
fn nothing_is_popped_for_a_blocked_client_that_hung_up() {
    let face = Face::new();
    let (mut waiter, mut writer) = (face.connect(), face.connect());
    writer.ask("PING", "+PONG\r\n");
    waiter.send("PING\r\nBLPOP q 0\r\n");
    waiter.expect("+PONG\r\n");
    waiter.finish();
    waiter.expect_end();
    face.engine.await_level(|server| server.connected() == 1);
    writer.ask("RPUSH q a", ":1\r\n");
    writer.ask("LLEN q", ":1\r\n");
}

#[test]
fn a_killed_client_is_closed_and_nothing_is_popped_for_it() {
    let face = Face::new();
    let (mut waiter, mut writer) = (face.connect(), face.connect());
    waiter.ask("CLIENT SETNAME w", "+OK\r\n");
    waiter.send("BLPOP q 0\r\n");
    waiter.expect_silence();
    let address = waiter.0.local_addr().unwrap();
    writer.ask(&format!("CLIENT KILL ADDR {address}"), ":1\r\n");
    writer.ask("RPUSH q a", ":1\r\n");
    writer.ask("LPOP q", "$1\r\na\r\n");
    waiter.expect_end();
}

#[test]
fn messages_reach_a_client_that_only_listens() {
    let face = Face::new();
    let (mut listener, mut writer) = (face.connect(), face.connect());
    listener.ask("SUBSCRIBE news", "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    for n in 0..3 {
        writer.ask(&format!("PUBLISH news {n}"), ":1\r\n");
        listener.expect(format!("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n{n}\r\n"));
    }
}
