//! chirp: every tweeting user has a service of their own.
//!
//! The application of the talk "Deploy, scale and coordinate a microservice oriented application", and the tutorial of
//! Adsum: read it to see what a program has to do to be deployed, scaled, coordinated and found by Adsum. It does so
//! with what every language has, a Redis client and an HTTP client, and depends on no part of Adsum itself.
//!
//! ```text
//!  tweets --> reader --> /chirp/queue --> worker --> chirp-user-alice  (POST /v1/tweet)
//!                                         worker --> chirp-user-bob
//!                                            |  takes a lock per user, and deploys
//!                                            |  the user's service when it is missing
//!  curl --> proxy --> 302 Found, location: the user's service  (GET /v1/tweet)
//! ```
//!
//! Follow a tweet through the files: `stream` and `reader` take it in, `queue` carries it, `worker` and `delivery` bring
//! it to its user under a `lock`, with `catalog` to find that user's service and `deployment` to create it; `api` and
//! `tweets` keep it; `proxy` tells readers where it is. `heartbeat`, `recovery` and `watch` are why a worker may be
//! killed at any time.

// A program has no outside: `pub` here means what a file shows the others.
#![allow(unreachable_pub)]

mod api;
mod backoff;
mod catalog;
mod coordination;
mod delivery;
mod deployment;
mod environment;
mod filter;
mod generate;
mod generator;
mod heartbeat;
mod http;
mod lines;
mod lock;
mod log;
mod name;
mod page;
mod progress;
mod proxy;
mod queue;
mod reader;
#[cfg(test)]
mod real_redis;
mod recovery;
#[cfg(test)]
#[path = "../tests/redis_server/mod.rs"]
mod redis_server;
mod server;
mod stop;
mod stream;
mod table;
mod tweet;
mod tweets;
mod watch;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use environment::Environment;
use log::log;
use stop::Stop;

/// How long a role may take to end by itself. Adsum kills what has not ended after 10 seconds, and being killed loses
/// nothing here, but ending in time is polite.
const GRACE: Duration = Duration::from_secs(8);

/// Every tweeting user has a service of their own: the demonstration application of Adsum.
#[derive(Parser)]
#[command(name = "chirp", version)]
enum Role {
    /// Write a made-up tweet stream to standard output
    Generate(generate::Options),
    /// Follow a tweet stream and queue the tweets that match
    Reader(reader::Options),
    /// Bring queued tweets to the services of their users, deploying those that are missing
    Worker,
    /// Keep the tweets of one user
    Api,
    /// Tell where the service of a user is
    Proxy,
}

fn main() -> ExitCode {
    match run(Role::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log!("chirp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A hundred of these run on one machine, so each has a single thread.
fn run(role: Role) -> anyhow::Result<()> {
    if let Role::Generate(options) = role {
        return generate::run(options);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run_until_stopped(role))
}

async fn run_until_stopped(role: Role) -> anyhow::Result<()> {
    let stop = Stop::on_signal()?;
    tokio::select! {
        result = serve(role, stop.clone()) => result,
        () = overdue(&stop) => {
            log!("did not end by itself within {GRACE:?}, ending now");
            Ok(())
        }
    }
}

async fn serve(role: Role, stop: Stop) -> anyhow::Result<()> {
    let environment = Environment::read()?;
    match role {
        Role::Generate(options) => generate::run(options),
        Role::Reader(options) => reader::run(options, environment, stop).await,
        Role::Worker => worker::run(environment, stop).await,
        Role::Api => api::run(environment, stop).await,
        Role::Proxy => proxy::run(environment, stop).await,
    }
}

async fn overdue(stop: &Stop) {
    stop.wait().await;
    tokio::time::sleep(GRACE).await;
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Role::command().debug_assert();
    }
}
