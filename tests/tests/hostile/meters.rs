//! What the agent costs, as the kernel counts it, and how long others wait.

use std::time::{Duration, Instant};

use crate::world::World;

/// Memory that the process has in use.
pub(crate) fn resident_bytes(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// Processor time that it has used.
pub(crate) fn cpu(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(ticks * 10)
}

/// Processor time used in a second of the wall clock.
pub(crate) fn cpu_in_a_second(pid: i32) -> Duration {
    let before = cpu(pid);
    let begin = Instant::now();
    adsum_tests::until("a second has passed", Duration::from_secs(5), || {
        (begin.elapsed() >= Duration::from_secs(1)).then_some(())
    });
    cpu(pid) - before
}

/// How long others wait, while something goes on.
#[derive(Debug)]
pub(crate) struct Waits {
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

/// Of a hundred requests, one after the other.
pub(crate) fn waits(world: &World) -> Waits {
    Waits::of((0..100).map(|_| world.latency()).collect())
}

impl Waits {
    pub(crate) fn of(mut times: Vec<Duration>) -> Waits {
        times.sort_unstable();
        Waits { median: times[times.len() / 2], p99: times[times.len() * 98 / 100] }
    }

    /// That others are served as if nothing went on. The bounds are wide: other tests, and whoever builds beside them, have
    /// the same processors. Whoever is shut out waits for time-outs.
    #[track_caller]
    pub(crate) fn are_tolerable(&self) {
        println!("others' median {:?}, p99 {:?}", self.median, self.p99);
        assert!(self.median < Duration::from_millis(500) && self.p99 < Duration::from_secs(5), "{self:?}");
    }
}
