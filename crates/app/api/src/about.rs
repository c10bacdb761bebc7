//! What the face tells of the agent it belongs to.

use std::net::SocketAddr;
use std::time::Instant;

use adsum_model::{Name, Offer};

/// Fixed for the life of the process.
#[derive(Clone, Debug)]
pub struct About {
    /// Of Adsum.
    pub version: String,
    pub node: Name,
    pub datacenter: String,
    pub faces: Faces,
    /// Names under which this face is reached beside `localhost` and addresses. What comes for any other name is
    /// refused, since anybody can let a name point here.
    pub names: Vec<String>,
    /// Whether checks that clients register may start programs.
    pub script_checks: bool,
    pub started: Instant,
}

/// Where the faces listen, those that do.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Faces {
    pub resp: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
    pub dns: Option<SocketAddr>,
    pub gateway: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_tls: Option<SocketAddr>,
}

/// The process that parents the instances.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Keeper {
    pub pid: u32,
    /// How it holds the processes of an instance together: `cgroup2`, `cgroup1` or `process-group`.
    pub tree: String,
    /// What else it can do for those it starts.
    #[serde(flatten)]
    pub offer: Offer,
}
