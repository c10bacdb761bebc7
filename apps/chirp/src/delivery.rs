//! Brings one tweet to the service of its user, or says why it cannot.
//!
//! *Technical* failures (no connection, no answer, 5xx) are tried again for as long as the tweet's turn lasts, and then
//! again when its turn comes again. *Business* failures (4xx: understood and refused) will not go away, so a few are
//! enough. Trying again is always safe, since the service stores a tweet id once.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::catalog::Catalog;
use crate::deployment::Deployment;
use crate::http::{self, Answer};
use crate::lock::Locksmith;
use crate::log::log;
use crate::name::ScreenName;
use crate::stop::Stop;
use crate::tweet::Tweet;
use crate::watch::Watch;

/// A tweet's turn: after that others get theirs.
const TURN: Duration = Duration::from_secs(60);
const MOST_REFUSALS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a tweet.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Stored,
    /// Not now.
    Later(String),
    /// Never.
    Poison(String),
}

#[derive(Debug, PartialEq)]
pub enum Failure {
    Technical(String),
    Business(String),
}

impl Failure {
    /// Five 4xx statuses speak of the moment and not of the request: try again later. 409 is Adsum's for a service that
    /// is just being removed.
    pub fn of(what: &str, answer: &Answer) -> Failure {
        let reason = format!("{what}: {}", answer.reason());
        match answer.status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS => Failure::Technical(reason),
            status if status.is_client_error() => Failure::Business(reason),
            _ => Failure::Technical(reason),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Technical(format!("{error:#}"))
    }
}

pub struct Courier {
    pub locksmith: Locksmith,
    pub watch: Arc<Watch>,
    pub route: Route,
    pub stop: Stop,
}

impl Courier {
    pub async fn deliver(&mut self, item: &[u8]) -> Outcome {
        let tweet =
            match std::str::from_utf8(item).map_err(|_| "not UTF-8".to_string()).and_then(Tweet::parse) {
                Ok(tweet) => tweet,
                Err(reason) => return Outcome::Poison(reason),
            };
        let deadline = Instant::now() + TURN;
        let slug = tweet.user.slug();
        let lock = self.locksmith.acquire(&slug, deadline, &self.watch.lock_freed, &self.stop).await;
        let Some(mut lock) = lock else {
            return Outcome::Later(format!("another worker holds the lock of {slug}"));
        };
        let turn = Turn { token: lock.token.clone(), deadline, stop: &self.stop };
        let outcome = tokio::select! {
            outcome = self.route.publish_patiently(&tweet, &turn) => outcome,
            () = lock.keep() => Outcome::Later(format!("lost the lock of {slug}")),
        };
        lock.release().await;
        outcome
    }
}

/// The time in which a tweet is worked on, under the lock of its user.
struct Turn<'a> {
    token: String,
    deadline: Instant,
    stop: &'a Stop,
}

impl Turn<'_> {
    fn is_over(&self) -> bool {
        self.stop.requested() || Instant::now() > self.deadline
    }
}

/// The way to the users' services.
pub struct Route {
    pub catalog: Catalog,
    pub deployment: Deployment,
}

impl Route {
    async fn publish_patiently(&self, tweet: &Tweet, turn: &Turn<'_>) -> Outcome {
        let (mut backoff, mut refusals) = (Backoff::network(), 0);
        loop {
            let reason = match self.publish(tweet, turn).await {
                Ok(()) => return Outcome::Stored,
                Err(Failure::Technical(reason)) => reason,
                Err(Failure::Business(reason)) => {
                    refusals += 1;
                    if refusals == MOST_REFUSALS {
                        return Outcome::Poison(reason);
                    }
                    reason
                }
            };
            if turn.is_over() {
                return Outcome::Later(reason);
            }
            log!("tweet={} failed, trying again: {reason}", tweet.id);
            turn.stop.pause(backoff.next()).await;
        }
    }

    /// Finds the service each time anew: after a failure it may be somewhere else.
    async fn publish(&self, tweet: &Tweet, turn: &Turn<'_>) -> Result<(), Failure> {
        let service = tweet.user.service();
        let address = match self.catalog.find(&service).await? {
            Some(address) => address,
            None => self.deploy(&tweet.user, turn).await?,
        };
        let request = http::json(http::request(Method::POST, "/v1/tweet"), tweet.json.clone());
        let answer = http::send(&address, request, PATIENCE).await?;
        match answer.status {
            StatusCode::CREATED => Ok(()),
            _ => Err(Failure::of(&format!("publishing to {service}"), &answer)),
        }
    }

    /// The address of the new service, once it is ready for requests.
    async fn deploy(&self, user: &ScreenName, turn: &Turn<'_>) -> Result<String, Failure> {
        self.deployment.create(user, &turn.token).await?;
        match turn.stop.or(self.catalog.wait_for(&user.service(), turn.deadline)).await {
            Some(address) => Ok(address?),
            None => Err(Failure::Technical("asked to stop before the service was ready".to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_refuses_is_business_and_what_breaks_is_technical() {
        let failure = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            Failure::of("", &Answer { status, headers: Default::default(), body: Default::default() })
        };
        for status in [400, 403, 404, 413, 422] {
            assert!(matches!(failure(status), Failure::Business(_)), "{status}");
        }
        for status in [408, 409, 421, 425, 429, 500, 502, 503, 504, 302, 200] {
            assert!(matches!(failure(status), Failure::Technical(_)), "{status}");
        }
    }
}
