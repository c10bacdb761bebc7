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

#[test]
fn a_paused_client_goes_on_with_the_same_request_when_the_pause_ends() {
    let face = Face::new();
    let (mut paused, mut other) = (face.connect(), face.connect());
    other.ask("CLIENT PAUSE 600000 WRITE", "+OK\r\n");
    paused.send("GET a\r\nINCR a\r\nINCR a\r\nGET a\r\n");
    paused.expect("$-1\r\n");
    paused.expect_silence();
    other.ask("GET a", "$-1\r\n");
    other.ask("CLIENT UNPAUSE", "+OK\r\n");
    paused.expect(":1\r\n:2\r\n$1\r\n2\r\n");
    other.ask("CLIENT PAUSE 20", "+OK\r\n");
    paused.ask("INCR a", ":3\r\n");
}

#[test]
fn a_client_is_sent_to_the_address_that_it_has_reached() {
    let face = Face::new();
    let mut client = face.connect();
    let port = face.bound.addr.port().to_string();
    let expected = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
    client.ask("SENTINEL get-master-addr-by-name mymaster", &expected);
}

#[test]
fn a_client_that_caches_is_told_of_what_changes() {
    let face = Face::new();
    let (mut cache, mut writer) = (face.connect(), face.connect());
    cache.ask("CLIENT TRACKING ON BCAST", "+OK\r\n");
    cache.send("HELLO 3\r\nPING\r\n");
    let mut hello = Vec::new();
    while !hello.ends_with(b"+PONG\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut cache.0, &mut byte).unwrap();
        hello.extend(byte);
    }
    for n in 0..3 {
        writer.ask(&format!("SET k{n} x"), "+OK\r\n");
        cache.expect(format!(">2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nk{n}\r\n"));
    }
}
