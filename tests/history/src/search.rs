//! Whether operations that overlapped could have happened one by one: the search of Wing and Gong, with the memory of
//! Lowe.
//!
//! ```text
//! |--write a--|        |--read -> a--|        one by one: write b, write a, read -> a
//!    |-----------write b----------------|
//! ```
//!
//! Whatever was called before the first return of what is left may come next. One that fits the model is taken; where
//! none fits, the last choice is taken back. The same operations taken with the same outcome lead nowhere twice, so
//! each such pair is remembered and tried once. Two things keep the search short:
//!
//! - an operation that fits and changes nothing is taken at once, and not taken back for itself: whatever comes
//!   after it would have been possible without it;
//! - operations of unknown outcome, which may as well never come into effect, are tried last.
//!
//! A set of taken operations is remembered by 128 bits that are mixed from its members. Two sets that share them would
//! cut a branch off: a good history could be called bad, and never a bad one good.

use std::collections::HashSet;
use std::hash::Hash;

/// What is checked, one operation after the other.
pub trait Model {
    type Operation;
    type State: Clone + Eq + Hash;

    fn initial(&self) -> Self::State;

    /// The state after it, or none when it cannot have happened in this one.
    fn step(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;
}

/// An operation and the time in which it came into effect.
#[derive(Clone, Debug)]
pub struct Span<O> {
    pub call: u64,
    /// None when it may come into effect at any time from its call on, or never.
    pub end: Option<u64>,
    pub operation: O,
}

/// What became of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<S> {
    /// They can have happened one by one.
    Linearizable { steps: u64 },
    /// They cannot.
    Violated(Stuck<S>),
    /// The steps were used up before anybody knew. Never a pass.
    Undecided { steps: u64 },
}

/// The furthest that the search came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck<S> {
    /// Positions of the operations that had been taken, in their order.
    pub taken: Vec<usize>,
    /// The one that had to be next, because it returned first.
    pub misfit: usize,
    /// What the model had come to.
    pub state: S,
    pub steps: u64,
}

/// Searches for an order, in at most this many steps of the model.
pub fn search<M: Model>(model: &M, spans: &[Span<M::Operation>], budget: u64) -> Verdict<M::State> {
    Search::new(model, spans).run(budget)
}

/// Which operations are tried next.
#[derive(Clone, Copy)]
enum Cursor {
    /// This entry of the list and those after it, up to the first return.
    Listed(usize),
    /// This one of `open` and those after it, called before `until`.
    Open(usize),
}

struct Frame<S> {
    tried: Cursor,
    operation: usize,
    before: S,
    /// It changed nothing: there is no point in taking it back alone.
    kept: bool,
}

struct Search<'a, M: Model> {
    model: &'a M,
    spans: &'a [Span<M::Operation>],
    list: List,
    /// Operations without an end, by their calls.
    open: Vec<usize>,
    taken: Vec<bool>,
    /// How many with an end are left.
    left: usize,
    fingerprint: u128,
    state: M::State,
    frames: Vec<Frame<M::State>>,
    seen: HashSet<(u128, M::State)>,
    steps: u64,
    furthest: Option<Stuck<M::State>>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, spans: &'a [Span<M::Operation>]) -> Self {
        let mut open: Vec<usize> =
            (0..spans.len()).filter(|&position| spans[position].end.is_none()).collect();
        open.sort_by_key(|&position| spans[position].call);
        Search {
            model,
            spans,
            list: List::of(spans),
            left: spans.len() - open.len(),
            open,
            taken: vec![false; spans.len()],
            fingerprint: 0,
            state: model.initial(),
            frames: Vec::new(),
            seen: HashSet::new(),
            steps: 0,
            furthest: None,
        }
    }

    fn run(mut self, budget: u64) -> Verdict<M::State> {
        let mut cursor = Cursor::Listed(self.list.first());
        while self.left > 0 {
            if self.steps >= budget {
                return Verdict::Undecided { steps: self.steps };
            }
            cursor = match self.advance(cursor) {
                Some(next) => next,
                None => match self.give_back() {
                    Some(next) => next,
                    None => return self.violated(),
                },
            };
        }
        Verdict::Linearizable { steps: self.steps }
    }

    /// Tries the candidate at the cursor; none when there is no further candidate.
    fn advance(&mut self, cursor: Cursor) -> Option<Cursor> {
        match cursor {
            Cursor::Listed(entry) => match self.list.entries[entry].called {
                Some(operation) => {
                    let next = self.list.entries[entry].next;
                    Some(self.attempt(cursor, operation).unwrap_or(Cursor::Listed(next)))
                }
                None => Some(Cursor::Open(0)),
            },
            Cursor::Open(position) => {
                let operation = *self.open.get(position)?;
                if self.spans[operation].call > self.list.first_return(self.spans) {
                    return None;
                }
                let next = Cursor::Open(position + 1);
                if self.taken[operation] {
                    return Some(next);
                }
                Some(self.attempt(cursor, operation).unwrap_or(next))
            }
        }
    }

    /// Takes this operation if it fits and does not lead to where we have been.
    fn attempt(&mut self, tried: Cursor, operation: usize) -> Option<Cursor> {
        self.steps += 1;
        let span = &self.spans[operation];
        let after = self.model.step(&self.state, &span.operation)?;
        let kept = after == self.state;
        // One that need not happen and changes nothing is best left out.
        if kept && span.end.is_none() {
            return None;
        }
        if !self.seen.insert((self.fingerprint ^ mixed(operation), after.clone())) {
            return None;
        }
        let before = std::mem::replace(&mut self.state, after);
        self.frames.push(Frame { tried, operation, before, kept });
        self.toggle(operation, true);
        Some(Cursor::Listed(self.list.first()))
    }

    /// Takes the last choice back; none when there is none left.
    fn give_back(&mut self) -> Option<Cursor> {
        self.remember_furthest();
        loop {
            let frame = self.frames.pop()?;
            self.toggle(frame.operation, false);
            self.state = frame.before;
            match frame.tried {
                _ if frame.kept => {}
                Cursor::Listed(entry) => return Some(Cursor::Listed(self.list.entries[entry].next)),
                Cursor::Open(position) => return Some(Cursor::Open(position + 1)),
            }
        }
    }

    fn toggle(&mut self, operation: usize, taken: bool) {
        self.taken[operation] = taken;
        self.fingerprint ^= mixed(operation);
        if self.spans[operation].end.is_some() {
            if taken {
                self.list.lift(operation);
                self.left -= 1;
            } else {
                self.list.put_back(operation);
                self.left += 1;
            }
        }
    }

    fn remember_furthest(&mut self) {
        let depth = self.furthest.as_ref().map(|stuck| stuck.taken.len());
        if depth.is_none_or(|depth| self.frames.len() > depth) {
            let taken = self.frames.iter().map(|frame| frame.operation).collect();
            let misfit = self.list.first_to_return();
            self.furthest = Some(Stuck { taken, misfit, state: self.state.clone(), steps: 0 });
        }
    }

    fn violated(self) -> Verdict<M::State> {
        let stuck = self.furthest.expect("before the last choice is taken back, the furthest is remembered");
        Verdict::Violated(Stuck { steps: self.steps, ..stuck })
    }
}

