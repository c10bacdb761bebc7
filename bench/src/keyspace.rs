//! `bench keyspace`: a scan at a revision beside a writer, done in two ways, with what each way costs when nobody
//! scans. Each subject is measured in a process of its own, so that none works on a heap that another has left.

mod before_images;
mod copies;
mod course;
mod keys;
mod memory;
mod ordered_map;
mod pauses;
mod product;
mod redis;
mod store;
mod tree;

use std::process::{Command, Stdio};
use std::sync::Arc;

use adsum_keyspace::Entry;
use anyhow::Context;

use self::before_images::BeforeImages;
use self::keys::KeySet;
use self::ordered_map::OrderedMap;
use self::product::Product;
use self::tree::CopyOnWrite;
use crate::table::Table;

const KEYS: usize = 1_000_000;

/// The columns; a subject also has a name on the command line when it has no column.
const SUBJECTS: [(&str, &str); 6] = [
    ("tree", "copy-on-write tree"),
    ("images", "before-images, slices of 1000"),
    ("images-64", "before-images, slices of 64"),
    ("map", "std BTreeMap, scan under the lock"),
    ("product", "Keyspace"),
    ("redis", "redis-server"),
];

/// What was measured of one subject, in the order of the rows.
type Column = Vec<(String, String)>;

pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    match words {
        [] => compare(KEYS),
        [subject] => match subject.parse() {
            Ok(keys) => compare(keys),
            Err(_) => show(subject, KEYS),
        },
        [subject, keys] => show(subject, keys.parse().context("KEYS is a number")?),
        _ => anyhow::bail!("keyspace takes a subject and a number of keys"),
    }
}

/// All subjects side by side.
fn compare(keys: usize) -> anyhow::Result<()> {
    let mut heads = vec![format!("{keys} keys")];
    let mut columns = Vec::new();
    for (subject, head) in SUBJECTS {
        eprintln!("measuring {head}");
        heads.push(head.to_string());
        columns.push(measure_apart(subject, keys)?);
    }
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for label in labels(&columns) {
        let cell = |column: &Column| column.iter().find(|(of, _)| *of == label).map(|(_, cell)| cell.clone());
        let cells = columns.iter().map(|column| cell(column).unwrap_or_else(|| "-".to_string()));
        table.row(std::iter::once(label.clone()).chain(cells).collect());
    }
    table.print();
    Ok(())
}

/// Every label that any column has, in the order of the first that has it.
fn labels(columns: &[Column]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for (label, _) in columns.iter().flatten() {
        if !labels.contains(label) {
            labels.push(label.clone());
        }
    }
    labels
}

fn measure_apart(subject: &str, keys: usize) -> anyhow::Result<Column> {
    let program = std::env::current_exe().context("cannot tell where the benchmark is")?;
    let child = Command::new(program)
        .args(["keyspace", subject, &keys.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the benchmark again")?;
    anyhow::ensure!(child.status.success(), "{subject} was not measured");
    let text = String::from_utf8(child.stdout)?;
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(rows.map(|(label, cell)| (label.to_string(), cell.to_string())).collect())
}

/// One subject, as lines for [`measure_apart`] or for a reader who wants one only.
fn show(subject: &str, keys: usize) -> anyhow::Result<()> {
    for (label, cell) in measure(subject, KeySet::new(keys))? {
        println!("{label}\t{cell}");
    }
    Ok(())
}

fn measure(subject: &str, keys: KeySet) -> anyhow::Result<Column> {
    Ok(match subject {
        "tree" => with_copies(course::run(CopyOnWrite::<Arc<Entry>>::default, &keys)?, copies::tree(&keys)),
        "images" => with_copies(
            course::run(|| BeforeImages::<Arc<Entry>>::with_slices_of(1000), &keys)?,
            copies::before_images(&keys),
        ),
        "images-64" => course::run(|| BeforeImages::<Arc<Entry>>::with_slices_of(64), &keys)?,
        "map" => course::run(OrderedMap::<Arc<Entry>>::default, &keys)?,
        "tree-inline" => course::run(CopyOnWrite::<Entry>::default, &keys)?,
        "map-inline" => course::run(OrderedMap::<Entry>::default, &keys)?,
        "product" => course::run(Product::default, &keys)?,
        "redis" => redis::memory(&keys)?,
        _ => anyhow::bail!(
            "no subject {subject}: take one of tree, images, images-64, map, tree-inline, map-inline, product, redis"
        ),
    })
}

fn with_copies(mut column: Column, copies: Column) -> Column {
    column.extend(copies);
    column
}
