//! The plans, checked without an etcd: several views, each as far behind as chance has it, send their transactions to a
//! model of etcd's `Txn`. Whatever commits has to have answered what it would have answered alone, in the order of the
//! commits. That the check finds what is wrong is shown by leaving conditions out.

use std::collections::BTreeMap;

use adsum_keyspace::{Blob, Database, Deadline, Entry, Keyspace, Notice, Now, Transaction, Value};

use crate::layout::{Layout, Span, databases};
use crate::plan::Terms;
use crate::protocol::compare::{CompareResult, TargetUnion};
use crate::protocol::request_op::Request;
use crate::protocol::{Compare, TxnRequest};
use crate::record::Record;
use crate::requests::put;
use crate::row;
use crate::view::{Base, Loaded, View};

const NOW: Now = Now { tick: 1, wall: 1 };
const VIEWS: usize = 3;
const STEPS: usize = 120;
const SEEDS: u64 = 120;

/// What etcd does with a transaction.
#[derive(Default)]
struct Model {
    rows: BTreeMap<Vec<u8>, Row>,
    revision: i64,
    /// Event records, with the transactions that have put them.
    events: Vec<(i64, Vec<u8>)>,
}

struct Row {
    value: Vec<u8>,
    made_by: i64,
    put_by: i64,
}

impl Model {
    /// By its revision, if all conditions hold.
    fn commit(&mut self, layout: &Layout, request: &TxnRequest) -> Option<i64> {
        if !request.compare.iter().all(|compare| self.holds(compare)) {
            return None;
        }
        self.revision += 1;
        for operation in &request.success {
            match operation.request.as_ref().unwrap() {
                Request::RequestPut(put) => self.put(layout, put.key.to_vec(), put.value.to_vec()),
                Request::RequestDeleteRange(delete) => drop(self.rows.remove(&delete.key[..])),
                Request::RequestRange(range) => panic!("{range:?}"),
            }
        }
        Some(self.revision)
    }

    fn put(&mut self, layout: &Layout, key: Vec<u8>, value: Vec<u8>) {
        let put_by = self.revision;
        if key == layout.event() {
            self.events.push((put_by, value.clone()));
        }
        let made_by = self.rows.get(&key).map_or(put_by, |row| row.made_by);
        self.rows.insert(key, Row { value, made_by, put_by });
    }

    fn holds(&self, compare: &Compare) -> bool {
        let key = compare.key.to_vec();
        let end = if compare.range_end.is_empty() {
            [&key[..], b"\0"].concat()
        } else {
            compare.range_end.to_vec()
        };
        let mut rows = self.rows.range(key..end).map(|(_, row)| (row.put_by, row.made_by)).peekable();
        if rows.peek().is_none() {
            return is_so(compare, (0, 0));
        }
        rows.all(|row| is_so(compare, row))
    }
}

fn is_so(compare: &Compare, (put_by, made_by): (i64, i64)) -> bool {
    let (is, wanted) = match compare.target_union.as_ref().unwrap() {
        TargetUnion::ModRevision(wanted) => (put_by, *wanted),
        TargetUnion::CreateRevision(wanted) => (made_by, *wanted),
        other => panic!("{other:?}"),
    };
    match CompareResult::try_from(compare.result).unwrap() {
        CompareResult::Equal => is == wanted,
        CompareResult::Less => is < wanted,
        other => panic!("{other:?}"),
    }
}

/// Chance with a seed.
struct Lot(u64);

