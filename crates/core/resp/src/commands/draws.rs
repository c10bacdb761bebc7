//! Which of the elements of an aggregate are drawn by lot.

use std::collections::BTreeSet;

use crate::lot::Lot;
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

/// Elements that one command draws at most, with repetition.
const MOST: u64 = 1_000_000;

/// How many are asked for.
#[derive(Clone, Copy)]
pub(super) enum Drawing {
    /// So many different ones, or all.
    Different(usize),
    /// So many, each of them any.
    Any(usize),
}

impl Drawing {
    /// A negative count is of elements that may come again.
    pub(super) fn parse(count: &[u8]) -> Result<Drawing, Refusal> {
        let count = integer(count)?;
        if count == i64::MIN {
            return Err(Refusal::Says(
                "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ));
        }
        match usize::try_from(count) {
            Ok(count) => Ok(Drawing::Different(count)),
            Err(_) if count.unsigned_abs() > MOST => Err(Refusal::Says("value is out of range")),
            Err(_) => Ok(Drawing::Any(count.unsigned_abs() as usize)),
        }
    }

    /// The same for elements each of which comes with another, which are twice as many.
    pub(super) fn check_pairs(self) -> Answer {
        match self {
            Drawing::Different(count) if count > (i64::MAX / 2) as usize => {
                Err(Refusal::Says("value is out of range"))
            }
            Drawing::Different(_) | Drawing::Any(_) => Ok(()),
        }
    }

    /// How many there will be of `length` elements.
    pub(super) fn count(self, length: usize) -> usize {
        match self {
            Drawing::Different(count) => count.min(length),
            Drawing::Any(count) => {
                if length == 0 {
                    0
                } else {
                    count
                }
            }
        }
    }

    /// The ranks of what is drawn.
    pub(super) fn ranks(self, length: usize, lot: &mut Lot) -> Vec<usize> {
        match self {
            Drawing::Different(count) if count >= length => (0..length).collect(),
            Drawing::Different(count) => different(count, length, lot),
            Drawing::Any(_) => (0..self.count(length)).map(|_| lot.below(length)).collect(),
        }
    }
}

/// Floyd's way: as many steps as there are ranks, and each set of them as likely as any other.
fn different(count: usize, length: usize, lot: &mut Lot) -> Vec<usize> {
    let mut drawn = BTreeSet::new();
    for last in length - count..length {
        let rank = lot.below(last + 1);
        if !drawn.insert(rank) {
            drawn.insert(last);
        }
    }
    drawn.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_ranks_are_different_and_every_rank_has_its_turn() {
        let mut lot = Lot::new(7);
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let ranks = Drawing::Different(3).ranks(10, &mut lot);
            assert_eq!(ranks.iter().collect::<BTreeSet<_>>().len(), 3);
            seen.extend(ranks);
        }
        assert!(seen.into_iter().eq(0..10));
        assert_eq!(Drawing::Different(30).ranks(10, &mut lot).len(), 10);
        assert_eq!(Drawing::Any(30).ranks(10, &mut lot).len(), 30);
        assert!(Drawing::Any(30).ranks(0, &mut lot).is_empty());
    }
}
