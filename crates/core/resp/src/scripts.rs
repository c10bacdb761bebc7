//! Scripts as parts of a transaction.
//!
//! A script is one part, as a command is: what its commands do is committed with the rest. A command that fails takes
//! nothing back; a script that has to end ([`End`]) takes the whole transaction with it.

use std::sync::Arc;

use adsum_keyspace::Now;
use adsum_script::{End, Failure, Input, Interpreter, Overseer, Patience, Writing};

use crate::refusal::Refusal;
use crate::server::Errors;
use crate::{Server, Session, Writer};

mod answer;
mod host;
mod reply;

use answer::Answer;
use host::Host;

/// The interpreter, made for the first script that there is.
pub(crate) struct Scripts {
    interpreter: Option<Box<Interpreter>>,
    pub(crate) overseer: Arc<Overseer>,
    /// Of the thread that runs the request.
    pub(crate) patience: Patience,
    /// For the replies to commands of scripts; nothing in it is for the next one.
    buffer: Vec<u8>,
}

/// A script about to be run.
pub(crate) struct Script<'a> {
    /// Its SHA-1 in lower case.
    pub(crate) sha: [u8; 40],
    pub(crate) keys: &'a [&'a [u8]],
    pub(crate) arguments: &'a [&'a [u8]],
    /// Whether it must not write, as EVAL_RO wants it.
    pub(crate) read_only: bool,
}

impl Scripts {
    pub(crate) fn new() -> Scripts {
        Scripts { interpreter: None, overseer: Arc::default(), patience: Patience::Long, buffer: Vec::new() }
    }

    pub(crate) fn oversee(&mut self, overseer: Arc<Overseer>) {
        self.interpreter = None;
        self.overseer = overseer;
    }

    /// What there is, if there is anything.
    pub(crate) fn known(&self) -> Option<&Interpreter> {
        self.interpreter.as_deref()
    }

    /// What a script has said of its writing; nothing where there is no such script.
    pub(crate) fn writing(&mut self, sha: &[u8; 40]) -> Writing {
        self.interpreter.as_mut().map_or(Writing::Unsaid, |interpreter| interpreter.writing(sha))
    }

    pub(crate) fn flush(&mut self) {
        if let Some(interpreter) = &mut self.interpreter {
            interpreter.flush();
        }
    }

    pub(crate) fn load(&mut self, body: &[u8]) -> Result<[u8; 40], Refusal> {
        self.interpreter()?.load(body).map_err(Refusal::Told)
    }

    fn interpreter(&mut self) -> Result<&mut Interpreter, Refusal> {
        let made = match self.interpreter.take() {
            Some(interpreter) => interpreter,
            None => {
                let made = Interpreter::new(self.overseer.clone());
                Box::new(
                    made.map_err(|error| Refusal::Told(format!("ERR no interpreter to be had: {error}")))?,
                )
            }
        };
        Ok(self.interpreter.insert(made))
    }
}

impl Server {
    /// Whoever waits for the server learns from the overseer that a script runs, and can have it end.
    pub fn oversee_scripts(&mut self, overseer: Arc<Overseer>) {
        self.scripts.oversee(overseer);
    }

    /// Runs a script as a part of the transaction. When it has to end nothing is left of the transaction.
    pub(crate) fn run_script(
        &mut self,
        session: &mut Session,
        script: &Script<'_>,
        now: Now,
        out: &mut Writer<'_>,
    ) -> Result<(), Refusal> {
        // It is with the script while that runs: a script cannot run scripts.
        let mut interpreter = self.scripts.interpreter.take().ok_or(Refusal::NoScript)?;
        let writing = interpreter.writing(&script.sha);
        if script.read_only && writing == Writing::May {
            self.scripts.interpreter = Some(interpreter);
            return Err(Refusal::Says("Can not execute a script with write flag using *_ro command."));
        }
        let read_only = script.read_only || writing == Writing::Never;
        let input = Input {
            keys: script.keys,
            arguments: script.arguments,
            patience: self.scripts.patience,
            seed: self.lot.next(),
        };
        let database = session.database;
        self.scripts.overseer.begin();
        let mut host = Host::new(self, session, now, read_only);
        let mut errors = Errors::default();
        let result = interpreter.run(&script.sha, &input, &mut host, |value, resp3| {
            Answer { out, resp3, errors: &mut errors }.write(&value)
        });
        host.end();
        self.stats.errors.add(&errors);
        session.select(database);
        self.scripts.interpreter = Some(interpreter);
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(text)) | Err(Failure::Raised(text)) => {
                self.stats.errors.count(&text);
                out.error(&text);
                Ok(())
            }
            Err(Failure::Answered(text)) => {
                out.error(&text);
                Ok(())
            }
            Err(Failure::Unknown) => Err(Refusal::NoScript),
            Err(Failure::Ended(end)) => {
                self.take_back();
                Err(Refusal::Ended(end))
            }
        }
    }
}

/// Whether a request has to be run again by a thread that has the time.
pub(crate) fn holds_up(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Ended(End::HoldsUp))
}
