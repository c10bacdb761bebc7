//! Reading everything that etcd holds, as of one revision of its.

use std::collections::BTreeMap;

use adsum_keyspace::{Blob, Changes, Commit, Database, Keyspace, Now, Place, encode_commit, encode_row};
use adsum_model::Revision;
use tonic::transport::Channel;

use crate::error::Broken;
use crate::layout::{Layout, Span, databases};
use crate::link::range;
use crate::protocol::{KeyValue, RangeRequest, RangeResponse};
use crate::record::Record;
use crate::requests::{get, revision, scan};
use crate::row::{self, RowError};
use crate::view::{Base, Loaded};

/// Rows of the first page; the others are sized by what came.
const FIRST_PAGE: i64 = 64;
const LAST_PAGE: i64 = 8192;
/// What a page should have, in bytes.
const PAGE: usize = 1024 * 1024;

/// What is watched, as of one moment.
pub(crate) struct Head {
    pub(crate) base: Base,
    /// The event record, without its value when it was not asked for.
    pub(crate) event: Option<KeyValue>,
    /// etcd's revision.
    pub(crate) revision: i64,
}

impl Head {
    /// By which transaction of etcd the last event record was put.
    pub(crate) fn applied(&self) -> i64 {
        self.event.as_ref().map_or(0, |event| event.mod_revision)
    }
}

/// Base and event record as they are now.
pub(crate) async fn head(channel: &Channel, layout: &Layout) -> Result<Head, Broken> {
    let response = range(channel, scan(layout.watched())).await?;
    let revision = revision(response.header.as_ref());
    let find = |key: Vec<u8>| response.kvs.iter().find(|kv| kv.key == key).cloned();
    Ok(Head { base: base(find(layout.base()).as_ref()), event: find(layout.event()), revision })
}

/// 0 when it was never put.
pub(crate) fn base(kv: Option<&KeyValue>) -> Base {
    let Some(kv) = kv else { return Base::default() };
    let number = std::str::from_utf8(&kv.value).ok().and_then(|text| text.parse().ok());
    Base { revision: number.unwrap_or(0), put_by: kv.mod_revision }
}

/// `now` is asked for when the revision is known, so that no deadline begins before its key was put.
pub(crate) async fn load(
    channel: &Channel,
    layout: &Layout,
    now: impl FnOnce() -> Now,
) -> Result<Loaded, Broken> {
    let head = head(channel, layout).await?;
    let now = now();
    let last = head.event.as_ref().map(|event| Record::decode(&event.value)).transpose()?;
    let mut loading =
        Loading { channel, layout, at: head.revision, base: head.base, now, marks: BTreeMap::new() };
    let generations = loading.generations().await?;
    let mut chunks = vec![first_chunk(head.base.public(head.applied()), now)];
    for database in databases() {
        let generation = generations.get(&database).copied().unwrap_or(0);
        loading.rows(database, generation, &mut chunks).await?;
    }
    let chunks = chunks.into_iter().map(Ok::<_, std::convert::Infallible>);
    let (keyspace, _) = Keyspace::restore(chunks).expect("it was just written");
    Ok(Loaded {
        keyspace,
        base: head.base,
        applied: head.applied(),
        last: last.map(|record| record.id),
        seen: head.revision,
        generations,
        marks: loading.marks,
    })
}

fn first_chunk(revision: Revision, now: Now) -> Vec<u8> {
    let mut chunk = Vec::new();
    encode_commit(&Commit { revision, now, changes: Changes::new() }, &mut chunk);
    chunk
}

struct Loading<'a> {
    channel: &'a Channel,
    layout: &'a Layout,
    /// etcd's revision that everything is read at.
    at: i64,
    base: Base,
    now: Now,
    marks: BTreeMap<Place, i64>,
}

impl Loading<'_> {
    /// Of the databases that were emptied before.
    async fn generations(&self) -> Result<BTreeMap<Database, u64>, Broken> {
        let mut generations = BTreeMap::new();
        for database in databases() {
            let request = RangeRequest { revision: self.at, ..get(self.layout.generation(database)) };
            let response = range(self.channel, request).await?;
            let text = response.kvs.first().and_then(|kv| std::str::from_utf8(&kv.value).ok());
            if let Some(generation) = text.and_then(|text| text.parse().ok()) {
                generations.insert(database, generation);
            }
        }
        Ok(generations)
    }

    /// The rows of a database, a chunk for each page.
    async fn rows(
        &mut self,
        database: Database,
        generation: u64,
        chunks: &mut Vec<Vec<u8>>,
    ) -> Result<(), Broken> {
        let Span { mut from, to } = self.layout.rows(database, generation, b"");
        let mut limit = FIRST_PAGE;
        loop {
            let span = Span { from, to: to.clone() };
            let request = RangeRequest { limit, revision: self.at, ..scan(span) };
            let RangeResponse { kvs, more, .. } = range(self.channel, request).await?;
            let mut chunk = Vec::new();
            for kv in &kvs {
                self.row(database, generation, kv, &mut chunk)?;
            }
            limit = if chunk.len() < PAGE { (limit * 2).min(LAST_PAGE) } else { (limit / 2).max(1) };
            chunks.push(chunk);
            match kvs.last() {
                Some(last) if more => from = [&last.key[..], b"\0"].concat(),
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn row(
        &mut self,
        database: Database,
        generation: u64,
        kv: &KeyValue,
        chunk: &mut Vec<u8>,
    ) -> Result<(), RowError> {
        let put = self.base.public(kv.mod_revision);
        let entry = row::decode(&kv.value, put, self.now)?;
        let key = self.layout.key(database, generation, &kv.key).ok_or(RowError::Count)?;
        let key = Blob::from(key);
        encode_row(database, &key, &entry, chunk);
        if entry.modified != put {
            self.marks.insert((database, key), kv.mod_revision);
        }
        Ok(())
    }
}
