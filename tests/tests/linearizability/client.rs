//! A client of one of the two faces that reads and writes a few keys at random and has everything recorded.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use adsum_history::sample::Chance;
use adsum_history::{Action, Answer, Outcome};
use adsum_tests::http;
use adsum_tests::resp::{Connection, Reply};

use crate::recorder::Recorder;
use crate::stage::Stage;

/// How long the impatient wait for an answer.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) struct Client<'a> {
    stage: &'a Stage,
    recorder: &'a Recorder,
    keys: &'a [String],
    face: Face,
    id: u64,
    chance: Chance,
    written: u64,
    /// What it was last told of a key, for compare and write.
    seen: HashMap<String, Seen>,
}

#[derive(Clone)]
struct Seen {
    value: Option<String>,
    /// None over RESP.
    revision: Option<u64>,
}

pub(crate) enum Face {
    Resp { connection: Connection, patience: Duration },
    Http(SocketAddr),
}

/// What was answered, and the revision if that was said.
type Told = (Answer, Option<u64>);

impl<'a> Client<'a> {
    pub(crate) fn new(stage: &'a Stage, recorder: &'a Recorder, keys: &'a [String], face: Face) -> Self {
        let id = recorder.client();
        Client { stage, recorder, keys, face, id, chance: Chance(id), written: 0, seen: HashMap::new() }
    }

    /// Until it is over.
    pub(crate) fn work(mut self) {
        while !self.stage.is_over() {
            let count = u64::try_from(self.keys.len()).unwrap();
            let key = &self.keys[usize::try_from(self.chance.below(count)).unwrap()];
            let action = self.choose(key);
            if self.ask(key, &action) {
                self.stage.count();
            } else {
                self.stage.wait();
                self.face.reopen(self.stage);
            }
        }
    }

    /// Reads every key, when the others have ended.
    pub(crate) fn read_all(mut self) {
        for key in self.keys {
            assert!(self.ask(key, &Action::Read), "the agent is well");
        }
    }

    fn choose(&mut self, key: &str) -> Action {
        let chance = self.chance.below(20);
        let seen = self.seen.get(key).cloned();
        let comparable = seen.filter(|seen| self.face.has_revisions() == seen.revision.is_some());
        match chance {
            0 if !self.face.has_revisions() => Action::Delete,
            0..7 => Action::Write { value: self.fresh() },
            7..14 => match comparable {
                Some(Seen { value: expect, .. }) => Action::Compare { expect, value: self.fresh() },
                None => Action::Read,
            },
            _ => Action::Read,
        }
    }

    fn fresh(&mut self) -> String {
        self.written += 1;
        format!("{}-{}", self.id, self.written)
    }

    /// Whether there was an answer.
    fn ask(&mut self, key: &str, action: &Action) -> bool {
        self.recorder.call(self.id, key, action);
        let cas = self.seen.get(key).and_then(|seen| seen.revision);
        match self.face.carry_out(key, action, cas) {
            Ok((answer, revision)) => {
                self.remember(key, action, &answer, revision);
                self.recorder.back(self.id, Outcome::Ok { answer, revision });
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.recorder.back(self.id, Outcome::Failed);
                false
            }
            Err(_) => {
                self.recorder.back(self.id, Outcome::Unknown);
                // Values carry the id, and those of the old one may yet appear.
                (self.id, self.written) = (self.recorder.client(), 0);
                false
            }
        }
    }

    fn remember(&mut self, key: &str, action: &Action, answer: &Answer, revision: Option<u64>) {
        let seen = match (action, answer) {
            (Action::Read, Answer::Value(value)) => {
                // Consul's word for a key that is not there.
                let revision = revision.map(|revision| if value.is_some() { revision } else { 0 });
                Some(Seen { value: value.clone(), revision })
            }
            (_, Answer::Done(true)) if !self.face.has_revisions() => {
                Some(Seen { value: action.written().map(str::to_string), revision: None })
            }
            _ => None,
        };
        if let Some(seen) = seen {
            self.seen.insert(key.to_string(), seen);
        }
    }
}

impl Face {
    pub(crate) fn resp(stage: &Stage, patience: Duration) -> Face {
        Face::Resp { connection: stage.connect(patience), patience }
    }

    fn has_revisions(&self) -> bool {
        matches!(self, Face::Http(_))
    }

    fn reopen(&mut self, stage: &Stage) {
        if let Face::Resp { connection, patience } = self {
            *connection = stage.connect(*patience);
        }
    }

    fn carry_out(&mut self, key: &str, action: &Action, cas: Option<u64>) -> Result<Told> {
        match self {
            Face::Resp { connection, .. } => over_resp(connection, key, action).map(|answer| (answer, None)),
            Face::Http(address) => over_http(*address, key, action, cas),
        }
    }
}

fn over_resp(connection: &mut Connection, key: &str, action: &Action) -> Result<Answer> {
    let ok = Reply::Text("OK".to_string());
    let answer = match action {
        Action::Read => match connection.ask(&["GET", key])? {
            Reply::Text(value) => Answer::Value(Some(value)),
            Reply::Nil => Answer::Value(None),
            other => panic!("GET: {other:?}"),
        },
        Action::Write { value } => {
            assert_eq!(connection.ask(&["SET", key, value])?, ok);
            Answer::Done(true)
        }
        Action::Delete => match connection.ask(&["DEL", key])? {
            Reply::Text(count) => Answer::Done(count == "1"),
            other => panic!("DEL: {other:?}"),
        },
        Action::Compare { expect, value } => {
            let reply = match expect {
                Some(expect) => connection.ask(&["SET", key, value, "IFEQ", expect])?,
                None => connection.ask(&["SET", key, value, "NX"])?,
            };
            assert!(reply == ok || reply == Reply::Nil, "{reply:?}");
            Answer::Done(reply == ok)
        }
        Action::Acquire { .. } | Action::Renew { .. } | Action::Release { .. } | Action::Inspect => {
            unreachable!("this client takes no locks")
        }
    };
    Ok(answer)
}

/// `cas` is the revision at which this client has seen what it expects; values are written once, so that an
/// unchanged revision and an unchanged value are the same.
fn over_http(address: SocketAddr, key: &str, action: &Action, cas: Option<u64>) -> Result<Told> {
    let path = format!("/v1/kv/{key}");
    match action {
        Action::Read => {
            let response = whole(http::get(address, &format!("{path}?raw"))?)?;
            let revision = response.header("x-consul-index").unwrap().parse().unwrap();
            let value = match response.status {
                200 => Some(response.body),
                404 => None,
                other => panic!("GET {path}: {other} {}", response.body),
            };
            Ok((Answer::Value(value), Some(revision)))
        }
        Action::Write { value } => put(address, &path, value),
        Action::Compare { value, .. } => put(address, &format!("{path}?cas={}", cas.unwrap()), value),
        other => unreachable!("{other:?} is not asked for over HTTP"),
    }
}

fn put(address: SocketAddr, path: &str, value: &str) -> Result<Told> {
    let response = whole(http::request(address, "PUT", path, &[], value)?)?;
    assert_eq!(response.status, 200, "{}", response.body);
    match response.body.trim() {
        "true" => Ok((Answer::Done(true), None)),
        "false" => Ok((Answer::Done(false), None)),
        other => panic!("PUT {path}: {other}"),
    }
}

/// An answer that broke off in its body is none.
fn whole(response: http::Response) -> Result<http::Response> {
    let length = response.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let whole = length == Some(response.body.len());
    whole.then_some(response).ok_or_else(|| Error::other("the answer broke off"))
}
