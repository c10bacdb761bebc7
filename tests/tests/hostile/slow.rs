//! Clients that take their time: they cost their own connection, and nobody else's.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use adsum_tests::{require, until_ok};
use socket2::{Domain, Socket, Type};

use crate::meters::{Waits, cpu_in_a_second, resident_bytes, waits};
use crate::world::World;

const CROWD: usize = 1000;

fn crowd(world: &World) -> Vec<TcpStream> {
    (0..CROWD).map(|_| TcpStream::connect(world.gateway()).unwrap()).collect()
}

/// Writes one more byte of `bytes` on each connection, again and again the last, until all were closed by the other side.
fn dribble(mut crowd: Vec<TcpStream>, bytes: &'static [u8]) -> std::thread::JoinHandle<Duration> {
    std::thread::spawn(move || {
        crowd.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
        let begin = Instant::now();
        let last = bytes.last().expect("there are bytes");
        for byte in bytes.iter().chain(std::iter::repeat(last)) {
            crowd.retain_mut(|stream| stream.write_all(&[*byte]).is_ok());
            if crowd.is_empty() {
                break;
            }
            assert!(begin.elapsed() < FOR_EVER, "{} connections are still open", crowd.len());
            // One byte each 100 ms from a thousand clients.
            std::thread::sleep(Duration::from_millis(100));
        }
        begin.elapsed()
    })
}

const FOR_EVER: Duration = Duration::from_secs(60);
const SLOW_HEAD: &[u8] = b"GET /slow HTTP/1.1\r\nHost: a.example\r\nX-Very-Long-Field: a";

/// Slowloris.
#[test]
fn a_thousand_dribbled_heads_are_closed_in_time_and_others_are_served() {
    let world = World::with("head_timeout = \"2s\"", |builder| builder);
    let dribbling = dribble(crowd(&world), SLOW_HEAD);
    let waited = waits(&world);
    let closed = dribbling.join().unwrap();
    waited.are_tolerable();
    // As late as others are served, where the machine is busy.
    assert!(closed < Duration::from_secs(8) + waited.p99, "closed after {closed:?}");
    assert_eq!(world.entries().count("head GET /slow"), 0);
    println!("all closed after {closed:?}");
}

/// The first byte counts too: whoever says nothing at all is closed as well.
#[test]
fn a_thousand_silent_connections_are_closed_in_time() {
    let world = World::with("head_timeout = \"1s\"\nidle_timeout = \"1s\"", |builder| builder);
    let crowd = crowd(&world);
    waits(&world).are_tolerable();
    all_are_closed(crowd, Duration::from_secs(10));
}

