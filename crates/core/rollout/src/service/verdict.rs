//! Whether a version fails its callers, by what the gateways have counted.

/// Fewer requests than this say nothing.
const ENOUGH: u64 = 20;
/// Of a version that has been doubted for long and is asked for seldom: balancers avoid who fails.
const FEW: u64 = 3;
/// In percent: a version that fails fewer of its requests is not to blame.
const TOLERATED: u64 = 5;
/// How many times as often as the old version it may fail, in the same time.
const WORSE: u64 = 2;

/// The requests that instances of a version got since the rollout began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub requests: u64,
    /// Technical failures: 5xx, no answer, too late.
    pub failed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Of the version that is being rolled out.
    pub new: Tally,
    /// Of all others.
    pub old: Tally,
    /// Of the version before, up to when the rollout began: where nothing of it serves beside the new one.
    pub before: Tally,
}

impl Counted {
    /// Why the new version fails as a whole, if it does. One that was `doubted` for long is judged by few requests.
    pub fn verdict(&self, version: u32, doubted: bool) -> Option<String> {
        let (new, old) = (self.new, self.reference());
        let enough = if doubted { FEW } else { ENOUGH };
        (self.is_bad() && new.requests >= enough)
            .then(|| format!("version {version} has failed {new} of its requests, the one before it {old}"))
    }

    /// What the new version is compared with: the old one in the same time or, where that has had too little, before.
    fn reference(&self) -> Tally {
        if self.old.requests < ENOUGH && self.before.requests >= ENOUGH { self.before } else { self.old }
    }

    /// Whether what was counted speaks against the new version, however little that is.
    pub fn is_bad(&self) -> bool {
        let (new, old) = (self.new, self.reference());
        let fails_much = new.failed * 100 > new.requests * TOLERATED;
        // failed / requests > 2 * failed / requests, without dividing.
        let product = |one: u64, other: u64| u128::from(one) * u128::from(other);
        let is_worse = old.requests == 0
            || product(new.failed, old.requests) > u128::from(WORSE) * product(old.failed, new.requests);
        fails_much && is_worse
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.failed, self.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(new: (u64, u64), old: (u64, u64), fails: bool) {
        let tally = |(failed, requests)| Tally { requests, failed };
        let counted = Counted { new: tally(new), old: tally(old), ..Counted::default() };
        assert_eq!(counted.verdict(2, false).is_some(), fails, "{counted:?}");
    }

    #[test]
    fn a_version_fails_when_enough_of_its_requests_do_and_twice_as_many_as_the_old_ones() {
        check((19, 19), (0, 1000), false);
        check((20, 20), (0, 1000), true);
        check((1, 20), (0, 1000), false);
        check((2, 20), (0, 1000), true);
        check((5, 100), (0, 0), false);
        check((6, 100), (0, 0), true);
        check((10, 100), (5, 100), false);
        check((11, 100), (5, 100), true);
        check((100, 100), (60, 100), false);
        check((u64::MAX / 200, u64::MAX / 200), (0, 5), true);
    }

    #[test]
    fn few_requests_are_a_doubt_first_and_a_verdict_when_it_has_lasted() {
        let counted = |failed, requests| Counted {
            new: Tally { requests, failed },
            old: Tally { requests: 1000, failed: 0 },
            ..Counted::default()
        };
        assert!(counted(1, 1).is_bad() && counted(1, 1).verdict(2, true).is_none());
        assert!(counted(3, 3).verdict(2, false).is_none() && counted(3, 3).verdict(2, true).is_some());
        assert!(!counted(0, 3).is_bad() && counted(0, 3).verdict(2, true).is_none());
    }

    #[test]
    fn where_nothing_of_the_old_version_serves_its_time_before_is_compared_with() {
        let counted = |failed| Counted {
            new: Tally { requests: 50, failed },
            old: Tally::default(),
            before: Tally { requests: 100, failed: 20 },
        };
        assert!(!counted(20).is_bad());
        assert!(counted(21).is_bad());
    }

    #[test]
    fn the_verdict_says_what_was_counted() {
        let counted = Counted {
            new: Tally { requests: 40, failed: 12 },
            old: Tally { requests: 200, failed: 0 },
            ..Counted::default()
        };
        let verdict = counted.verdict(2, false).unwrap();
        assert_eq!(verdict, "version 2 has failed 12 of 40 of its requests, the one before it 0 of 200");
    }
}
