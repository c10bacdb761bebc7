//! Floods of frames that cost the client less than us.

use std::time::{Duration, Instant};

use adsum_tests::until_ok;

use super::frames::{
    CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, End, GOAWAY, HEADERS, PING,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, head,
};
use crate::meters::{Waits, cpu, cpu_in_a_second, resident_bytes, waits};
use crate::world::World;

/// Sends `frames` of round after round until the other side has enough. Returns how many rounds it took.
#[track_caller]
fn flood(connection: &mut Connection, round: impl FnMut(u32) -> Vec<u8>) -> u32 {
    let rounds = flood_for(Duration::from_secs(60), connection, round);
    rounds.expect_err("the other side never has enough")
}

/// The same, at most for this long. How many rounds were sent, or taken until the other side had enough.
fn flood_for(
    time: Duration,
    connection: &mut Connection,
    mut round: impl FnMut(u32) -> Vec<u8>,
) -> Result<u32, u32> {
    let (begin, mut number) = (Instant::now(), 0);
    while begin.elapsed() < time {
        if !connection.send(&round(number)) {
            return Err(number);
        }
        number += 1;
    }
    Ok(number)
}

/// Others are served while it goes on, and memory has a bound.
#[track_caller]
fn bounded(world: &World, flooding: impl FnOnce() + Send) {
    let before = resident_bytes(world.agent_pid());
    let spent = cpu(world.agent_pid());
    std::thread::scope(|scope| {
        let flooding = scope.spawn(flooding);
        let mut times = Vec::new();
        while !flooding.is_finished() {
            times.push(world.latency());
        }
        flooding.join().unwrap();
        times.push(world.latency());
        Waits::of(times).are_tolerable();
    });
    let grown = resident_bytes(world.agent_pid()).saturating_sub(before);
    println!("{grown} bytes more, {:?} of processor time", cpu(world.agent_pid()) - spent);
    assert!(grown < 32 << 20, "{grown} bytes more");
}

fn stream(number: u32) -> u32 {
    2 * number + 1
}

/// The control, and the proof that the frames are well-formed.
#[test]
fn a_decent_connection_is_served() {
    let world = World::start();
    let mut connection = Connection::open(world.gateway());
    connection.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &head("GET", "/decent")));
    let body: Vec<u8> = std::iter::from_fn(|| connection.frame())
        .take_while(|frame| frame.kind != DATA || frame.flags & END_STREAM == 0 || !frame.payload.is_empty())
        .find(|frame| frame.kind == DATA)
        .expect("an answer with a body")
        .payload;
    assert!(body.starts_with(b"GET /decent HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&body));
}

/// CVE-2023-44487.
#[test]
fn rapid_reset_is_ended() {
    let world = World::start();
    bounded(&world, || {
        let mut connection = Connection::open(world.gateway());
        let rounds = flood(&mut connection, |number| {
            let open = frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &head("GET", "/reset"));
            [open, frame(RST_STREAM, 0, stream(number), &8_u32.to_be_bytes())].concat()
        });
        let end = connection.end();
        println!("ended by {end:?} after {rounds} resets");
        assert!(matches!(end, End::Away(ENHANCE_YOUR_CALM) | End::Closed), "{end:?}");
    });
    // Next to nothing of it got through.
    assert!(world.entries().count("head GET /reset") < 500);
}

/// CVE-2024-27316 and others: a head without an end.
#[test]
fn endless_continuations_are_ended() {
    let world = World::start();
    bounded(&world, || {
        let mut connection = Connection::open(world.gateway());
        connection.send(&frame(HEADERS, END_STREAM, 1, &head("GET", "/continued")));
        // A field of 100 bytes, 100 times.
        let field = [&[0, 1, b'x', 100][..], &[b'a'; 100]].concat();
        let rounds = flood(&mut connection, |_| frame(CONTINUATION, 0, 1, &field.repeat(100)));
        let end = connection.end();
        println!("ended by {end:?} after {rounds} frames");
    });
    assert_eq!(world.entries().count("head GET /continued"), 0);
}

/// A few bytes that stand for a large head: a remembered field, named again and again.
#[test]
fn a_compressed_bomb_is_refused() {
    let world = World::start();
    bounded(&world, || {
        let mut connection = Connection::open(world.gateway());
        // Remembered as field 62: 3,000 bytes.
        let remembered = [&[0x40, 1, b'x', 0x7f][..], &[0xb9, 0x16], &[b'a'; 3000]].concat();
        let block = [&head("GET", "/bomb")[..], &remembered, &[0xbe; 10_000]].concat();
        connection.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
        let told = std::iter::from_fn(|| connection.frame())
            .find(|frame| matches!(frame.kind, HEADERS | RST_STREAM | GOAWAY))
            .expect("an answer");
        println!("told by {told:?}");
    });
    assert_eq!(world.entries().count("head GET /bomb"), 0);
}