impl Lot {
    fn draw(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// What a transaction does, by three numbers.
#[derive(Clone, Copy, Debug)]
struct Deed {
    kind: usize,
    key: usize,
    other: usize,
}

impl Deed {
    fn draw(lot: &mut Lot) -> Deed {
        Deed { kind: lot.draw(10), key: lot.draw(4), other: lot.draw(4) }
    }

    /// What it answers depends on all that it has read.
    fn run(self, tx: &mut Transaction<'_>) -> String {
        let database = Database::User((self.other % 2) as u8);
        let (key, other) = (format!("a/{}", self.key), format!("b/{}", self.other));
        let read =
            |tx: &mut Transaction<'_>, key: &str| tx.get(database, key.as_bytes()).map(|e| e.value.clone());
        let set = |tx: &mut Transaction<'_>, key: &str, text: String| {
            tx.put(database, key, Value::String(text.into()), None, &[Notice::Set]);
        };
        match self.kind {
            0 => {
                let was = read(tx, &key);
                set(tx, &other, format!("{was:?}").chars().rev().take(20).collect());
                format!("{was:?}")
            }
            1 => {
                set(tx, &key, self.other.to_string());
                String::new()
            }
            2 => tx.delete(database, key.as_bytes(), Notice::Del).to_string(),
            3 => {
                let count = under(tx, database, "a/");
                set(tx, &other, count.to_string());
                count.to_string()
            }
            4 => {
                let count = under(tx, database, "");
                let gone = count > 2 && tx.delete(database, key.as_bytes(), Notice::Del);
                format!("{count} {gone}")
            }
            5 if self.key == 0 => {
                tx.clear(database);
                set(tx, &other, "after".to_string());
                String::new()
            }
            5 | 6 => {
                let list = format!("l/{}", self.key);
                let length = tx.get(database, list.as_bytes()).map_or(0, |entry| entry.value.weight());
                let element = [Blob::from(other.as_str())];
                tx.splice(database, list.as_bytes(), 0, self.other, element[..].into(), &[Notice::Lpush]);
                length.to_string()
            }
            7 => {
                let at = Some(Deadline::wall(9_000_000_000_000 + self.other as u64));
                let there = read(tx, &key).is_some();
                if there {
                    tx.set_deadline(database, key.as_bytes(), at, Notice::Expire);
                }
                there.to_string()
            }
            8 => {
                tx.copy((database, key.as_bytes()), (database, other.as_bytes()), Notice::CopyTo).to_string()
            }
            _ => {
                let was = tx.delete(database, key.as_bytes(), Notice::Del);
                set(tx, &key, "anew".to_string());
                was.to_string()
            }
        }
    }
}

fn under(tx: &mut Transaction<'_>, database: Database, prefix: &str) -> usize {
    let keys = tx.keys_under(database, prefix.as_bytes());
    keys.iter().filter(|(key, _)| key.starts_with(prefix.as_bytes())).count()
}

struct World {
    layout: Layout,
    model: Model,
    views: Vec<(View, usize)>,
    /// All commits in their order, one after the other.
    alone: Keyspace,
    committed: usize,
    conflicts: usize,
}

impl World {
    fn new() -> World {
        let layout = Layout::new("test");
        let mut model = Model { revision: 1, ..Model::default() };
        let session = put(layout.session("x"), Vec::new(), 0);
        model.put(&layout, session.key.to_vec(), Vec::new());
        let views = (0..VIEWS).map(|_| (empty_view(), 0)).collect();
        World { layout, model, views, alone: Keyspace::default(), committed: 0, conflicts: 0 }
    }

    /// One transaction of one view. What it answers alone has to be the same.
    fn step(&mut self, view: usize, deed: Deed, keeps: impl Fn(&Compare) -> bool) -> Result<(), String> {
        let view = &mut self.views[view].0;
        let attempt = view.attempt(NOW, |tx| deed.run(tx));
        if attempt.changes.is_empty() {
            return Ok(());
        }
        let id = [self.model.revision as u8; 16];
        let terms = Terms { session: (self.layout.session("x"), 1), more: Vec::new() };
        let mut request = view.plan(&self.layout, &attempt, (id, NOW), terms).unwrap();
        request.compare.retain(keeps);
        if self.model.commit(&self.layout, &request).is_none() {
            self.conflicts += 1;
            return Ok(());
        }
        self.committed += 1;
        let alone = self.alone.transact(NOW, |tx| deed.run(tx)).unwrap().reply;
        if alone == attempt.reply {
            Ok(())
        } else {
            Err(format!("{deed:?}: {} instead of {alone}", attempt.reply))
        }
    }

