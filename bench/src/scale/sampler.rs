//! What one more client, which GETs one key after the other, notices of the work of others.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::latencies::Latencies;

use super::client::{Client, request};
use super::keys::key;

/// Room for the GETs of one piece of work.
const ROOM: usize = 2_000_000;

/// Runs `work` beside a client that GETs. What it returned, how long it took, and what the client saw meanwhile is
/// added to `latencies`.
pub(super) fn beside<T>(
    address: SocketAddr,
    latencies: &mut Latencies,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Duration)> {
    let (ready, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let client = scope.spawn(|| get_on(address, latencies, &ready, &stop));
        while !ready.load(Ordering::Acquire) && !client.is_finished() {
            thread::yield_now();
        }
        let begin = Instant::now();
        let done = work();
        let took = begin.elapsed();
        stop.store(true, Ordering::Release);
        client.join().expect("the client returns its errors")?;
        Ok((done?, took))
    })
}

fn get_on(
    address: SocketAddr,
    latencies: &mut Latencies,
    ready: &AtomicBool,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut client = Client::open(address)?;
    let requests: Vec<Vec<u8>> = (0..1000).map(|number| request(&["GET", &key(number)])).collect();
    for request in &requests {
        client.exchange(request)?;
    }
    ready.store(true, Ordering::Release);
    for request in requests.iter().cycle() {
        let begin = Instant::now();
        client.exchange(request)?;
        latencies.add(begin.elapsed());
        if stop.load(Ordering::Acquire) {
            break;
        }
    }
    Ok(())
}

pub(super) fn room() -> Latencies {
    Latencies::with_room(ROOM)
}

/// Nothing for so long: what the client sees when nobody else works.
pub(super) fn rest(duration: Duration) -> anyhow::Result<()> {
    thread::sleep(duration);
    Ok(())
}
