//! The discovery face of Adsum: where a service is, and when that changes.
//!
//! Both are *blocking queries*: an answer comes with an index, and a question with that index is answered when there is
//! something newer, or after a while. So a change is known at once, and nobody asks every second.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::http::{self, Answer};
use crate::name::PREFIX;

#[derive(Clone)]
pub struct Catalog {
    address: String,
}

/// An instance as Adsum's own API lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Instance {
    pub service: String,
    pub address: String,
    pub port: u16,
}

/// An answer of a blocking query.
pub struct Seen<T> {
    pub index: u64,
    pub value: T,
}

/// How much later than asked for an answer may come.
const SLACK: Duration = Duration::from_secs(5);

impl Catalog {
    pub fn at(address: &str) -> Catalog {
        Catalog { address: address.to_string() }
    }

    /// `host:port` of an instance that is ready for requests; `None` while there is none.
    pub async fn find(&self, service: &str) -> anyhow::Result<Option<String>> {
        Ok(self.find_newer(service, 0, Duration::ZERO).await?.value)
    }

    /// Waits until there is such an instance.
    pub async fn wait_for(&self, service: &str, deadline: Instant) -> anyhow::Result<String> {
        let (mut index, mut backoff) = (0, Backoff::network());
        while Instant::now() < deadline {
            let seen = self.find_newer(service, index, Duration::from_secs(10)).await?;
            if let Some(address) = seen.value {
                return Ok(address);
            }
            if seen.index == 0 {
                backoff.sleep().await;
            }
            index = seen.index;
        }
        anyhow::bail!("no instance of {service} became ready in time")
    }

    /// Every user's service, once that is no longer as it was at the index.
    pub async fn users_newer(&self, index: u64, wait: Duration) -> anyhow::Result<Seen<Vec<Instance>>> {
        let path = format!("/api/instances?passing&prefix={PREFIX}&index={index}&wait={}s", wait.as_secs());
        let answer = self.get(&path, wait).await?;
        let value = serde_json::from_slice(&answer.body).context("the list of instances")?;
        Ok(Seen { index: next_index(index, &answer), value })
    }

    async fn find_newer(
        &self,
        service: &str,
        index: u64,
        wait: Duration,
    ) -> anyhow::Result<Seen<Option<String>>> {
        let path = match index {
            0 => format!("/v1/health/service/{service}?passing"),
            _ => format!("/v1/health/service/{service}?passing&index={index}&wait={}s", wait.as_secs()),
        };
        let answer = self.get(&path, wait).await?;
        let entries: Vec<Entry> = serde_json::from_slice(&answer.body).context("the health of a service")?;
        let value = entries.first().map(Entry::address);
        Ok(Seen { index: next_index(index, &answer), value })
    }

    async fn get(&self, path: &str, wait: Duration) -> anyhow::Result<Answer> {
        let answer = http::get(&self.address, path, wait + SLACK).await?;
        ensure!(answer.status.is_success(), "GET {path}: {}", answer.reason());
        Ok(answer)
    }
}

/// As Consul's clients are told to do it: an index that went back means that the count began anew.
fn next_index(before: u64, answer: &Answer) -> u64 {
    let header = answer.headers.get("x-consul-index").and_then(|index| index.to_str().ok());
    let index = header.and_then(|index| index.parse().ok()).unwrap_or(0);
    if index < before { 0 } else { index }
}

/// An instance as Consul's API lists it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    address: String,
    port: u16,
}

impl Entry {
    /// A service without an address of its own is at its node's.
    fn address(&self) -> String {
        let own = !self.service.address.is_empty();
        let host = if own { &self.service.address } else { &self.node.address };
        host_and_port(host, self.service.port)
    }
}

/// IPv6 addresses need brackets.
pub fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_without_an_address_is_at_its_node() {
        let entry = |address: &str| -> Entry {
            let json = serde_json::json!({"Node": {"Node": "n1", "Address": "10.0.0.1"},
                "Service": {"ID": "s1", "Address": address, "Port": 20003, "Weights": {}}, "Checks": []});
            serde_json::from_value(json).unwrap()
        };
        assert_eq!(entry("").address(), "10.0.0.1:20003");
        assert_eq!(entry("127.0.0.1").address(), "127.0.0.1:20003");
        assert_eq!(entry("::1").address(), "[::1]:20003");
    }

    #[test]
    fn an_index_that_went_back_begins_anew() {
        let answer = |index: &str| {
            let mut headers = hyper::HeaderMap::new();
            headers.insert("x-consul-index", index.parse().unwrap());
            Answer { status: hyper::StatusCode::OK, headers, body: Default::default() }
        };
        assert_eq!(next_index(7, &answer("9")), 9);
        assert_eq!(next_index(7, &answer("7")), 7);
        assert_eq!(next_index(7, &answer("3")), 0);
        assert_eq!(next_index(7, &answer("nonsense")), 0);
    }
}