#[track_caller]
fn all_are_closed(mut crowd: Vec<TcpStream>, deadline: Duration) {
    crowd.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    until_ok("all are closed", deadline, || {
        crowd.retain_mut(|stream| match stream.read(&mut [0; 512]) {
            Ok(length) => length > 0,
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
        if crowd.is_empty() { Ok(()) } else { Err(format!("{} are open", crowd.len())) }
    });
}

/// A body that comes slowly is no offence; it costs one connection here and one to the instance.
#[test]
fn slow_bodies_do_not_disturb_others() {
    let world = World::start();
    let mut slow: Vec<_> = (0..200)
        .map(|_| {
            let mut client = world.client();
            client.send(
                b"POST /slow HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20\r\nConnection: close\r\n\r\n",
            );
            client
        })
        .collect();
    for _ in 0..19 {
        assert!(slow.iter_mut().all(|client| client.send(b"x")));
        world.latency();
    }
    waits(&world).are_tolerable();
    for mut client in slow {
        client.send(b"x");
        assert_eq!(client.answers()[0].status, 200);
    }
    assert_eq!(world.entries().count("request POST /slow"), 200);
}

/// Clients with a tiny window that ask for a megabyte and read a byte now and then: what they do not take stays where it
/// is, at the instance, and not in our memory.
#[test]
fn a_thousand_slow_readers_cost_bounded_memory_and_others_are_served() {
    let world = World::start();
    let before = resident_bytes(world.agent_pid());
    let mut crowd: Vec<Socket> = (0..CROWD).map(|_| slow_reader(&world)).collect();
    for _ in 0..3 {
        crowd.iter_mut().for_each(|socket| assert!(socket.read(&mut [0; 1]).unwrap() == 1));
        waits(&world).are_tolerable();
    }
    let grown = resident_bytes(world.agent_pid()).saturating_sub(before);
    println!("{} KiB for each of {CROWD} slow readers", grown / 1024 / CROWD as u64);
    // A gigabyte was asked for.
    assert!(grown < 128 << 20, "{grown} bytes more");
    drop(crowd);
    // What was held for them is let go at the instance too.
    until_ok("the instance is rid of them", Duration::from_secs(20), || {
        let open = connections_of(&world);
        if open < 50 { Ok(()) } else { Err(format!("{open} connections")) }
    });
}

fn slow_reader(world: &World) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&world.gateway().into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (&socket).write_all(b"GET /bytes/1000000 HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    socket
}

/// The open sockets of the recorder.
fn connections_of(world: &World) -> usize {
    let recorder = &world.agent.instances_of("recorder")[0];
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", recorder.pid)).unwrap();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// TLS handshakes that do not go on (CVE-2026-22045, CVE-2026-26999): silence, and half a greeting.
#[test]
fn stalled_handshakes_are_closed_in_time_and_others_are_served() {
    if !require("openssl") {
        return;
    }
    let files = adsum_tests::Scratch::new();
    let (cert, key) = (files.file("cert.pem"), files.file("key.pem"));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl.args([
        "-subj",
        "/CN=a.example",
        "-addext",
        "subjectAltName=DNS:a.example",
        "-out",
        &cert,
        "-keyout",
        &key,
    ]);
    adsum_tests::running::run(&mut openssl, b"", Duration::from_secs(20)).ok();
    let ports = adsum_tests::port::Block::reserve();
    let tls = ports.address(0);
    let section = format!("tls_addr = \"{tls}\"\ntls_cert = \"{cert}\"\ntls_key = \"{key}\"");
    let world = World::with(&section, |builder| builder);
    let mut crowd: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(tls).unwrap()).collect();
    // The beginning of a ClientHello of 512 bytes.
    crowd
        .iter_mut()
        .skip(200)
        .for_each(|stream| stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").unwrap());
    waits(&world).are_tolerable();
    all_are_closed(crowd, Duration::from_secs(20));
}

/// A client that asks and asks and takes no answer is not read from any more.
#[test]
fn pipelined_requests_whose_answers_are_not_read_are_bounded() {
    let world = World::start();
    let before = resident_bytes(world.agent_pid());
    let requests = b"GET /bytes/100000 HTTP/1.1\r\nHost: a.example\r\n\r\n".repeat(1000);
    let mut crowd = crowd(&world);
    crowd.truncate(50);
    for stream in &mut crowd {
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        // As much as the other side takes.
        let _ = stream.write_all(&requests);
    }
    until_ok("it rests, since its answers are not taken", Duration::from_secs(15), || {
        let busy = cpu_in_a_second(world.agent_pid());
        if busy < Duration::from_millis(200) { Ok(()) } else { Err(format!("{busy:?} of a second")) }
    });
    waits(&world).are_tolerable();
    let grown = resident_bytes(world.agent_pid()).saturating_sub(before);
    println!("{} KiB for each of 50 clients", grown / 1024 / 50);
    // Five gigabytes were asked for.
    assert!(grown < 50 << 20, "{grown} bytes more");
    assert!(world.entries().count("head GET /bytes") < 50 * 1000);
}

/// A thousand connections that come and go without a word, within a second.
#[test]
fn a_flood_of_connections_does_not_stop_others() {
    let world = World::start();
    let gateway = world.gateway();
    let times = std::thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            let (begin, mut gone) = (Instant::now(), VecDeque::new());
            for opened in 1..=CROWD as u64 {
                let stream = TcpStream::connect(gateway).unwrap();
                let _ = stream.shutdown(Shutdown::Write);
                gone.push_back(stream);
                // So many may wait for their turn at a time: where the gateway is slow the flood is as slow as it.
                if gone.len() > 100 {
                    let _ = gone.pop_front().unwrap().read(&mut [0; 1]);
                }
                // It is the rate that counts, not what this machine can do.
                std::thread::sleep(Duration::from_millis(opened).saturating_sub(begin.elapsed()));
            }
        });
        let mut times = Vec::new();
        while !flooding.is_finished() {
            times.push(world.latency());
        }
        flooding.join().unwrap();
        times
    });
    Waits::of(times).are_tolerable();
}
