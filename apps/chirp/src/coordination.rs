//! The coordination face of Adsum: the Redis protocol, through an ordinary Redis client.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult};

use crate::backoff::Backoff;
use crate::log::log;

pub use redis::cmd;

/// Longer than any command blocks here.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that comes back by itself. Commands go one after the other, so whoever blocks has one of their own.
pub struct Coordination {
    client: Client,
    connection: Option<MultiplexedConnection>,
}

impl Coordination {
    /// `host:port`, or a Redis URL.
    pub fn at(address: &str) -> anyhow::Result<Coordination> {
        let is_url = address.contains("://");
        let url = if is_url { address.to_string() } else { format!("redis://{address}") };
        Ok(Coordination { client: Client::open(url)?, connection: None })
    }

    /// Another connection to the same place.
    pub fn another(&self) -> Coordination {
        Coordination { client: self.client.clone(), connection: None }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks once. After an error nobody knows what became of the command.
    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        let mut connection = self.connect().await?;
        let answer = command.query_async(&mut connection).await;
        if answer.is_ok() {
            // An error leaves no connection behind: a new one is cheap, finding out whether the old one is good is not.
            self.connection = Some(connection);
        }
        answer
    }

    /// Asks until there is an answer, however long Adsum is away: for commands that may be repeated.
    pub async fn insist<T: FromRedisValue>(&mut self, command: &Cmd) -> T {
        let mut backoff = Backoff::network();
        loop {
            match self.ask(command).await {
                Ok(answer) => return answer,
                Err(error) => log!("{} failed, trying again: {error}", name(command)),
            }
            backoff.sleep().await;
        }
    }

    async fn connect(&mut self) -> RedisResult<MultiplexedConnection> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => {
                let patient = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(TIMEOUT))
                    .set_response_timeout(Some(TIMEOUT));
                self.client.get_multiplexed_async_connection_with_config(&patient).await
            }
        }
    }
}

fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => "command".to_string(),
    }
}
