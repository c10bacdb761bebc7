//! Prepared queries: a question for a service, under a name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// As it was given; what of it is a pattern is filled in when it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PreparedQuery {
    pub id: String,
    pub name: String,
    /// The session with which it goes.
    pub session: String,
    pub template: Option<QueryTemplate>,
    pub service: ServiceQuery,
    /// How long DNS answers may be kept, as it was written.
    pub ttl: String,
}

/// That it answers for all names that begin with its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryTemplate {
    /// Takes parts out of the name for `${match(N)}`; may be empty.
    pub regexp: String,
    pub remove_empty_tags: bool,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceQuery {
    pub service: String,
    pub nearest: u64,
    pub datacenters: Vec<String>,
    pub only_passing: bool,
    pub ignored_checks: Vec<String>,
    pub near: String,
    /// All of them; one that begins with `!` is not to be there.
    pub tags: Vec<String>,
    pub node_meta: BTreeMap<String, String>,
    pub service_meta: BTreeMap<String, String>,
}
