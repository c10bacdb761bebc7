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

/// The time that all but one of a hundred requests stay under, one after the other.
pub(crate) fn p99(world: &World) -> Duration {
    let mut times: Vec<Duration> = (0..100).map(|_| world.latency()).collect();
    times.sort_unstable();
    times[98]
}
