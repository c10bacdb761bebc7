//! One lock per user service, so that only one worker at a time deploys it or publishes to it.
//!
//! It is a key that only one can create and that disappears by itself, so a dead holder blocks nobody for longer than
//! the lock lives. Its value is a token that only the holder knows: extending and releasing compare it first, or a worker
//! that was slow for too long would extend or release the lock of the next one.

use std::time::Duration;

use redis::{Cmd, RedisResult};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::backoff::Backoff;
use crate::coordination::{Coordination, cmd};
use crate::log::log;
use crate::stop::Stop;

pub const PREFIX: &str = "/etc/lock/";
const LIFETIME: Duration = Duration::from_secs(30);
const EXTEND_EVERY: Duration = Duration::from_secs(10);

/// How a worker comes by its locks.
pub struct Locksmith {
    adsum: Coordination,
}

pub struct Lock<'a> {
    adsum: &'a mut Coordination,
    key: String,
    pub token: String,
    held_until: Instant,
}

impl Locksmith {
    pub fn new(adsum: Coordination) -> Locksmith {
        Locksmith { adsum }
    }

    /// The lock of a user, or `None` if it could not be had in time. While another holds it, the next try is when some
    /// lock was freed, or a little later in any case.
    pub async fn acquire(
        &mut self,
        user: &str,
        deadline: Instant,
        freed: &Notify,
        stop: &Stop,
    ) -> Option<Lock<'_>> {
        let key = format!("{PREFIX}{user}/.lock");
        let mut lock = Lock { adsum: &mut self.adsum, key, token: token(), held_until: Instant::now() };
        let mut backoff = Backoff::between(Duration::from_millis(50), Duration::from_millis(500));
        loop {
            match lock.take().await {
                Ok(true) => return Some(lock),
                Ok(false) => {}
                Err(error) => log!("cannot take {}: {error}", lock.key),
            }
            stop.or(timeout(backoff.next(), freed.notified())).await;
            if stop.requested() || Instant::now() > deadline {
                return None;
            }
        }
    }
}

impl Lock<'_> {
    /// Extends the lock for as long as it is polled. Returns when it is lost.
    pub async fn keep(&mut self) {
        let mut pause = EXTEND_EVERY;
        while Instant::now() + pause < self.held_until {
            sleep(pause).await;
            pause = match timeout_at(self.held_until, self.extend()).await {
                Ok(Ok(true)) => EXTEND_EVERY,
                Ok(Ok(false)) => return,
                Ok(Err(_)) | Err(_) => Duration::from_secs(1),
            };
        }
    }

    /// Tried again while Adsum is away, and for as long as there is something to release: after that it ended by itself.
    pub async fn release(self) {
        let release = release(&self.key, &self.token);
        let mut backoff = Backoff::network();
        while let Err(error) = self.adsum.ask::<u64>(&release).await {
            let is_refused = error.code().is_some();
            if is_refused || Instant::now() > self.held_until {
                return log!("could not release {}, it ends by itself: {error}", self.key);
            }
            backoff.sleep().await;
        }
    }

    /// An earlier try may have had its answer lost on the way, so the lock that another holds may be our own.
    async fn take(&mut self) -> RedisResult<bool> {
        let asked = Instant::now();
        let taken: Option<String> = self.adsum.ask(&acquire(&self.key, &self.token)).await?;
        self.held_until = asked + LIFETIME;
        Ok(taken.is_some() || self.extend().await?)
    }

    async fn extend(&mut self) -> RedisResult<bool> {
        let asked = Instant::now();
        let extended: Option<String> = self.adsum.ask(&extend(&self.key, &self.token)).await?;
        if extended.is_some() {
            self.held_until = asked + LIFETIME;
        }
        Ok(extended.is_some())
    }
}

fn acquire(key: &str, token: &str) -> Cmd {
    let mut acquire = cmd("SET");
    acquire.arg(key).arg(token).arg("NX").arg("PX").arg(LIFETIME.as_millis() as u64);
    acquire
}

fn extend(key: &str, token: &str) -> Cmd {
    let mut extend = cmd("SET");
    extend.arg(key).arg(token).arg("IFEQ").arg(token).arg("PX").arg(LIFETIME.as_millis() as u64);
    extend
}

fn release(key: &str, token: &str) -> Cmd {
    let mut release = cmd("DELEX");
    release.arg(key).arg("IFEQ").arg(token);
    release
}

/// 128 random bits: nobody else has them.
fn token() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(command: Cmd, expect: &str) {
        let packed = String::from_utf8(command.get_packed_command()).unwrap();
        let words: Vec<_> = packed.split("\r\n").skip(2).step_by(2).collect();
        assert_eq!(words.join(" "), expect);
    }

    #[test]
    fn the_commands_are_those_of_the_talk_with_the_token_compared() {
        check(acquire("/etc/lock/alice/.lock", "t"), "SET /etc/lock/alice/.lock t NX PX 30000");
        check(extend("/etc/lock/alice/.lock", "t"), "SET /etc/lock/alice/.lock t IFEQ t PX 30000");
        check(release("/etc/lock/alice/.lock", "t"), "DELEX /etc/lock/alice/.lock IFEQ t");
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        assert_ne!(token(), token());
        assert_eq!(token().len(), 32);
    }
}
