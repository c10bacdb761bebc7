//! What the two agents say to each other, each in one message.

use adsum_model::{InstanceId, Name, Revision};
use serde::{Deserialize, Serialize};

/// Counts the changes of these messages that an agent of before cannot understand.
pub const PROTOCOL: u32 = 1;

/// What the new agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromNew {
    Hello(Hello),
    /// Give everything up.
    Take,
    /// Everything is open, and accepts.
    Serving,
    /// A descriptor comes along: the route table that counts from now on.
    Table,
}

/// What the old agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromOld {
    Offer(Offer),
    /// Why not, for people.
    Refused(String),
    /// Descriptors come along, one for each name.
    Sockets(Vec<SocketName>),
    /// The journal is closed and its lock is free.
    Yours,
    /// How each worker of a gateway that is on its way out is.
    Report(Vec<WorkerReport>),
    /// It has nothing any more, and ends.
    Farewell,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub version: String,
    pub node: Name,
    /// Device and inode of the data directory.
    pub data: (u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub version: String,
    pub process: u32,
    /// Whose data it is.
    pub cluster: String,
}

/// What a descriptor is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketName {
    Resp,
    Http,
    DnsUdp,
    DnsTcp,
    Gateway,
    GatewayTls,
    /// A port that a service has published on the gateway.
    Published(u16),
    /// The connection to an agent that was taken over from before, and is still on its way out with so many workers.
    Predecessor {
        process: u32,
        workers: u32,
    },
}

/// How far a worker of a gateway is, and what it has in flight on instances that drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerReport {
    pub worker: u32,
    pub applied: Revision,
    pub in_flight: Vec<(InstanceId, u64, u64)>,
}

/// Why an agent is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "this agent speaks version {ours} of the takeover and the new one {theirs}: stop this one, and start the new one"
    )]
    Protocol { ours: u32, theirs: u32 },
    #[error("this agent runs as user {ours} and the new one as user {theirs}: start it as the same user")]
    User { ours: u32, theirs: u32 },
    #[error("this agent is node '{ours}' and the new one is to be '{theirs}'")]
    Node { ours: Name, theirs: Name },
    #[error("this agent has another data directory than the new one")]
    Data,
    #[error("process {0} is taking over already")]
    Busy(u32),
    #[error("this agent has been taken over from already")]
    Over,
}
