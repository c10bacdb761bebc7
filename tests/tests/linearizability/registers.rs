//! Eight clients on a few keys, over RESP and HTTP, while the agent is killed and stopped: everything that they are
//! told can have happened one by one, and agrees with the revisions.

use std::ops::ControlFlow;

use adsum_history::{Action, Answer, Failure, History, Operation, Returned, register, revision};
use adsum_tests::{Agent, http, rounds};

use crate::client::{Client, Face, SHORT};
use crate::fault::{self, Clients, Fault};
use crate::recorder::Recorder;
use crate::sse::{self, After};
use crate::stage::{SOON, Stage};

/// Of eight, two are impatient and three come over HTTP.
const CLIENTS: Clients = Clients { all: 8, impatient: 2 };
const HTTP: usize = 3;
const KEYS: usize = 4;
/// Operations before and after each fault.
const OPERATIONS: u64 = 250;
/// Client ids that no recorder gives out.
const WATCH: u64 = u64::MAX - 1;
const PLANTED: u64 = u64::MAX;
const STEPS: u64 = 5_000_000;

#[test]
fn what_clients_see_over_kills_and_pauses_could_have_happened_one_by_one() {
    let mut agent = Agent::start();
    let mut total = Total::default();
    for round in 0..rounds(6, 300) {
        let fault = Fault::of_round(round);
        epoch(&mut agent, round, fault, &mut total);
    }
    println!("{total:?}");
    assert!(total.dated * 2 > total.operations, "too few revisions are known: {total:?}");
    assert!(total.unknown > 0, "no operation was cut off: {total:?}");
}

/// The control on the agent itself: one whose data is set back by a moment while it is down has forgotten what it had
/// acknowledged, and both checks find it.
#[test]
fn an_agent_that_forgets_what_it_has_acknowledged_is_found() {
    let mut agent = Agent::start();
    let (stage, recorder) = (Stage::new(&agent), Recorder::new());
    // So many that not every one of them is written anew before anybody reads what was forgotten.
    let keys: Vec<String> = (0..24).map(|number| format!("forgotten/{number}")).collect();
    stage.run(clients(&stage, &recorder, &keys), || {
        stage.work(OPERATIONS);
        let saved = fault::save(&agent);
        stage.work(OPERATIONS);
        fault::set_back(&mut agent, &stage, CLIENTS.all, &saved, |text| recorder.fault(text));
        stage.work(OPERATIONS);
    });
    let history = recorder.history();
    let found = register::check(&history, STEPS).unwrap_err();
    assert!(matches!(found, Failure::Violated(_)), "{found}");
    let found = revision::check(&history).unwrap_err();
    assert!(matches!(found, Failure::Violated(_)), "{found}");
}

/// What the documentation says of a run.
#[derive(Debug, Default)]
struct Total {
    epochs: u32,
    operations: usize,
    unknown: usize,
    dated: usize,
    steps: u64,
    planted: u32,
}

fn epoch(agent: &mut Agent, round: u32, fault: Fault, total: &mut Total) {
    let (stage, recorder) = (Stage::new(agent), Recorder::new());
    let keys: Vec<String> = (0..KEYS).map(|number| format!("epoch/{round}/{number}")).collect();
    let from = revision_now(&stage);
    let clients = clients(&stage, &recorder, &keys);
    let struck = stage.run(clients, || {
        stage.work(OPERATIONS);
        let struck = fault.strike(agent, &stage, CLIENTS, |text| recorder.fault(text));
        stage.work(OPERATIONS);
        struck
    });
    Client::new(&stage, &recorder, &keys, Face::Http(stage.http)).read_all();
    let history = recorder.history();
    fault.bit(&history, struck);
    let told = told(&stage, round, from);
    total.add(&history, &told, &recorder);
    planted(&history, &told, &keys[0]);
}

/// Of the keyspace: that as of which a key is missing.
fn revision_now(stage: &Stage) -> u64 {
    let missing = http::get(stage.http, "/v1/kv/never-written").unwrap();
    missing.header("x-consul-index").unwrap().parse().unwrap()
}

/// What a watch tells of the epoch: each value and its revision, as reads that overlap with everything, so that time
/// says nothing of them. By them the revision of every write is known, also of those over RESP.
fn told(stage: &Stage, round: u32, from: u64) -> Vec<Operation> {
    let (prefix, end) = (format!("epoch/{round}/"), format!("epoch/{round}/end"));
    stage.connect(SOON).ask(&["SET", &end, "end"]).unwrap();
    let mut told = Vec::new();
    let mut ended = false;
    sse::follow(stage.http, &prefix, After::Revision(from), |_, data| {
        let (key, value) = (data["key"].as_str().unwrap().to_string(), data["value"].as_str());
        ended = key == end;
        if let Some(value) = value.filter(|_| !ended) {
            let answer = Answer::Value(Some(value.to_string()));
            let returned = Some(Returned { at: u64::MAX, answer, revision: data["revision"].as_u64() });
            told.push(Operation { client: WATCH, key, action: Action::Read, call: 0, returned });
        }
        if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert!(ended, "the watch told of everything");
    told
}

/// The history with what the watch told.
fn dated(history: &History, told: &[Operation]) -> History {
    let mut history = history.clone();
    history.operations.extend_from_slice(told);
    history
}

fn clients<'a>(
    stage: &'a Stage,
    recorder: &'a Recorder,
    keys: &'a [String],
) -> Vec<Box<dyn FnOnce() + Send + 'a>> {
    let client = |number: usize| {
        let face = match number {
            number if number < CLIENTS.impatient => Face::resp(stage, SHORT),
            number if number < CLIENTS.all - HTTP => Face::resp(stage, SOON),
            _ => Face::Http(stage.http),
        };
        let client = Client::new(stage, recorder, keys, face);
        Box::new(move || client.work()) as Box<dyn FnOnce() + Send>
    };
    (0..CLIENTS.all).map(client).collect()
}

impl Total {
    fn add(&mut self, history: &History, told: &[Operation], recorder: &Recorder) {
        let searched = recorder.passes("registers", register::check(history, STEPS));
        let checked = recorder.passes("registers", revision::check(&dated(history, told)));
        self.epochs += 1;
        self.operations += history.operations.len();
        self.dated += checked.with_revision - told.len();
        self.unknown += history.operations.iter().filter(|operation| operation.returned.is_none()).count();
        self.steps += searched.steps;
        self.planted += 2;
    }
}

/// The control: in this very history, a last read that returns what had been overwritten is found by both checks.
fn planted(history: &History, told: &[Operation], key: &str) {
    let last = history.operations.last().unwrap();
    let end = last.returned.as_ref().unwrap().at;
    let of_key = || history.operations.iter().filter(|operation| operation.key == key);
    let newest = of_key().next_back().unwrap().value();
    let old = of_key().find(|operation| operation.wrote() && operation.value() != newest);
    let value = old.expect("a value was overwritten").value().map(str::to_string);
    let returned = Some(Returned { at: end + 2, answer: Answer::Value(value), revision: None });
    let (key, action) = (key.to_string(), Action::Read);
    let mut history = history.clone();
    history.operations.push(Operation { client: PLANTED, key, action, call: end + 1, returned });
    let message = register::check(&history, STEPS).unwrap_err().to_string();
    assert!(message.contains(&format!("client {PLANTED}: read")), "{message}");
    let message = revision::check(&dated(&history, told)).unwrap_err().to_string();
    assert!(message.contains(&format!("client {PLANTED}: read")), "{message}");
}
