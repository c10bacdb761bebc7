//! What INFO tells of the process.

use std::time::Duration;

use adsum_resp::Vitals;
use adsum_store::Store;

/// Between two readings.
const INTERVAL: Duration = Duration::from_secs(5);

/// Reports the process's own figures to the store for ever.
pub(super) async fn report(store: Store) {
    let mut peak = 0;
    loop {
        let memory = resident().unwrap_or_default();
        peak = memory.max(peak);
        let (cpu_user, cpu_system) = processor_time();
        let vitals = Vitals { memory, peak_memory: peak, cpu_user, cpu_system, ..Vitals::default() };
        store.enter(|server, _| server.report(vitals));
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Bytes, from the second field of proc_pid_statm(5).
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// User and system time in milliseconds.
fn processor_time() -> (u64, u64) {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return (0, 0) };
    let millis = |time: nix::sys::time::TimeVal| (time.tv_sec() * 1000 + time.tv_usec() / 1000) as u64;
    (millis(usage.user_time()), millis(usage.system_time()))
}
