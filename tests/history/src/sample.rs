//! Histories that are good by construction: operations of random length that overlap at random, carried out one by
//! one on a real register. For the checker's own tests and measurements.

use crate::event::{Action, Answer};
use crate::operation::{History, Operation, Returned};

/// How a history is made.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub seed: u64,
    pub clients: u64,
    pub operations: usize,
}

/// When an operation is called, comes into effect and returns.
struct Moments {
    client: u64,
    call: u64,
    effect: u64,
    back: u64,
}

impl Sample {
    /// Reads, writes, compares and deletes of one key, by clients that each do one thing at a time. Revisions are on
    /// everything that read or wrote a value.
    pub fn history(self) -> History {
        let mut chance = Chance(self.seed);
        let mut moments = self.moments(&mut chance);
        moments.sort_by_key(|moments| moments.effect);
        let mut register = Register::default();
        let mut operations: Vec<Operation> =
            moments.iter().map(|moments| register.carry_out(moments, &mut chance)).collect();
        operations.sort_by_key(|operation| operation.call);
        History { operations, faults: Vec::new() }
    }

    fn moments(self, chance: &mut Chance) -> Vec<Moments> {
        let mut free = vec![0; usize::try_from(self.clients).expect("clients fit the memory")];
        let mut all = Vec::with_capacity(self.operations);
        for number in 0..self.operations {
            let client = number % free.len();
            let call = free[client] + 1 + chance.below(200);
            let effect = call + 1 + chance.below(1_000);
            let back = effect + 1 + chance.below(1_000);
            free[client] = back;
            all.push(Moments { client: client as u64, call, effect, back });
        }
        all
    }
}

#[derive(Default)]
struct Register {
    value: Option<String>,
    revision: u64,
    /// Of the value, or of its absence.
    modified: u64,
    written: u64,
    before: Option<String>,
}

impl Register {
    fn carry_out(&mut self, moments: &Moments, chance: &mut Chance) -> Operation {
        // Other keys take revisions too.
        self.revision += 1 + chance.below(3);
        let action = self.action(chance);
        let (answer, revision) = self.answer(&action);
        let returned = Some(Returned { at: moments.back, answer, revision });
        Operation { client: moments.client, key: "/a".to_string(), action, call: moments.call, returned }
    }

    fn action(&mut self, chance: &mut Chance) -> Action {
        match chance.below(20) {
            0 => Action::Delete,
            1..8 => Action::Write { value: self.fresh() },
            8..12 => {
                // As of now or a little before, so that some fit and some do not.
                let expect = if chance.below(2) == 0 { self.value.clone() } else { self.before.clone() };
                Action::Compare { expect, value: self.fresh() }
            }
            _ => Action::Read,
        }
    }

    fn fresh(&mut self) -> String {
        self.written += 1;
        format!("v{}", self.written)
    }

    fn answer(&mut self, action: &Action) -> (Answer, Option<u64>) {
        match action {
            Action::Read => {
                let revision = if self.value.is_some() { self.modified } else { self.revision };
                (Answer::Value(self.value.clone()), Some(revision))
            }
            Action::Delete => {
                let there = self.value.is_some();
                self.put(None);
                (Answer::Done(there), None)
            }
            Action::Compare { expect, .. } if *expect != self.value => (Answer::Done(false), None),
            _ => {
                self.put(action.written().map(str::to_string));
                (Answer::Done(true), Some(self.modified))
            }
        }
    }

    fn put(&mut self, value: Option<String>) {
        self.before = std::mem::replace(&mut self.value, value);
        self.modified = self.revision;
    }
}

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }
}
