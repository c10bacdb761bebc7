//! The course that every store goes through: loaded, held by a reader, read and written alone, written while it is
//! scanned. What is sensitive to an untouched heap comes first. What one thread does alone is measured in its processor
//! time, so that other work on the machine does not count.

use adsum_keyspace::Blob;
use adsum_model::Revision;
use parking_lot::Mutex;

use super::keys::{KeySet, value};
use super::store::{Rows, Store};
use super::{Column, memory, pauses};
use crate::process::thread_cpu;
use crate::rounds::{Rounds, duration, rate};

const ROUNDS: usize = 5;

pub(crate) fn run<S: Store>(make: impl Fn() -> S, keys: &KeySet) -> anyhow::Result<Column> {
    let (store, bytes) = memory::growth(|| load(make(), keys.random()))?;
    let shared = Mutex::new(store);
    let mut column = vec![("memory per key".to_string(), memory::per_key(bytes, keys.len()))];
    column.push(hold(&shared, keys)?);
    column.extend(alone(&mut *shared.lock(), keys));
    column.push(("insert in order, per CPU second".to_string(), inserts(&make, keys)));
    column.push(("scan alone, CPU".to_string(), scans(&shared)));
    column.extend(pauses::measure(&shared, keys));
    Ok(column)
}

/// A scan from opening to the end, checked: all keys, none younger than its revision.
pub(crate) fn scan<S: Store>(shared: &Mutex<S>, reader: S::Reader, revision: Revision) -> Rows {
    let mut rows = Rows::default();
    S::scan(shared, reader, &mut rows);
    assert!(rows.youngest <= revision, "a scan at {revision} saw {}", rows.youngest);
    rows
}

fn load<'a, S: Store>(mut store: S, keys: impl Iterator<Item = &'a Blob>) -> S {
    for (write, key) in (0..).zip(keys) {
        store.put(key, value(write));
    }
    store
}

/// What a reader costs that is opened and does not come on while every key is written.
fn hold<S: Store>(shared: &Mutex<S>, keys: &KeySet) -> anyhow::Result<(String, String)> {
    let (reader, revision) = shared.lock().open();
    let (_, bytes) = memory::growth(|| {
        let mut store = shared.lock();
        (0..).zip(keys.random()).for_each(|(write, key)| store.put(key, value(write)));
    })?;
    let rows = scan(shared, reader, revision);
    assert_eq!(rows.count, keys.len(), "a held reader still sees every key");
    let label = "more per key while a reader is held and every key is written";
    Ok((label.to_string(), memory::per_key(bytes, keys.len())))
}

/// Gets and puts with nobody else there.
fn alone<S: Store>(store: &mut S, keys: &KeySet) -> Column {
    let mut figures: [Rounds; 4] = Default::default();
    for round in 0..ROUNDS as u64 {
        figures[0].add(per_second(keys.random(), |key| get(store, key)));
        figures[1].add(per_second(keys.sorted.iter(), |key| get(store, key)));
        figures[2].add(per_second(keys.random(), |key| store.put(key, value(round))));
        figures[3].add(per_second(keys.sorted.iter(), |key| store.put(key, value(round))));
    }
    let labels = ["get at random", "get in order", "put at random", "put in order"];
    let cells = figures.iter().map(|rounds| rounds.best_is_most(rate));
    labels.iter().map(|label| format!("{label}, per CPU second")).zip(cells).collect()
}

fn get<S: Store>(store: &S, key: &[u8]) {
    let entry = store.get(key).expect("every key was loaded");
    std::hint::black_box(entry.modified);
}

fn inserts<S: Store>(make: &impl Fn() -> S, keys: &KeySet) -> String {
    let once = || {
        let mut store = make();
        per_second(keys.sorted.iter(), |key| store.put(key, value(0)))
    };
    Rounds::of((0..3).map(|_| once())).best_is_most(rate)
}

fn per_second<'a>(keys: impl Iterator<Item = &'a Blob>, mut operation: impl FnMut(&'a Blob)) -> f64 {
    let begin = thread_cpu();
    let mut count = 0;
    for key in keys {
        operation(key);
        count += 1;
    }
    f64::from(count) / (thread_cpu() - begin).as_secs_f64()
}

fn scans<S: Store>(shared: &Mutex<S>) -> String {
    let once = || {
        let begin = thread_cpu();
        let (reader, revision) = shared.lock().open();
        scan(shared, reader, revision);
        (thread_cpu() - begin).as_secs_f64()
    };
    Rounds::of((0..ROUNDS).map(|_| once())).best_is_least(duration)
}
