//! A sorted set: members with scores, in order of score and, among equal scores, of name.
//!
//! Two trees hold the same elements: one finds the score of a member, the other the member of a rank.
//!
//! ```text
//! scores   a: 3   b: 1   c: 3
//! order    (1, b)   (3, a)   (3, c)
//! ```

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::members::{Members, Payload};
use crate::{Blob, Tree};

/// A number that is none of those that cannot be compared. Both zeros are the same score.
#[derive(Clone, Copy, Debug)]
pub struct Score(f64);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SortedSet {
    scores: Members<Score>,
    order: Tree<(Score, Blob), ()>,
}

impl Score {
    /// None of what is no number.
    pub fn new(number: f64) -> Option<Score> {
        (!number.is_nan()).then_some(Score(number))
    }

    pub fn get(self) -> f64 {
        self.0
    }

    /// A number that compares as the score does, without a case to be told apart: the bits of what is positive ascend with
    /// it, those of what is negative descend. The sum makes one zero of both.
    #[inline]
    fn place(self) -> i64 {
        let bits = (self.0 + 0.0).to_bits().cast_signed();
        bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
    }
}

impl PartialEq for Score {
    #[inline]
    fn eq(&self, other: &Score) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    #[inline]
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    #[inline]
    fn cmp(&self, other: &Score) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl Hash for Score {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl Payload for Score {
    /// It stands in both trees, and so does its member.
    fn weight(&self) -> usize {
        size_of::<(Score, Blob)>()
    }
}

impl SortedSet {
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Bytes that it takes in a commit and in memory, roughly.
    pub fn weight(&self) -> usize {
        self.scores.weight()
    }

    pub fn score(&self, member: &[u8]) -> Option<Score> {
        self.scores.get(member).copied()
    }

    /// Scores by member, in the order of their names.
    pub fn scores(&self) -> &Members<Score> {
        &self.scores
    }

    /// The rank of a member, from 0.
    pub fn rank(&self, member: &Blob) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.order.rank(&(score, member.clone())))
    }

    /// The element with this rank.
    pub fn nth(&self, rank: usize) -> Option<(&Blob, Score)> {
        self.order.nth(rank).map(|((score, member), ())| (member, *score))
    }

    /// All elements in order from `rank` on.
    pub fn iter_from_rank(&self, rank: usize) -> impl Iterator<Item = (&Blob, Score)> {
        self.order.iter_from_rank(rank).map(|((score, member), ())| (member, *score))
    }

    /// All elements in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Blob, Score)> {
        self.iter_from_rank(0)
    }

    /// Has fetched what looking for each of these members will read.
    pub(crate) fn fetch(&self, members: &[&[u8]]) {
        self.scores.fetch(members);
    }

    /// How many of the first elements are `before` a bound. Whoever is has nobody in front of it who is not.
    pub fn count_while(&self, before: impl Fn(&Blob, Score) -> bool) -> usize {
        self.order.count_while(|(score, member)| before(member, *score))
    }

    /// Gives `member` a score, or takes it out. Returns the score that it had.
    pub fn edit(&mut self, member: &Blob, score: Option<Score>) -> Option<Score> {
        let before = self.scores.edit(member, score);
        if let Some(before) = before {
            self.order.remove(&(before, member.clone()));
        }
        if let Some(score) = score {
            self.order.insert((score, member.clone()), ());
        }
        before
    }
}

impl FromIterator<(Blob, Score)> for SortedSet {
    fn from_iter<I: IntoIterator<Item = (Blob, Score)>>(elements: I) -> SortedSet {
        let mut set = SortedSet::default();
        for (member, score) in elements {
            set.edit(&member, Some(score));
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn score(number: f64) -> Score {
        Score::new(number).unwrap()
    }

    proptest! {
        #[test]
        fn a_sorted_set_is_a_map_of_scores_and_their_order(
            edits in prop::collection::vec((0..60u8, prop::option::of(-5..5i8)), 0..300),
        ) {
            let mut set = SortedSet::default();
            let mut model: HashMap<u8, i8> = HashMap::new();
            for (member, number) in edits {
                let before = set.edit(&Blob::from(&[member]), number.map(|number| score(number.into())));
                let expected = match number {
                    Some(number) => model.insert(member, number),
                    None => model.remove(&member),
                };
                prop_assert_eq!(before, expected.map(|number| score(number.into())));
            }
            let mut order: Vec<(i8, u8)> = model.into_iter().map(|(member, number)| (number, member)).collect();
            order.sort_unstable();
            let found = set.iter().map(|(member, score)| (score.get() as i8, member[0]));
            prop_assert_eq!(&found.collect::<Vec<_>>(), &order);
            for (rank, (number, member)) in order.iter().enumerate() {
                let member = Blob::from(&[*member]);
                prop_assert_eq!(set.rank(&member), Some(rank));
                prop_assert_eq!(set.nth(rank), Some((&member, score((*number).into()))));
            }
            for bound in -6..6i8 {
                let below = order.iter().filter(|(number, _)| *number < bound).count();
                prop_assert_eq!(set.count_while(|_, score| score.get() < f64::from(bound)), below);
            }
        }
    }

    #[test]
    fn scores_compare_as_their_numbers_do() {
        let positive = [
            0.0,
            f64::MIN_POSITIVE / 4.0,
            f64::MIN_POSITIVE,
            0.1,
            1.0,
            1.5,
            2.0,
            1e300,
            f64::MAX,
            f64::INFINITY,
        ];
        let all: Vec<f64> = positive.iter().flat_map(|number| [*number, -number]).collect();
        for one in &all {
            for other in &all {
                assert_eq!(
                    score(*one).cmp(&score(*other)),
                    one.partial_cmp(other).unwrap(),
                    "{one} and {other}"
                );
                assert_eq!(score(*one) == score(*other), one == other, "{one} and {other}");
            }
        }
    }

    #[test]
    fn both_zeros_are_one_score() {
        let set: SortedSet =
            [("b", 0.0), ("a", -0.0)].map(|(m, s)| (Blob::from(m), score(s))).into_iter().collect();
        assert_eq!(set.nth(0).unwrap().0, &Blob::from("a"));
        assert_eq!(set.rank(&"b".into()), Some(1));
        assert_eq!(Score::new(f64::NAN), None);
    }
}
