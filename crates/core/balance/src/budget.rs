//! How many requests may be sent again, so that retries never become the load that they answer.
//!
//! ```text
//! second   0   1   2   3   4   5   6   7   8   9    ring of ten buckets, each: requests, retries beyond the floor
//!         [90][95][ ...                        ]    and within the present second, what of the floor is used
//! ```
//!
//! A retry is paid for by the floor of its second as long as that lasts, then by the share of the requests of the last
//! ten seconds. Over any time there are no more retries than that share of all requests plus the floor of every second
//! begun. What was never sent to an instance costs nothing here.

use std::time::Instant;

use adsum_model::Policy;

const BUCKETS: usize = 10;

/// The budget of one service in one worker.
#[derive(Clone, Debug)]
pub struct Budget {
    start: Instant,
    workers: u32,
    percent: u64,
    floor: u64,
    /// The second, since `start`, that the last bucket stands for.
    second: u64,
    buckets: [Bucket; BUCKETS],
    of_floor: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    requests: u64,
    retries: u64,
}

impl Budget {
    /// The floor of the policy is shared by the workers, each has at least one.
    pub fn new(policy: &Policy, workers: u32, now: Instant) -> Budget {
        let mut budget = Budget {
            start: now,
            workers: workers.max(1),
            percent: 0,
            floor: 0,
            second: 0,
            buckets: [Bucket::default(); BUCKETS],
            of_floor: 0,
        };
        budget.update(policy);
        budget
    }

    /// From now on this policy.
    pub fn update(&mut self, policy: &Policy) {
        self.percent = u64::from(policy.retry_budget);
        self.floor = u64::from(per_worker(policy.retry_floor, self.workers));
    }

    /// A request has come; [`crate::Exchange::new`] says so.
    pub(crate) fn request(&mut self, now: Instant) {
        self.move_to(now);
        self.bucket().requests += 1;
    }

    /// Pays for a retry, if there is still something to pay with.
    pub(crate) fn retry(&mut self, now: Instant) -> bool {
        self.move_to(now);
        if self.of_floor < self.floor {
            self.of_floor += 1;
            return true;
        }
        let (requests, retries) =
            self.buckets.iter().fold((0, 0), |sum, bucket| (sum.0 + bucket.requests, sum.1 + bucket.retries));
        let pays = (retries + 1) * 100 <= requests * self.percent;
        self.bucket().retries += u64::from(pays);
        pays
    }

    fn bucket(&mut self) -> &mut Bucket {
        &mut self.buckets[(self.second % BUCKETS as u64) as usize]
    }

    /// Forgets what is older than ten seconds. A clock that stands still or goes back changes nothing.
    fn move_to(&mut self, now: Instant) {
        let second = now.saturating_duration_since(self.start).as_secs();
        if second <= self.second {
            return;
        }
        for _ in 0..(second - self.second).min(BUCKETS as u64) {
            self.second += 1;
            *self.bucket() = Bucket::default();
        }
        self.second = second;
        self.of_floor = 0;
    }
}

/// The part of one worker of what is meant for all of them together (`max_requests`, `max_pending`, `retry_floor`):
/// nothing of nothing, else at least 1.
pub fn per_worker(whole: u32, workers: u32) -> u32 {
    if whole == 0 { 0 } else { (whole / workers.max(1)).max(1) }
}
