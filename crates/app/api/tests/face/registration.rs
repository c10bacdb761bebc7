//! What clients register: services, checks, nodes without an agent. Shapes and words are those that Consul answers.

mod checks;
mod maintenance;
mod nodes;
mod refusals;
mod services;

use serde_json::{Value, json};

use crate::face::{Answer, Face};

impl Face {
    async fn put_json(&self, path: &str, body: &Value) -> Answer {
        self.send(&format!("PUT {path}"), &[], body.to_string()).await
    }

    async fn put_bare(&self, path: &str) -> Answer {
        self.send(&format!("PUT {path}"), &[], "").await
    }

    async fn register(&self, body: Value) {
        let answer = self.put_json("/v1/agent/service/register", &body).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, ""));
    }

    async fn count(&self, path: &str) -> usize {
        self.get(path).await.json().as_array().unwrap().len()
    }
}

#[track_caller]
fn check_refused(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status.as_u16(), answer.text()), (status, text));
}

fn web() -> Value {
    json!({"ID": "web-1", "Name": "web", "Tags": ["v1", "primary"], "Address": "127.0.0.1", "Port": 8081,
        "Meta": {"version": "1"}, "Weights": {"Passing": 10, "Warning": 1},
        "Check": {"Name": "web alive", "Notes": "ttl", "TTL": "30s"}})
}
