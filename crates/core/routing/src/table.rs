//! The route table: everything that decides where a request goes, as of one routing revision.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adsum_model::{InstanceId, Name, Policy, Revision};
use serde::{Deserialize, Serialize};

/// Made whole, swapped whole, never changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Table {
    /// The routing revision of the catalog it was made from.
    pub revision: Revision,
    /// By service.
    pub pools: BTreeMap<Name, Arc<Pool>>,
}

/// The instances of one service that a request may go to, and how they are treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub service: Name,
    pub policy: Policy,
    /// In the order of their ids.
    pub members: Vec<Member>,
    /// The share of each version, in 0.01 %; without any, each member has the same share.
    pub weights: BTreeMap<u32, u32>,
    /// Too few pass, so that members stand for those that once did.
    pub panic: bool,
    /// The service's only instance is being replaced: a request waits for the next one instead of being refused.
    pub replacing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub instance: InstanceId,
    pub version: u32,
    pub endpoint: SocketAddr,
    pub standing: Standing,
}

/// What a member gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// New requests.
    Routable,
    /// No new request; what it has in flight may go on for this long from the moment this table is first seen.
    Draining(Duration),
}
