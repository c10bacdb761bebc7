//! A writer that puts as fast as it can, beside a scan of everything on another thread: how long each put takes, the
//! wait for the lock included. Beside a thread that only keeps the other core busy the same is measured as a control:
//! what the machine itself does to a put.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use adsum_keyspace::Blob;
use parking_lot::Mutex;

use super::keys::{KeySet, value};
use super::store::Store;
use super::{Column, course};
use crate::latencies::Latencies;
use crate::process::{thread_cpu, thread_switches};
use crate::rounds::{Rounds, duration, rate};

/// Many: only a round in which nobody else wanted a core shows a pause that is the store's own.
const ROUNDS: usize = 15;
/// About as long as a scan takes.
const CONTROL: Duration = Duration::from_millis(300);
/// Puts of a round: more than any subject can do.
const ROOM: usize = 8_000_000;

/// What the rounds of one kind gave.
#[derive(Default)]
struct Puts {
    per_second: Rounds,
    /// Processor time of a put: what is left when the wait for lock and core is taken out.
    cpu: Rounds,
    /// Times that the writer has waited for the other thread, and that other work has taken its core: the second
    /// is the machine's doing, whatever the store does.
    switches: [Rounds; 2],
    /// p50, p99, p99.9, longest.
    quantiles: [Rounds; 4],
}

/// What the scan beside them took.
#[derive(Default)]
struct Scans {
    open: Rounds,
    whole: Rounds,
    longest_hold: Rounds,
}

pub(crate) fn measure<S: Store>(shared: &Mutex<S>, keys: &KeySet) -> Column {
    let (mut control, mut beside, mut scans) = (Puts::default(), Puts::default(), Scans::default());
    let mut latencies = Latencies::with_room(ROOM);
    let mut order = keys.random().cycle();
    for _ in 0..ROUNDS {
        control.round(shared, &mut order, &mut latencies, busy);
        let mut scan = [0.0; 3];
        beside.round(shared, &mut order, &mut latencies, || scan = full_scan(shared, keys.len()));
        scans.open.add(scan[0]);
        scans.whole.add(scan[1]);
        scans.longest_hold.add(scan[2]);
    }
    let mut column = scans.column();
    column.extend(beside.column("beside the scan"));
    column.extend(control.column("control, other core busy"));
    column
}

impl Puts {
    /// Puts until `other` has come to its end on a thread of its own.
    fn round<'a, S: Store>(
        &mut self,
        shared: &Mutex<S>,
        order: &mut impl Iterator<Item = &'a Blob>,
        latencies: &mut Latencies,
        other: impl FnOnce() + Send,
    ) {
        latencies.clear();
        let ended = AtomicBool::new(false);
        let (begin, begin_cpu, switches) = (Instant::now(), thread_cpu(), thread_switches());
        thread::scope(|scope| {
            scope.spawn(|| {
                other();
                ended.store(true, Ordering::Relaxed);
            });
            while !ended.load(Ordering::Relaxed) {
                let Some(key) = order.next() else { return };
                let value = value(latencies.len() as u64);
                let begin = Instant::now();
                shared.lock().put(key, value);
                latencies.add(begin.elapsed());
            }
        });
        // The last wait is for the end of the other thread.
        let waited = [thread_switches()[0] - switches[0] - 1, thread_switches()[1] - switches[1]];
        self.switches.iter_mut().zip(waited).for_each(|(rounds, times)| rounds.add(times.max(0) as f64));
        let puts = latencies.len() as f64;
        self.per_second.add(puts / begin.elapsed().as_secs_f64());
        self.cpu.add((thread_cpu() - begin_cpu).as_secs_f64() / puts);
        for (rounds, seconds) in self.quantiles.iter_mut().zip(latencies.quantiles()) {
            rounds.add(seconds);
        }
    }

    fn column(&self, beside: &str) -> Column {
        let rate = (format!("puts per second, {beside}"), self.per_second.best_is_most(rate));
        let cpu = (format!("a put, CPU, {beside}"), self.cpu.best_is_least(duration));
        let names = ["p50", "p99", "p99.9", "longest"];
        let quantiles = names.iter().zip(&self.quantiles);
        let quantiles = quantiles
            .map(|(name, rounds)| (format!("a put, {name}, {beside}"), rounds.best_is_least(duration)));
        let times = |rounds: &Rounds| rounds.best_is_least(|times| format!("{times:.0}"));
        let waits = (format!("waits of the writer, {beside}"), times(&self.switches[0]));
        let lost = (format!("times the writer lost its core, {beside}"), times(&self.switches[1]));
        [rate, cpu].into_iter().chain(quantiles).chain([waits, lost]).collect()
    }
}

impl Scans {
    fn column(&self) -> Column {
        let rows = [
            ("opening a reader, under the lock", &self.open),
            ("scan beside the writer", &self.whole),
            ("longest hold of the lock by the scan", &self.longest_hold),
        ];
        rows.into_iter().map(|(label, rounds)| (label.to_string(), rounds.best_is_least(duration))).collect()
    }
}

/// Seconds under the lock to open, for all of the scan, and for its longest hold of the lock.
fn full_scan<S: Store>(shared: &Mutex<S>, keys: usize) -> [f64; 3] {
    let begin = Instant::now();
    let mut store = shared.lock();
    let locked = Instant::now();
    let (reader, revision) = store.open();
    let open = locked.elapsed();
    drop(store);
    let rows = course::scan(shared, reader, revision);
    assert_eq!(rows.count, keys, "a scan misses no key and sees none twice");
    let whole = begin.elapsed();
    [open, whole, open.max(rows.longest_hold)].map(|time| time.as_secs_f64())
}

fn busy() {
    let begin = Instant::now();
    let mut turns = 0u64;
    while begin.elapsed() < CONTROL {
        turns = std::hint::black_box(turns + 1);
    }
}
