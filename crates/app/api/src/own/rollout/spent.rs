//! What the time of a rollout went to: each moment to the first of starting, draining and stopping that was under way,
//! and else to watching.
//!
//! ```text
//! web.1 v2   created --start-- passed
//! web.1 v1                            .--watch--. draining --drain-- stopping --stop-- ended
//! ```

use std::collections::BTreeMap;

use adsum_model::InstanceId;
use adsum_model::rollout::{Done, DoneStep, Rollout};
use serde::Serialize;

/// In milliseconds; together they are the whole.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Spent {
    /// From the record of an instance to its first success.
    start: u64,
    /// Instances that get nothing new finish what they have.
    drain: u64,
    /// From the signal to the end of a process.
    stop: u64,
    /// New instances are watched, and batches wait for each other.
    watch: u64,
    whole: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Starting,
    Draining,
    Stopping,
    /// In place, or gone.
    Nothing,
}

impl Spent {
    pub(crate) fn of(rollout: &Rollout, now: u64) -> Spent {
        let end = rollout.ended.unwrap_or(now).max(rollout.began);
        let mut spent = Spent { whole: end - rollout.began, ..Spent::default() };
        let mut doing: BTreeMap<&InstanceId, Doing> = BTreeMap::new();
        let mut at = rollout.began;
        for done in &rollout.log {
            // Wall clocks jump: nothing is spent backwards.
            let time = done.time.clamp(at, end);
            spent.add(&doing, time - at);
            at = time;
            doing.insert(&done.instance, after(done));
        }
        spent.add(&doing, end - at);
        spent
    }

    fn add(&mut self, doing: &BTreeMap<&InstanceId, Doing>, time: u64) {
        let somebody = |what: Doing| doing.values().any(|doing| *doing == what);
        let part = match () {
            () if somebody(Doing::Starting) => &mut self.start,
            () if somebody(Doing::Draining) => &mut self.drain,
            () if somebody(Doing::Stopping) => &mut self.stop,
            () => &mut self.watch,
        };
        *part += time;
    }
}

fn after(done: &Done) -> Doing {
    match done.step {
        DoneStep::Created => Doing::Starting,
        DoneStep::Draining => Doing::Draining,
        DoneStep::Stopping => Doing::Stopping,
        DoneStep::Passed | DoneStep::Ended | DoneStep::Failed => Doing::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use adsum_model::rollout::{Cause, Stage};

    use super::*;

    fn rollout(steps: &[(u64, u64, DoneStep)], ended: Option<u64>) -> Rollout {
        let log = steps.iter().map(|(time, seed, step)| Done {
            time: *time,
            slot: 1,
            instance: InstanceId::from_seed(*seed),
            step: *step,
        });
        Rollout {
            service: "web".parse().unwrap(),
            number: 2,
            cause: Cause::Updated,
            from: Some(1),
            to: 2,
            stage: if ended.is_some() { Stage::Complete } else { Stage::Rolling },
            reason: None,
            by_hand: false,
            failures: Vec::new(),
            answered: 0,
            log: log.collect(),
            began: 1_000,
            tick: 0,
            ended,
            since: 0,
            proven: None,
            receipt: None,
        }
    }

    #[track_caller]
    fn check(steps: &[(u64, u64, DoneStep)], ended: Option<u64>, expect: [u64; 5]) {
        let [start, drain, stop, watch, whole] = expect;
        let spent = Spent::of(&rollout(steps, ended), 9_000);
        assert_eq!(spent, Spent { start, drain, stop, watch, whole });
    }

    #[test]
    fn each_moment_goes_to_what_was_done_in_it() {
        use DoneStep::{Created, Draining, Ended, Passed, Stopping};
        check(&[], Some(1_500), [0, 0, 0, 500, 500]);
        let one = [
            (1_000, 2, Created),
            (1_400, 2, Passed),
            (6_400, 1, Draining),
            (6_600, 1, Stopping),
            (6_700, 1, Ended),
        ];
        check(&one, Some(6_700), [400, 200, 100, 5_000, 5_700]);
        check(&one, None, [400, 200, 100, 7_300, 8_000]);
        // Two at a time: the first that passes is watched only once the other passes, too.
        let two = [(1_000, 2, Created), (1_000, 3, Created), (1_400, 2, Passed), (2_000, 3, Passed)];
        check(&two, Some(3_000), [1_000, 0, 0, 1_000, 2_000]);
    }

    #[test]
    fn a_clock_that_jumps_back_spends_nothing_backwards() {
        let steps = [(5_000, 2, DoneStep::Created), (500, 2, DoneStep::Passed)];
        check(&steps, Some(6_000), [0, 0, 0, 5_000, 5_000]);
    }
}