/// Answers to pings and settings that nobody reads: we stop reading too, and wait.
#[test]
fn pings_and_settings_whose_answers_are_not_read_are_bounded() {
    let world = World::start();
    for flooded in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])] {
        let batch = flooded.repeat(1000);
        let mut connection = Connection::open(world.gateway());
        bounded(&world, || {
            let time = Duration::from_secs(2);
            let (Ok(rounds) | Err(rounds)) = flood_for(time, &mut connection, |_| batch.clone());
            println!("{} frames were taken", rounds * 1000);
        });
        until_ok("it rests, since its answers are not read", Duration::from_secs(15), || {
            let busy = cpu_in_a_second(world.agent_pid());
            if busy < Duration::from_millis(200) { Ok(()) } else { Err(format!("{busy:?} of a second")) }
        });
    }
}

/// RUSTSEC-2026-0258: frames of data without data.
#[test]
fn endless_empty_data_is_ended() {
    let world = World::start();
    bounded(&world, || {
        let mut connection = Connection::open(world.gateway());
        connection.send(&frame(HEADERS, END_HEADERS, 1, &head("POST", "/empty")));
        let batch = frame(DATA, 0, 1, &[]).repeat(1000);
        let rounds = flood(&mut connection, |_| batch.clone());
        println!("ended by {:?} after {} frames", connection.end(), rounds * 1000);
    });
}

/// CVE-2025-8671: faults that make the server reset the streams itself.
#[test]
fn made_you_reset_is_ended() {
    let world = World::start();
    type Fault = fn(u32) -> Vec<u8>;
    let faults: [(&str, Fault); 3] = [
        ("a window grown by nothing", |stream| frame(WINDOW_UPDATE, 0, stream, &[0; 4])),
        ("a window grown too far", |stream| frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes())),
        ("data after the end", |stream| frame(DATA, 0, stream, b"abc")),
    ];
    for (name, fault) in faults {
        bounded(&world, || {
            let mut connection = Connection::open(world.gateway());
            let rounds = flood(&mut connection, |number| {
                let open = frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &head("GET", "/made"));
                [open, fault(stream(number))].concat()
            });
            println!("{name}: ended by {:?} after {rounds} streams", connection.end());
        });
    }
    assert!(world.entries().count("head GET /made") < 5000);
}

/// More streams than were granted.
#[test]
fn streams_beyond_the_limit_are_refused() {
    let world = World::start();
    let mut connection = Connection::open(world.gateway());
    for number in 0..500 {
        // A body that never comes keeps each of them open.
        connection.send(&frame(HEADERS, END_HEADERS, stream(number), &head("POST", "/open")));
    }
    let refused =
        std::iter::from_fn(|| connection.frame()).find(|frame| matches!(frame.kind, RST_STREAM | GOAWAY));
    assert!(refused.is_some());
    waits(&world).are_tolerable();
    assert!(world.entries().count("head POST /open") <= 100);
}

/// Answers that a client asks for and has no room for stay at the instance: 500 megabytes on 5 connections.
#[test]
fn answers_without_room_cost_bounded_memory() {
    let world = World::start();
    let before = resident_bytes(world.agent_pid());
    let mut crowd: Vec<Connection> = (0..5).map(|_| Connection::open(world.gateway())).collect();
    for connection in &mut crowd {
        // INITIAL_WINDOW_SIZE: a byte for each stream.
        connection.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]));
        for number in 0..100 {
            let head = head("GET", "/bytes/1000000");
            connection.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &head));
        }
    }
    // The first byte of each is as much as may come.
    for connection in &mut crowd {
        let bytes = std::iter::from_fn(|| connection.frame()).filter(|frame| frame.kind == DATA);
        assert_eq!(bytes.take(100).map(|frame| frame.payload.len()).sum::<usize>(), 100);
    }
    waits(&world).are_tolerable();
    let grown = resident_bytes(world.agent_pid()).saturating_sub(before);
    println!("{} KiB for each of 500 answers", grown / 1024 / 500);
    assert!(grown < 100 << 20, "{grown} bytes more");
}
