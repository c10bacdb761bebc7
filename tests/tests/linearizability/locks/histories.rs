//! Eight clients on two locks, some of whom forget to release, renew too late or under old fences, while the agent is
//! killed and stopped: every answer fits into one order of grants, renewals, releases and expiries.

use std::collections::HashMap;
use std::time::Duration;

use adsum_history::sample::Chance;
use adsum_history::{Action, Answer, Failure, History, Operation, Outcome, Returned, lock};
use adsum_tests::lock::{Fenced, Wait};
use adsum_tests::resp::Connection;
use adsum_tests::{Agent, rounds};

use crate::client::SHORT;
use crate::fault::{self, Clients, Fault};
use crate::recorder::Recorder;
use crate::stage::{SOON, Stage};

const CLIENTS: Clients = Clients { all: 8, impatient: 2 };
const OPERATIONS: u64 = 250;
const STEPS: u64 = 20_000_000;
/// A client id that no recorder gives out.
const PLANTED: u64 = u64::MAX;

struct Locker<'a> {
    stage: &'a Stage,
    recorder: &'a Recorder,
    keys: &'a [String],
    connection: Connection,
    patience: Duration,
    id: u64,
    chance: Chance,
    /// By key, the last fence that it was granted, until it forgets it.
    fences: HashMap<String, u64>,
}

impl<'a> Locker<'a> {
    fn new(stage: &'a Stage, recorder: &'a Recorder, keys: &'a [String], patience: Duration) -> Self {
        let (id, connection) = (recorder.client(), stage.connect(patience));
        let chance = Chance(id);
        Locker { stage, recorder, keys, connection, patience, id, chance, fences: HashMap::new() }
    }

    fn work(mut self) {
        while !self.stage.is_over() {
            if self.once() {
                self.stage.count();
            } else {
                self.stage.wait();
                self.connection = self.stage.connect(self.patience);
            }
        }
    }

    /// Whether there was an answer.
    fn once(&mut self) -> bool {
        let count = u64::try_from(self.keys.len()).unwrap();
        let key = &self.keys[usize::try_from(self.chance.below(count)).unwrap()];
        let (action, wait) = self.choose(key);
        self.recorder.call(self.id, key, &action);
        if let Ok(answer) = carry_out(&mut self.connection, key, &action, wait, self.id) {
            if let (Action::Acquire { .. }, Answer::Fence(Some(fence))) = (&action, &answer) {
                self.fences.insert(key.clone(), *fence);
            }
            self.recorder.back(self.id, Outcome::Ok { answer, revision: None });
            true
        } else {
            self.recorder.back(self.id, Outcome::Unknown);
            self.id = self.recorder.client();
            false
        }
    }

    /// A fence stays known after a release: what is done under it then has to be refused.
    fn choose(&mut self, key: &str) -> (Action, Wait) {
        let ttl = Duration::from_millis(20 + self.chance.below(100));
        let action = match (self.chance.below(20), self.fences.get(key).copied()) {
            (0..6, Some(fence)) => Action::Release { fence },
            (6..11, Some(fence)) => Action::Renew { fence, ttl },
            (11, Some(_)) => {
                self.fences.remove(key);
                Action::Inspect
            }
            (12..15, _) => Action::Inspect,
            _ => Action::Acquire { ttl },
        };
        let wait = match self.chance.below(2) {
            0 => Wait::Not,
            _ => Wait::AtMost(Duration::from_millis(1 + self.chance.below(60))),
        };
        (action, wait)
    }
}

fn carry_out(
    connection: &mut Connection,
    key: &str,
    action: &Action,
    wait: Wait,
    id: u64,
) -> std::io::Result<Answer> {
    let under = |fenced| match fenced {
        Fenced::Done => Answer::Done(true),
        Fenced::By(current) => Answer::Fenced(current),
    };
    match action {
        Action::Acquire { ttl } => connection.lock(key, &id.to_string(), *ttl, wait).map(Answer::Fence),
        Action::Renew { fence, ttl } => connection.renew(key, *fence, *ttl).map(under),
        Action::Release { fence } => connection.unlock(key, *fence).map(under),
        Action::Inspect => connection.fence(key).map(Answer::Fence),
        Action::Read | Action::Write { .. } | Action::Delete | Action::Compare { .. } => {
            unreachable!("this client has locks only")
        }
    }
}