/// The calls and returns of what is left and has an end, by time; taking an operation lifts both out.
///
/// ```text
/// head <-> call of 0 <-> call of 1 <-> return of 0 <-> return of 1 <-> tail (no call: a return for ever)
/// ```
struct List {
    entries: Vec<Entry>,
    /// Of each operation, its call and its return.
    places: Vec<(usize, usize)>,
}

struct Entry {
    previous: usize,
    next: usize,
    operation: usize,
    /// The operation, if this is its call.
    called: Option<usize>,
}

const HEAD: usize = 0;

impl List {
    fn of<O>(spans: &[Span<O>]) -> List {
        let mut moments = Vec::with_capacity(spans.len() * 2);
        for (position, span) in spans.iter().enumerate() {
            if let Some(end) = span.end {
                // At the same nanosecond, calls come first: the two overlap.
                moments.push((span.call, 0, position));
                moments.push((end, 1, position));
            }
        }
        moments.sort_unstable();
        let none = Entry { previous: 0, next: 1, operation: usize::MAX, called: None };
        let mut list = List { entries: vec![none], places: vec![(0, 0); spans.len()] };
        for (_, kind, position) in moments {
            list.append(position, kind == 0);
        }
        list.append(usize::MAX, false);
        list
    }

    fn append(&mut self, operation: usize, call: bool) {
        let place = self.entries.len();
        if let Some(places) = self.places.get_mut(operation) {
            if call { places.0 = place } else { places.1 = place }
        }
        let called = call.then_some(operation);
        self.entries.push(Entry { previous: place - 1, next: place + 1, operation, called });
    }

    fn first(&self) -> usize {
        self.entries[HEAD].next
    }

    /// The operation that returns first of those that are left.
    fn first_to_return(&self) -> usize {
        let mut entry = self.first();
        while self.entries[entry].called.is_some() {
            entry = self.entries[entry].next;
        }
        self.entries[entry].operation
    }

    fn first_return<O>(&self, spans: &[Span<O>]) -> u64 {
        spans.get(self.first_to_return()).and_then(|span| span.end).unwrap_or(u64::MAX)
    }

    fn lift(&mut self, operation: usize) {
        let (call, back) = self.places[operation];
        for place in [call, back] {
            let Entry { previous, next, .. } = self.entries[place];
            self.entries[previous].next = next;
            self.entries[next].previous = previous;
        }
    }

    /// In the reverse order of `lift`, or neighbours would be forgotten.
    fn put_back(&mut self, operation: usize) {
        let (call, back) = self.places[operation];
        for place in [back, call] {
            let Entry { previous, next, .. } = self.entries[place];
            self.entries[previous].next = place;
            self.entries[next].previous = place;
        }
    }
}

/// Two rounds of splitmix64 with different beginnings.
fn mixed(position: usize) -> u128 {
    let round = |seed: u64| {
        let mut bits = (position as u64 ^ seed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(bits ^ (bits >> 31))
    };
    round(0x6a09_e667_f3bc_c908) << 64 | round(0xbb67_ae85_84ca_a73b)
}
