//! Heads that are too large: refused before they are whole, at a bounded price.

use crate::meters::resident_bytes;
use crate::world::World;

const MIB: usize = 1 << 20;

#[track_caller]
fn refused(world: &World, bytes: &[u8], status: u16) {
    let mut client = world.client();
    // The rest of it is still being sent when the answer comes.
    client.send(bytes);
    let answers = client.answers();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [status]);
    assert_eq!(answers[0].header("connection"), Some("close"));
}

#[test]
fn header_bombs_are_refused_at_a_bounded_price() {
    let world = World::start();
    let begin = "GET / HTTP/1.1\r\nHost: a.example\r\n";
    let large = format!("{begin}X: {}\r\n\r\n", "a".repeat(MIB));
    let many = format!("{begin}{}\r\n", "X: a\r\n".repeat(10_000));
    let long = format!("GET /{} HTTP/1.1\r\nHost: a.example\r\n\r\n", "a".repeat(MIB));
    let chunk = format!(
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n1;{}\r\n",
        "a".repeat(MIB)
    );
    let trailers = format!(
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n",
        "X: a\r\n".repeat(10_000)
    );
    let bombs = [(large, 431), (many, 431), (long, 414), (chunk, 400), (trailers, 431)];
    let once = || bombs.iter().for_each(|(bomb, status)| refused(&world, bomb.as_bytes(), *status));
    once();
    let before = resident_bytes(world.agent_pid());
    (0..20).for_each(|_| once());
    let grown = resident_bytes(world.agent_pid()).saturating_sub(before);
    assert!(grown < 16 * MIB as u64, "100 bombs of a megabyte: {grown} bytes more");
    assert_eq!(world.get("/after").status, 200);
    assert_eq!(world.entries().count("request POST"), 0);
}

/// Heads that are never complete cost what they hold, and no more: 500 of them just under the limit.
#[test]
fn heads_that_are_not_complete_are_held_within_their_limit() {
    let world = World::start();
    let before = resident_bytes(world.agent_pid());
    let head = format!("GET / HTTP/1.1\r\nHost: a.example\r\nX: {}", "a".repeat(30_000));
    let clients: Vec<_> = (0..500)
        .map(|_| {
            let mut client = world.client();
            assert!(client.send(head.as_bytes()));
            client
        })
        .collect();
    assert_eq!(world.get("/meanwhile").status, 200);
    let grown = resident_bytes(world.agent_pid()).saturating_sub(before);
    // Twice the bytes that were sent, and 32 KiB for each connection.
    assert!(grown < 500 * (2 * 30_000 + 32 * 1024), "{grown} bytes more");
    drop(clients);
}
