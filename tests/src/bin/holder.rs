//! One of several processes that take a lock in turn, and raise a number while they hold it by reading it, working a
//! little, and writing it. A test stops them in the middle of that.
//!
//! ```text
//! holder ADDRESS NAME TTL-MILLIS fenced|naive
//!
//! lock     the lock, with NAME as its owner
//! number   "COUNT FENCE NAME": what was written last. `fenced` writes it only while the lock is held under its fence
//! working  NAME, from when it has read the number until it has written it
//! stop     when there is such a key, the process ends
//! ```
//!
//! It writes one line of JSON for every grant, in nanoseconds of the machine's monotonic clock: when it `asked`, when it
//! was `granted`, when it `let_go`, and whether it has `written`.

use std::net::SocketAddr;
use std::time::Duration;

use adsum_tests::lock::{Fenced, Wait};
use adsum_tests::resp::{Connection, Reply};
use nix::time::{ClockId, clock_gettime};

/// What it does between reading and writing: the time in which a pause does harm.
const WORK: Duration = Duration::from_millis(20);

struct Holder {
    connection: Connection,
    name: String,
    ttl: Duration,
    fenced: bool,
}

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, name, ttl, kind] = args.as_slice() else { panic!("four arguments: see the source") };
    let address: SocketAddr = address.parse().expect("the first argument is an address");
    let ttl = Duration::from_millis(ttl.parse().expect("the third argument is a number"));
    let connection = Connection::open(address)?;
    let mut holder = Holder { connection, name: name.clone(), ttl, fenced: kind == "fenced" };
    while holder.connection.ask(&["EXISTS", "stop"])? == Reply::Text("0".to_string()) {
        holder.once()?;
    }
    Ok(())
}

impl Holder {
    fn once(&mut self) -> std::io::Result<()> {
        let asked = now();
        let wait = Wait::AtMost(Duration::from_secs(1));
        let Some(fence) = self.connection.lock("lock", &self.name, self.ttl, wait)? else { return Ok(()) };
        let granted = now();
        let written = self.raise(fence)?;
        let let_go = now();
        self.connection.unlock("lock", fence)?;
        println!(
            r#"{{"fence":{fence},"asked":{asked},"granted":{granted},"let_go":{let_go},"written":{written}}}"#
        );
        Ok(())
    }

    /// Whether it was written.
    fn raise(&mut self, fence: u64) -> std::io::Result<bool> {
        let count: u64 = match self.connection.ask(&["GET", "number"])? {
            Reply::Text(text) => text.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0),
            _ => 0,
        };
        self.connection.ask(&["SET", "working", &self.name])?;
        std::thread::sleep(WORK);
        let value = format!("{} {fence} {}", count + 1, self.name);
        let written = self.write(&value, fence)?;
        self.connection.ask(&["DEL", "working"])?;
        Ok(written)
    }

    fn write(&mut self, value: &str, fence: u64) -> std::io::Result<bool> {
        if self.fenced {
            return Ok(self.connection.set_under("number", value, "lock", fence)? == Fenced::Done);
        }
        self.connection.ask(&["SET", "number", value])?;
        Ok(true)
    }
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    Duration::from(now).as_nanos().try_into().expect("the machine has not run for 500 years")
}
