//! `bench scale watchers`: one write, and how long until each of ten thousand clients that watch its prefix has it.
//!
//! A value says when it was sent, so nothing but the value has to be remembered of a write.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::crowd::{Crowd, Heard};
use crate::latencies::Latencies;
use crate::process::thread_cpu;
use crate::rounds::duration;

use super::Peer;
use super::client::{Client, request};
use super::goal::{Row, print, row};
use super::reply::Reply;

const GOAL: f64 = 50e-3;
const WRITES: usize = 50;
const PAUSE: Duration = Duration::from_millis(200);
/// From the last write until what has not come is counted as missed.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy)]
struct Scene {
    name: &'static str,
    watchers: usize,
    /// Writes per second to keys that nobody watches.
    elsewhere: u32,
}

/// With the writers 10,000 clients, which is what an agent takes.
const SCENES: [Scene; 2] = [
    Scene { name: "9,998 watchers", watchers: 9_998, elsewhere: 0 },
    Scene { name: "1,000 watchers, 1,000 writes/s elsewhere", watchers: 1_000, elsewhere: 1_000 },
];

struct Figures {
    latencies: Latencies,
    missed: usize,
    /// Seconds of processor time per write: the server's, and that of the thread of the clients.
    cpu: [f64; 2],
}

pub(super) fn run() -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for scene in SCENES {
        eprintln!("{}", scene.name);
        let sides = [measure(Peer::Adsum, scene)?, measure(Peer::Redis, scene)?];
        rows.extend(rows_of(scene, sides));
    }
    print(&format!("{WRITES} writes, one each {} ms", PAUSE.as_millis()), rows);
    Ok(())
}

fn rows_of(scene: Scene, sides: [Figures; 2]) -> [Row; 3] {
    let missed = [sides[0].missed, sides[1].missed];
    let cpu = [&sides[0], &sides[1]].map(|side| side.cpu.map(duration).join(", "));
    let quantiles = sides.map(|mut side| side.latencies.quantiles());
    let shown = quantiles.map(|[p50, p99, _, longest]| [p50, p99, longest].map(duration).join(", "));
    let name = scene.name;
    [
        row(format!("{name}: p50, p99, longest"), shown).goal("p99 < 50 ms", quantiles[0][1] < GOAL),
        row(format!("{name}: missed"), missed.map(|missed| missed.to_string())).goal("0", missed[0] == 0),
        row(format!("{name}: CPU per write of server, of clients"), cpu),
    ]
}

/// How the peer is watched and written.
#[derive(Clone, Copy)]
struct Words {
    stream: &'static str,
    write: &'static [&'static str],
}

impl Words {
    fn of(peer: Peer) -> Words {
        match peer {
            Peer::Adsum => Words { stream: "adsum:watch:/config/", write: &["SET", "/config/a"] },
            Peer::Redis => Words { stream: "config", write: &["XADD", "config", "*", "value"] },
        }
    }

    fn read_after(self, id: &str) -> Vec<u8> {
        request(&["XREAD", "BLOCK", "0", "STREAMS", self.stream, id])
    }
}

fn measure(peer: Peer, scene: Scene) -> anyhow::Result<Figures> {
    let server = peer.start()?;
    let words = Words::of(peer);
    let mut crowd = Crowd::gather(server.resp(), scene.watchers)?;
    crowd.send_all(&words.read_after("$"))?;
    let before = [server.process().cpu()?, thread_cpu()];
    let (epoch, written, stop) = (Instant::now(), AtomicUsize::new(0), AtomicBool::new(false));
    let (latencies, missed) = thread::scope(|scope| {
        let others = scope.spawn(|| write_elsewhere(server.resp(), scene.elsewhere, &stop));
        let writer = scope.spawn(|| write_on(server.resp(), words, epoch, &written));
        let heard = hear_all(&mut crowd, words, epoch, &written);
        stop.store(true, Ordering::Release);
        writer.join().expect("the writer returns its errors")?;
        others.join().expect("the writer returns its errors")?;
        heard
    })?;
    let after = [server.process().cpu()?, thread_cpu()];
    let cpu = [0, 1].map(|at| (after[at] - before[at]).as_secs_f64() / WRITES as f64);
    Ok(Figures { latencies, missed, cpu })
}

