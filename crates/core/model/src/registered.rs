//! What clients register, as Consul has it: services that Adsum does not run, checks, nodes without an agent.
//!
//! Names are what clients make them, since theirs were there before: any text, not a [`Name`](crate::Name). Whoever
//! looks one up does so in lower case.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A node without an agent of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    /// A UUID, or nothing.
    #[serde(default)]
    pub id: String,
    /// An address, or the name of one.
    pub address: String,
    #[serde(default)]
    pub tagged_addresses: BTreeMap<String, String>,
    #[serde(default)]
    pub meta: BTreeMap<String, String>,
}

/// One place where a service is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub node: String,
    /// Its own on its node.
    pub id: String,
    /// The service's name, which others share.
    pub service: String,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub meta: BTreeMap<String, String>,
    /// An address or the name of one; when it is empty, the node's.
    #[serde(default)]
    pub address: String,
    #[serde(default)]
    pub port: u16,
    #[serde(default)]
    pub tagged_addresses: BTreeMap<String, Place>,
    #[serde(default)]
    pub weights: Weights,
    #[serde(default)]
    pub enable_tag_override: bool,
}

/// An address with a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub address: String,
    pub port: u16,
}

/// What share of the requests it wants, by how it is; for SRV records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    pub passing: u16,
    pub warning: u16,
}

impl Default for Weights {
    fn default() -> Weights {
        Weights { passing: 1, warning: 1 }
    }
}

/// What is looked at to tell how a service or a node is, and what was seen last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub node: String,
    /// Its own on its node.
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub notes: String,
    /// The id of the service that it is about; empty when it is about the node.
    #[serde(default)]
    pub service: String,
    pub status: Status,
    #[serde(default)]
    pub output: String,
    #[serde(default)]
    pub definition: Definition,
    /// How somebody makes it who tells how it is, in JSON as he has told it. Nothing is made of it here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recipe: String,
    /// The tick of the last change of the status.
    #[serde(default)]
    pub since: u64,
}

/// The three words that a check has, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Passing,
    Warning,
    #[default]
    Critical,
}

/// How a check is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    pub kind: Kind,
    /// Between two probes.
    #[serde(default)]
    pub interval: Duration,
    /// Of one probe.
    #[serde(default)]
    pub timeout: Duration,
    #[serde(default)]
    pub thresholds: Thresholds,
    /// A service that is critical by this check for so long is taken out of the catalog.
    #[serde(default)]
    pub deregister_after: Option<Duration>,
}

/// How often in a row something has to be found before the status says so. 0 and 1 are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    pub passing: u32,
    pub warning: u32,
    pub critical: u32,
}

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing: whoever registered it in the catalog says how it is.
    #[default]
    Told,
    /// The client says so again and again, and else it is critical.
    Ttl(Duration),
    Http(Http),
    Tcp {
        address: String,
        tls: Tls,
    },
    Udp {
        address: String,
    },
    /// The standard health service of gRPC, of the whole server or of one service of it.
    Grpc {
        address: String,
        service: String,
        tls: Tls,
    },
    /// A ping of HTTP/2.
    H2Ping {
        address: String,
        tls: Tls,
    },
    Script {
        arguments: Vec<String>,
    },
    /// A program in a container.
    Docker {
        container: String,
        shell: String,
        arguments: Vec<String>,
    },
    /// As another service is, or as a node when no service is named.
    Alias {
        node: String,
        service: String,
    },
    /// Taken out by a person; the reason is in the notes.
    Maintenance,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    pub url: String,
    pub method: String,
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub tls: Tls,
    #[serde(default)]
    pub follow_redirects: bool,
}

/// Whether, and how, the other side has to prove who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    pub wanted: bool,
    #[serde(default)]
    pub server_name: String,
    /// Any certificate will do.
    #[serde(default)]
    pub skip_verify: bool,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Passing => "passing",
            Status::Warning => "warning",
            Status::Critical => "critical",
        }
    }

    /// None of any other word.
    pub fn of(text: &str) -> Option<Status> {
        [Status::Passing, Status::Warning, Status::Critical]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Kind {
    /// The word that Consul has for it.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Told => "",
            Kind::Ttl(_) => "ttl",
            Kind::Http(_) => "http",
            Kind::Tcp { .. } => "tcp",
            Kind::Udp { .. } => "udp",
            Kind::Grpc { .. } => "grpc",
            Kind::H2Ping { .. } => "h2ping",
            Kind::Script { .. } => "script",
            Kind::Docker { .. } => "docker",
            Kind::Alias { .. } => "alias",
            Kind::Maintenance => "maintenance",
        }
    }

    /// Whether somebody has to go and look.
    pub fn is_probed(&self) -> bool {
        match self {
            Kind::Http(_)
            | Kind::Tcp { .. }
            | Kind::Udp { .. }
            | Kind::Grpc { .. }
            | Kind::H2Ping { .. }
            | Kind::Script { .. }
            | Kind::Docker { .. } => true,
            Kind::Told | Kind::Ttl(_) | Kind::Alias { .. } | Kind::Maintenance => false,
        }
    }
}

impl Service {
    /// The name in the form in which it is looked up.
    pub fn key(&self) -> String {
        self.service.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_of_three_words_and_the_worst_is_the_greatest() {
        assert_eq!(Status::of("warning"), Some(Status::Warning));
        assert_eq!(Status::of("Passing"), None);
        assert_eq!(
            [Status::Warning, Status::Critical, Status::Passing].iter().max(),
            Some(&Status::Critical)
        );
    }

    #[test]
    fn a_check_is_read_back_as_it_was_written() {
        let kind = Kind::Http(Http { url: "http://127.0.0.1/".into(), ..Http::default() });
        let definition =
            Definition { kind, deregister_after: Some(Duration::from_secs(60)), ..Default::default() };
        let check = Check { id: "a".into(), definition, ..Check::default() };
        let text = serde_json::to_string(&check).unwrap();
        assert_eq!(serde_json::from_str::<Check>(&text).unwrap(), check);
    }
}