    /// Lets a view see so many event records more.
    fn feed(&mut self, view: usize, count: usize) {
        let (view, next) = &mut self.views[view];
        for (put_by, bytes) in self.model.events.iter().skip(*next).take(count) {
            view.apply(Record::decode(bytes).unwrap(), *put_by).unwrap();
            *next += 1;
        }
    }

    /// All views are the same, and the same as the rows, and the same as without an etcd.
    fn agree(&mut self) -> Result<(), String> {
        (0..VIEWS).for_each(|view| self.feed(view, usize::MAX));
        for database in databases() {
            let rows = self.rows(database);
            for (view, _) in &self.views {
                let known = entries(&view.keyspace, database);
                if known != rows {
                    return Err(format!("{database:?}: {known:?} by events, {rows:?} by rows"));
                }
            }
            let values = |entries: Vec<(Blob, Entry)>| -> Vec<(Blob, Value)> {
                entries.into_iter().map(|(key, entry)| (key, entry.value)).collect()
            };
            let alone = values(entries(&self.alone, database));
            if values(rows) != alone {
                return Err(format!("{database:?} differs from what one alone makes: {alone:?}"));
            }
        }
        Ok(())
    }

    /// What somebody who begins now reads.
    fn rows(&self, database: Database) -> Vec<(Blob, Entry)> {
        let generation = self.views[0].0.generation(database);
        let Span { from, to } = self.layout.rows(database, generation, b"");
        let read = |(key, row): (&Vec<u8>, &Row)| {
            let entry = row::decode(&row.value, Base::default().public(row.put_by), NOW).unwrap();
            (Blob::from(self.layout.key(database, generation, key).unwrap()), entry)
        };
        self.model.rows.range(from..to).map(read).collect()
    }
}

fn empty_view() -> View {
    let mut view = View::new();
    view.replace(Loaded {
        keyspace: Keyspace::default(),
        base: Base::default(),
        applied: 0,
        last: None,
        seen: 0,
        generations: BTreeMap::new(),
        marks: BTreeMap::new(),
    });
    view
}

fn entries(keyspace: &Keyspace, database: Database) -> Vec<(Blob, Entry)> {
    keyspace.keys(database).iter().map(|(key, entry)| (key.clone(), Entry::clone(entry))).collect()
}

/// Commits and conflicts of one run.
fn simulate(seed: u64, keeps: impl Fn(&Compare) -> bool) -> Result<(usize, usize), String> {
    let (mut world, mut lot) = (World::new(), Lot(seed));
    for _ in 0..STEPS {
        let view = lot.draw(VIEWS);
        match lot.draw(3) {
            0 => world.feed(view, lot.draw(6)),
            1 => world.feed(view, usize::MAX),
            _ => {}
        }
        world.step(view, Deed::draw(&mut lot), &keeps).map_err(|wrong| format!("seed {seed}: {wrong}"))?;
    }
    world.agree().map_err(|wrong| format!("seed {seed}: {wrong}"))?;
    Ok((world.committed, world.conflicts))
}

#[test]
fn whatever_commits_is_as_if_it_had_been_alone() {
    let (mut committed, mut conflicts) = (0, 0);
    for seed in 0..SEEDS {
        let run = simulate(seed, |_| true).unwrap();
        (committed, conflicts) = (committed + run.0, conflicts + run.1);
    }
    assert!(
        committed > 3_000 && conflicts > 1_000,
        "{committed} commits and {conflicts} conflicts say little"
    );
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(simulate(7, |_| true), simulate(7, |_| true));
}

/// Each kind of condition is needed, and the check would find that it is missing.
#[test]
fn a_condition_that_is_left_out_is_found() {
    for kind in ["/k/", "/d/", "/g/"] {
        let is_kept = |compare: &Compare| !String::from_utf8_lossy(&compare.key).contains(kind);
        let found = (0..SEEDS).find_map(|seed| simulate(seed, is_kept).err());
        assert!(found.is_some(), "nobody has missed the conditions on {kind}");
    }
    let is_single = |compare: &Compare| compare.range_end.is_empty();
    assert!((0..SEEDS).any(|seed| simulate(seed, is_single).is_err()), "nobody has missed the ranges");
}