/// Writes at a steady pace, after a pause in which every watcher gets to wait.
fn write_on(address: SocketAddr, words: Words, epoch: Instant, written: &AtomicUsize) -> anyhow::Result<()> {
    let mut client = Client::open(address)?;
    thread::sleep(PAUSE * 10);
    for _ in 0..WRITES {
        let value = epoch.elapsed().as_nanos().to_string();
        client.ask(&[words.write, &[value.as_str()]].concat())?;
        written.fetch_add(1, Ordering::Release);
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn write_elsewhere(address: SocketAddr, per_second: u32, stop: &AtomicBool) -> anyhow::Result<()> {
    let Some(pause) = Duration::from_secs(1).checked_div(per_second) else { return Ok(()) };
    let mut client = Client::open(address)?;
    let begin = Instant::now();
    for number in 1.. {
        client.ask(&["SET", &format!("elsewhere:{}", number % 1000), "x"])?;
        thread::sleep((pause * number).saturating_sub(begin.elapsed()));
        if stop.load(Ordering::Acquire) {
            break;
        }
    }
    Ok(())
}

/// Takes what comes until every watcher has every write. The latencies, and how many did not come.
fn hear_all(
    crowd: &mut Crowd<Reply>,
    words: Words,
    epoch: Instant,
    written: &AtomicUsize,
) -> anyhow::Result<(Latencies, usize)> {
    let expected = crowd.len() * WRITES;
    let mut latencies = Latencies::with_room(expected);
    let mut quiet_since = Instant::now();
    let all_written = |quiet: Instant| {
        let patience = if written.load(Ordering::Acquire) == WRITES { PATIENCE } else { PATIENCE * 10 };
        quiet.elapsed() > patience
    };
    while latencies.len() < expected && !all_written(quiet_since) {
        crowd.turn(PAUSE, |Heard { reply, at, .. }| {
            quiet_since = at;
            let entries = entries(&reply)?;
            for (_, sent) in &entries {
                latencies.add((at - epoch).saturating_sub(Duration::from_nanos(*sent)));
            }
            Ok(entries.last().map(|(id, _)| words.read_after(id)))
        })?;
    }
    let missed = expected - latencies.len();
    Ok((latencies, missed))
}

/// The ids of the one stream that was read, with the values.
fn entries(reply: &Reply) -> anyhow::Result<Vec<(String, u64)>> {
    let stream = reply.items().first().context("no stream in the reply")?;
    let entries = stream.items().get(1).context("no entries in the reply")?;
    entries.items().iter().map(|entry| id_and_value(entry).context("no value in an entry")).collect()
}

fn id_and_value(entry: &Reply) -> Option<(String, u64)> {
    let [id, fields] = entry.items() else { return None };
    let value = fields.items().chunks(2).find(|field| field[0].text() == Some(b"value"))?;
    let value = str::from_utf8(value.get(1)?.text()?).ok()?.parse().ok()?;
    Some((String::from_utf8(id.text()?.to_vec()).ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_both_servers_are_understood() {
        for bytes in [
            "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n7-1\r\n*4\r\n$3\r\nkey\r\n$1\r\na\r\n$5\r\nvalue\r\n$2\r\n42\r\n",
            "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n7-1\r\n*2\r\n$5\r\nvalue\r\n$2\r\n42\r\n",
        ] {
            let reply = Reply::read(&mut bytes.as_bytes()).unwrap();
            assert_eq!(entries(&reply).unwrap(), [("7-1".to_string(), 42)]);
        }
        assert!(entries(&Reply::Nil).is_err());
    }
}
