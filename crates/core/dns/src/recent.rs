//! Answers that were given a moment ago, to be given again as long as nothing changes.
//!
//! Clients ask the same few questions over and over. Two queries of the same bytes, but for their ids, get the same
//! answers at one revision of the catalog, but for where their lists begin ([`Answer::turns`]):
//!
//! ```text
//! query: [id][flags, question, options] -> entry -> [id modulo turns] -> the answer, with the id put in
//! ```
//!
//! That there is nothing is remembered apart from what there is, so that a flood of names that do not exist makes nobody
//! forget what does.

use std::collections::HashMap;

use adsum_catalog::Catalog;
use adsum_model::Revision;

use crate::{Answer, Config, Transport, answer};

/// Bytes of queries and answers at most, of what there is. With more, all of it is forgotten.
const ROOM: usize = 8 << 20;
/// The same of what there is not.
const ENDLESS_ROOM: usize = 4 << 20;
/// What an entry takes besides its bytes, about.
const OVERHEAD: usize = 128;
/// What one of the answers to a question takes before it is there.
const PLACE: usize = size_of::<Option<Answer>>();
/// Bytes of an id, with which a message begins.
const ID: usize = 2;

/// The same answers as [`answer`] gives, faster when a question comes again.
#[derive(Debug)]
pub struct Recent {
    transport: Transport,
    revision: Revision,
    known: Memory,
    endless: Memory,
}

/// So much and no more.
#[derive(Debug)]
struct Memory {
    entries: HashMap<Box<[u8]>, Vec<Option<Answer>>>,
    taken: usize,
    room: usize,
}

impl Recent {
    pub fn new(transport: Transport) -> Recent {
        let (known, endless) = (Memory::new(ROOM), Memory::new(ENDLESS_ROOM));
        Recent { transport, revision: Revision::ZERO, known, endless }
    }

    /// Answers one message. All calls are for the same configuration, and catalogs of the same history.
    pub fn answer(&mut self, query: &[u8], catalog: &Catalog, config: &Config) -> Answer {
        if self.revision != catalog.revision() {
            self.revision = catalog.revision();
            self.known.forget();
            self.endless.forget();
        }
        if let Some(known) = self.known.find(query).or_else(|| self.endless.find(query)) {
            return known;
        }
        let answer = answer(query, self.transport, catalog, config);
        let memory = if answer.endless { &mut self.endless } else { &mut self.known };
        memory.note(query, &answer);
        answer
    }

    /// Bytes that are remembered, about: of what there is, and of what there is not.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> [usize; 2] {
        [self.known.taken, self.endless.taken]
    }
}

impl Memory {
    fn new(room: usize) -> Memory {
        Memory { entries: HashMap::new(), taken: 0, room }
    }

    fn find(&self, query: &[u8]) -> Option<Answer> {
        let (id, question) = split(query)?;
        let turned = self.entries.get(question)?;
        let mut answer = turned[usize::from(u16::from_be_bytes(id)) % turned.len()].clone()?;
        answer.bytes.as_mut()?[..ID].copy_from_slice(&id);
        Some(answer)
    }

    fn note(&mut self, query: &[u8], answer: &Answer) {
        let (Some((id, question)), Some(bytes)) = (split(query), &answer.bytes) else { return };
        if answer.turns == 0 {
            return;
        }
        let places = if self.entries.contains_key(question) { 0 } else { answer.turns * PLACE };
        let added = bytes.len() + question.len() + OVERHEAD + places;
        if self.taken + added > self.room {
            self.forget();
        }
        self.taken += added;
        let turned = self.entries.entry(question.into()).or_insert_with(|| vec![None; answer.turns]);
        let place = usize::from(u16::from_be_bytes(id)) % turned.len();
        turned[place] = Some(answer.clone());
    }

    fn forget(&mut self) {
        self.entries.clear();
        self.taken = 0;
    }
}

fn split(query: &[u8]) -> Option<([u8; ID], &[u8])> {
    let (id, question) = query.split_first_chunk()?;
    Some((*id, question))
}