fn lockers<'a>(
    stage: &'a Stage,
    recorder: &'a Recorder,
    keys: &'a [String],
) -> Vec<Box<dyn FnOnce() + Send + 'a>> {
    let locker = |number: usize| {
        let patience = if number < CLIENTS.impatient { SHORT } else { SOON };
        let locker = Locker::new(stage, recorder, keys, patience);
        Box::new(move || locker.work()) as Box<dyn FnOnce() + Send>
    };
    (0..CLIENTS.all).map(locker).collect()
}

/// What the documentation says of a run.
#[derive(Debug, Default)]
struct Total {
    epochs: u32,
    operations: usize,
    grants: usize,
    refused: usize,
    unknown: usize,
    steps: u64,
}

impl Total {
    fn add(&mut self, history: &History, recorder: &Recorder) {
        let searched = recorder.passes("locks", lock::check(history, STEPS));
        let count = |of: &dyn Fn(&Answer) -> bool| {
            history.operations.iter().filter(|operation| operation.answer().is_some_and(of)).count()
        };
        self.epochs += 1;
        self.operations += searched.operations;
        self.grants += history.operations.iter().filter(|operation| granted(operation).is_some()).count();
        self.refused += count(&|answer| matches!(answer, Answer::Fenced(_)));
        self.unknown += history.operations.iter().filter(|operation| operation.returned.is_none()).count();
        self.steps += searched.steps;
    }
}

fn granted(operation: &Operation) -> Option<u64> {
    match (&operation.action, operation.answer()) {
        (Action::Acquire { .. }, Some(Answer::Fence(fence))) => *fence,
        _ => None,
    }
}

#[test]
fn what_holders_see_over_kills_and_pauses_fits_into_one_order_of_grants() {
    let mut agent = Agent::start();
    let mut total = Total::default();
    for round in 0..rounds(6, 300) {
        let (stage, recorder, fault) = (Stage::new(&agent), Recorder::new(), Fault::of_round(round));
        let keys: Vec<String> = (0..2).map(|number| format!("epoch/{round}/{number}")).collect();
        let struck = stage.run(lockers(&stage, &recorder, &keys), || {
            stage.work(OPERATIONS);
            let struck = fault.strike(&mut agent, &stage, CLIENTS, |text| recorder.fault(text));
            stage.work(OPERATIONS);
            struck
        });
        let history = recorder.history();
        fault.bit(&history, struck);
        total.add(&history, &recorder);
        planted(&history, &keys[0]);
    }
    println!("{total:?}");
    assert!(total.grants > 0 && total.refused > 0 && total.unknown > 0, "{total:?}");
}

/// The control: in this very history, one more grant under a fence that was given out before is found.
fn planted(history: &History, key: &str) {
    let of_key = || history.operations.iter().filter(|operation| operation.key == key);
    let fence = of_key().find_map(granted).expect("the lock was granted");
    let last = history.operations.iter().filter_map(|operation| Some(operation.returned.as_ref()?.at)).max();
    let call = last.unwrap() + 1_000_000_000;
    let returned = Some(Returned { at: call + 1, answer: Answer::Fence(Some(fence)), revision: None });
    let action = Action::Acquire { ttl: Duration::from_secs(1) };
    let mut history = history.clone();
    let key = key.to_string();
    history.operations.push(Operation { client: PLANTED, key, action, call, returned });
    let message = lock::check(&history, STEPS).unwrap_err().to_string();
    assert!(message.contains(&format!("client {PLANTED}: acquire")), "{message}");
}

/// The control on the agent itself: one whose data is set back gives fences out that it has given out before.
#[test]
fn an_agent_that_forgets_its_grants_is_found() {
    let mut agent = Agent::start();
    let (stage, recorder) = (Stage::new(&agent), Recorder::new());
    let keys = ["forgotten".to_string()];
    stage.run(lockers(&stage, &recorder, &keys), || {
        stage.work(OPERATIONS);
        let saved = fault::save(&agent);
        stage.work(OPERATIONS);
        fault::set_back(&mut agent, &stage, CLIENTS.all, &saved, |text| recorder.fault(text));
        stage.work(OPERATIONS);
    });
    let found = lock::check(&recorder.history(), STEPS).unwrap_err();
    assert!(matches!(found, Failure::Violated(_)), "{found}");
}
