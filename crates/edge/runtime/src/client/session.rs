//! The task that owns the connection to the keeper.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::link::{self, Link};
use super::{Config, Error};
use crate::wire::{Answer, Hello, Request, Verb, Word};

/// Between two tries to start a keeper.
const PAUSE: Duration = Duration::from_millis(500);

/// How often one question is asked. It may be the very one on which keepers end.
const MOST_TRIES: u32 = 3;

#[derive(Debug)]
pub(super) struct Ask {
    pub(super) verb: Verb,
    /// How often it was sent to a keeper.
    pub(super) tries: u32,
    pub(super) answer: oneshot::Sender<Result<Answer, Error>>,
}

pub(super) struct Session {
    config: Config,
    asked: mpsc::Receiver<Ask>,
    generation: watch::Sender<u64>,
    hello: watch::Sender<Hello>,
    /// Asked and not answered, by number.
    open: BTreeMap<u64, Ask>,
    last: u64,
}

enum End {
    /// The keeper is gone, or we cannot talk to it.
    Lost,
    /// Nobody will ask any more, or the keeper was shut down.
    Over,
}

impl Session {
    pub(super) fn new(
        config: Config,
        asked: mpsc::Receiver<Ask>,
        generation: watch::Sender<u64>,
        hello: watch::Sender<Hello>,
    ) -> Session {
        Session { config, asked, generation, hello, open: BTreeMap::new(), last: 0 }
    }

    /// Without a link it begins by looking for one.
    pub(super) async fn run(mut self, link: Option<Link>) {
        let mut link = match link {
            Some(link) => Some(link),
            None => self.reconnect().await,
        };
        while let Some(connected) = link {
            link = match self.talk(connected).await {
                End::Over => None,
                End::Lost => self.reconnect().await,
            };
        }
    }

    async fn talk(&mut self, mut link: Link) -> End {
        self.give_up_some();
        for (number, ask) in &mut self.open {
            ask.tries += 1;
            let request = Request { number: *number, verb: ask.verb.clone() };
            if link.say(&request).await.is_err() {
                return End::Lost;
            }
        }
        loop {
            tokio::select! {
                ask = self.asked.recv() => {
                    let Some(ask) = ask else { return End::Over };
                    let request = self.enter(ask);
                    if link.say(&request).await.is_err() {
                        return End::Lost;
                    }
                }
                word = link.words.next() => match word {
                    Ok(Some(word)) => if self.hear(word) { return End::Over },
                    Ok(None) | Err(_) => return End::Lost,
                },
            }
        }
    }

    fn give_up_some(&mut self) {
        self.open.retain(|_, ask| !ask.answer.is_closed());
        for (_, ask) in self.open.extract_if(.., |_, ask| ask.tries >= MOST_TRIES) {
            let _ = ask.answer.send(Err(Error::Lost(ask.tries)));
        }
    }

    fn enter(&mut self, mut ask: Ask) -> Request {
        self.give_up_some();
        ask.tries = 1;
        self.last += 1;
        let request = Request { number: self.last, verb: ask.verb.clone() };
        self.open.insert(self.last, ask);
        request
    }

    /// Answers whether that was the end.
    fn hear(&mut self, word: Word) -> bool {
        match word {
            Word::Hello(_) => false,
            Word::Changed { .. } => {
                self.generation.send_modify(|generation| *generation += 1);
                false
            }
            Word::Answer { number, answer } => {
                let Some(ask) = self.open.remove(&number) else { return false };
                let over = matches!((&ask.verb, &answer), (Verb::Shutdown { .. }, Answer::Done));
                let _ = ask.answer.send(Ok(answer));
                over
            }
        }
    }

    /// Tries until there is a keeper again, or nobody wants one.
    async fn reconnect(&mut self) -> Option<Link> {
        loop {
            match link::open(&self.config).await {
                Ok(link) => {
                    self.hello.send_replace(link.hello.clone());
                    self.generation.send_modify(|generation| *generation += 1);
                    return Some(link);
                }
                Err(error) => self.refuse(&error).await?,
            }
        }
    }

    /// Answers everybody with the error, for the length of the pause.
    async fn refuse(&mut self, error: &Error) -> Option<()> {
        for (_, ask) in std::mem::take(&mut self.open) {
            let _ = ask.answer.send(Err(error.clone()));
        }
        let pause = sleep(PAUSE);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return Some(()),
                ask = self.asked.recv() => {
                    let _ = ask?.answer.send(Err(error.clone()));
                }
            }
        }
    }
}
