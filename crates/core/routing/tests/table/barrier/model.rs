//! Members that begin, end, die and are late with what they say, against what the barrier makes of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use adsum_model::{InstanceId, Revision};
use adsum_routing::{Barrier, InFlight, LEASE, MemberId, Question, Verdict};
use proptest::prelude::*;

use super::gateway;

const WORKERS: u32 = 4;
/// As of this revision the instance gets nothing new.
const DRAINED: u64 = 5;

#[derive(Clone, Debug)]
enum Step {
    /// Begins, or begins again after a crash; from this revision on its own disk.
    Start(u32, u64),
    End(u32),
    Kill(u32),
    Apply(u32),
    /// A request to the instance begins, if it is still picked.
    Begin(u32),
    Finish(u32),
    /// A report is made, and under way.
    Say(u32),
    /// One of the reports under way arrives.
    Hear(u32, usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let worker = 0..WORKERS;
    prop_oneof![
        2 => (worker.clone(), 0..DRAINED + 2).prop_map(|(worker, applied)| Step::Start(worker, applied)),
        1 => worker.clone().prop_map(Step::End),
        1 => worker.clone().prop_map(Step::Kill),
        6 => worker.clone().prop_map(Step::Apply),
        4 => worker.clone().prop_map(Step::Begin),
        6 => worker.clone().prop_map(Step::Finish),
        8 => worker.clone().prop_map(Step::Say),
        12 => (worker, any::<usize>()).prop_map(|(worker, which)| Step::Hear(worker, which)),
        5 => (1u64..4000).prop_map(Step::Pass),
    ]
}

/// A worker as it is, whatever the barrier has heard of it.
#[derive(Clone, Default)]
struct Worker {
    runs: bool,
    applied: u64,
    requests: u64,
    under_way: Vec<(u64, u64)>,
    /// When the barrier last heard of it.
    heard: Option<Instant>,
    /// The revision and the requests that the barrier knows of.
    known: (u64, u64),
}

struct World {
    start: Instant,
    now: Instant,
    barrier: Barrier,
    workers: Vec<Worker>,
    shown: BTreeMap<MemberId, Revision>,
}

impl World {
    fn new() -> World {
        let start = Instant::now();
        let workers = vec![Worker::default(); WORKERS as usize];
        World { start, now: start, barrier: Barrier::default(), workers, shown: BTreeMap::new() }
    }

    fn question(&self) -> Question {
        let deadline = self.start + Duration::from_secs(12);
        Question { instance: InstanceId::from_seed(1), revision: Revision(DRAINED), deadline }
    }

    fn take(&mut self, step: &Step) {
        let now = self.now;
        match *step {
            Step::Start(n, applied) => {
                self.workers[n as usize] =
                    Worker { runs: true, applied, heard: Some(now), ..Worker::default() };
                self.barrier.join(gateway(n), now);
                self.shown.remove(&gateway(n));
            }
            Step::End(n) => {
                self.workers[n as usize] = Worker::default();
                self.barrier.leave(&gateway(n));
                self.shown.remove(&gateway(n));
            }
            Step::Kill(n) => {
                self.workers[n as usize].runs = false;
                self.workers[n as usize].under_way.clear();
            }
            Step::Hear(n, which) => self.hear(n, which),
            Step::Pass(millis) => self.now += Duration::from_millis(millis),
            Step::Apply(n) | Step::Begin(n) | Step::Finish(n) | Step::Say(n) => {
                self.workers[n as usize].live(step);
            }
        }
    }

    fn hear(&mut self, n: u32, which: usize) {
        let worker = &mut self.workers[n as usize];
        if worker.under_way.is_empty() {
            return;
        }
        let (applied, requests) = worker.under_way.remove(which % worker.under_way.len());
        let late = self.shown.get(&gateway(n)).is_some_and(|shown| shown.0 > applied);
        let lapsed = worker.heard.is_none_or(|heard| self.now >= heard + LEASE);
        if !late || lapsed {
            (worker.heard, worker.known) = (Some(self.now), (applied, requests));
        }
        if lapsed {
            self.shown.remove(&gateway(n));
        }
        let in_flight = [(InstanceId::from_seed(1), InFlight { requests, upgrades: 0 })];
        self.barrier.report(&gateway(n), Revision(applied), in_flight, self.now);
    }

    /// Those that the barrier has to wait for.
    fn leased(&self) -> impl Iterator<Item = (u32, &Worker)> {
        let lease = |worker: &Worker| worker.heard.is_some_and(|heard| self.now < heard + LEASE);
        (0..WORKERS).zip(&self.workers).filter(move |(_, worker)| lease(worker))
    }

    fn check(&mut self) {
        let question = self.question();
        let overdue = self.now >= question.deadline;
        let waiting = match self.barrier.verdict(&question, self.now) {
            Verdict::Passed => Vec::new(),
            Verdict::Waiting(holdups) => holdups.into_iter().map(|holdup| holdup.member).collect(),
        };
        let blocks = |(applied, requests)| applied < DRAINED || (requests > 0 && !overdue);
        let blocking = self.leased().filter(|(_, worker)| blocks(worker.known));
        assert_eq!(waiting, blocking.map(|(n, _)| gateway(n)).collect::<Vec<_>>(), "of what it knows");
        for (n, worker) in self.leased().filter(|(_, worker)| waiting.is_empty() && worker.runs) {
            assert!(worker.applied >= DRAINED, "worker {n} still picks the instance");
            assert!(worker.requests == 0 || overdue, "worker {n} has requests on the instance");
        }
        for member in self.barrier.members(self.now).filter(|member| member.live) {
            let before = self.shown.insert(member.id.clone(), member.applied);
            assert!(before.is_none_or(|before| before <= member.applied), "{} went back", member.id);
        }
        self.check_wakeup(&question);
    }

    /// Until the time to wake up nothing becomes another by itself.
    fn check_wakeup(&self, question: &Question) {
        let far = self.now + Duration::from_secs(1000);
        let wakeup = self.barrier.next_wakeup(self.now).unwrap_or(far);
        let wakeup = if question.deadline > self.now { wakeup.min(question.deadline) } else { wakeup };
        let before = wakeup - Duration::from_nanos(1);
        assert_eq!(self.barrier.verdict(question, self.now), self.barrier.verdict(question, before));
    }

    /// Everybody who runs applies all, ends what it has and says so; whoever is dead is so for a lease.
    fn settle(&mut self) {
        self.now += LEASE;
        for n in 0..WORKERS {
            let worker = &mut self.workers[n as usize];
            (worker.applied, worker.requests, worker.heard) =
                (DRAINED + 9, 0, worker.runs.then_some(self.now));
            if worker.runs {
                self.barrier.report(&gateway(n), Revision(DRAINED + 9), [], self.now);
            }
        }
        assert_eq!(self.barrier.verdict(&self.question(), self.now), Verdict::Passed);
    }
}

impl Worker {
    fn live(&mut self, step: &Step) {
        match step {
            _ if !self.runs => {}
            Step::Apply(_) => self.applied += 1,
            Step::Begin(_) if self.applied < DRAINED => self.requests += 1,
            Step::Finish(_) => self.requests = self.requests.saturating_sub(1),
            Step::Say(_) => self.under_way.push((self.applied, self.requests)),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nobody_passes_too_early_and_nobody_waits_for_the_dead(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.check();
        }
        world.settle();
    }
}
