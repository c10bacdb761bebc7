//! Redis clients across takeovers: at most a connection that is closed, never a write that was acknowledged and lost.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use adsum_tests::{Agent, until};

use super::{SOON, ended, take_over};

/// How many writes were answered, and of how many nobody knows.
#[derive(Default)]
struct Count {
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
}

/// INCR, again and again, over a connection that is made anew when it has been closed.
fn write(address: SocketAddr, count: &Count) {
    let mut connection: Option<BufReader<TcpStream>> = None;
    while !count.stop.load(Ordering::Relaxed) {
        let Some(open) = connection.as_mut() else {
            match TcpStream::connect(address) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                    connection = Some(BufReader::new(stream));
                }
                Err(_) => drop(count.refused.fetch_add(1, Ordering::Relaxed)),
            }
            continue;
        };
        let mut answer = String::new();
        let sent = open.get_mut().write_all(b"INCR counter\r\n");
        match sent.and_then(|()| open.read_line(&mut answer)) {
            Ok(length) if length > 0 => {
                assert!(answer.starts_with(':'), "{answer}");
                count.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) | Err(_) => {
                count.unknown.fetch_add(1, Ordering::Relaxed);
                connection = None;
            }
        }
    }
}

/// Writers end with the test, however it ends: the next one may get their address.
struct Stop(Arc<Count>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

fn check(durability: &str) {
    let mut agent = Agent::builder().durability(durability).start();
    let count = Arc::new(Count::default());
    let _stop = Stop(count.clone());
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (address, count) = (agent.resp(), count.clone());
            std::thread::spawn(move || write(address, &count))
        })
        .collect();
    for _ in 0..3 {
        let goal = count.acknowledged.load(Ordering::Relaxed) + 200;
        until("it is written", SOON, || (count.acknowledged.load(Ordering::Relaxed) > goal).then_some(()));
        let before = take_over(&mut agent);
        assert!(ended(before).success());
    }
    count.stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let (acknowledged, unknown) =
        (count.acknowledged.load(Ordering::Relaxed), count.unknown.load(Ordering::Relaxed));
    let counter: u64 = agent.redis_cli(&["GET", "counter"]).ok().trim().parse().unwrap();
    println!("{acknowledged} acknowledged, {unknown} unknown, {counter} counted");
    assert!((acknowledged..=acknowledged + unknown).contains(&counter));
    assert_eq!(count.refused.load(Ordering::Relaxed), 0, "nobody is refused a connection");
}

#[test]
fn no_acknowledged_write_is_lost() {
    check("always");
}

#[test]
fn nor_with_everysec_where_a_crash_might_lose_one() {
    check("everysec");
}
