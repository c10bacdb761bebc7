//! What an instance may take of its machine, and what a machine can hold it to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What all processes of one instance may take together, by control groups; without a limit where none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes, swap included.
    pub memory: Option<u64>,
    /// Thousandths of a processor.
    pub cpu: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// What of the kernel holds a group of processes to one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Controller {
    Memory,
    Cpu,
    Pids,
}

/// What the driver of a node can do for those it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Limits can be had on these.
    pub controllers: BTreeSet<Controller>,
    /// It may start processes as any user: it is root.
    pub any_user: bool,
}

/// What the system counts for each process by itself: setrlimit(2), with Docker's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

/// The limits of one resource; [`Ulimit::NONE`] is without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// What counts, and a process may raise up to `hard`.
    pub soft: u64,
    pub hard: u64,
}

/// By resource.
pub type Ulimits = BTreeMap<Resource, Ulimit>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseUlimitError {
    #[error("is no limit: write it like nofile=1024 or nofile=1024:2048, with -1 for unlimited")]
    Form,
    #[error("names nothing that can be limited: known are {0}")]
    Unknown(String),
    #[error("has a soft limit above the hard one: the first number must not be the larger one")]
    Order,
}

impl Limits {
    /// What of the kernel is needed to hold somebody to these limits.
    pub fn controllers(&self) -> BTreeSet<Controller> {
        let asked = [
            (self.memory.is_some(), Controller::Memory),
            (self.cpu.is_some(), Controller::Cpu),
            (self.pids.is_some(), Controller::Pids),
        ];
        asked.into_iter().filter_map(|(asked, controller)| asked.then_some(controller)).collect()
    }
}

impl Controller {
    pub const ALL: [Controller; 3] = [Controller::Memory, Controller::Cpu, Controller::Pids];

    /// The kernel's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Cpu => "cpu",
            Controller::Pids => "pids",
        }
    }
}

impl Resource {
    pub const ALL: [Resource; 15] = [
        Resource::Core,
        Resource::Cpu,
        Resource::Data,
        Resource::Fsize,
        Resource::Locks,
        Resource::Memlock,
        Resource::Msgqueue,
        Resource::Nice,
        Resource::Nofile,
        Resource::Nproc,
        Resource::Rss,
        Resource::Rtprio,
        Resource::Rttime,
        Resource::Sigpending,
        Resource::Stack,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Resource::Core => "core",
            Resource::Cpu => "cpu",
            Resource::Data => "data",
            Resource::Fsize => "fsize",
            Resource::Locks => "locks",
            Resource::Memlock => "memlock",
            Resource::Msgqueue => "msgqueue",
            Resource::Nice => "nice",
            Resource::Nofile => "nofile",
            Resource::Nproc => "nproc",
            Resource::Rss => "rss",
            Resource::Rtprio => "rtprio",
            Resource::Rttime => "rttime",
            Resource::Sigpending => "sigpending",
            Resource::Stack => "stack",
        }
    }
}

impl FromStr for Resource {
    type Err = ParseUlimitError;

    fn from_str(text: &str) -> Result<Resource, ParseUlimitError> {
        let known = Resource::ALL.iter().find(|resource| resource.as_str() == text);
        known
            .copied()
            .ok_or_else(|| ParseUlimitError::Unknown(Resource::ALL.map(Resource::as_str).join(", ")))
    }
}

impl Ulimit {
    /// `RLIM_INFINITY`.
    pub const NONE: u64 = u64::MAX;

    /// Reads `nofile=1024:2048`, or `nofile=1024` for both limits.
    pub fn parse(text: &str) -> Result<(Resource, Ulimit), ParseUlimitError> {
        let (resource, numbers) = text.split_once('=').ok_or(ParseUlimitError::Form)?;
        let (soft, hard) = numbers.split_once(':').unwrap_or((numbers, numbers));
        let ulimit = Ulimit { soft: amount(soft)?, hard: amount(hard)? };
        if ulimit.soft > ulimit.hard {
            return Err(ParseUlimitError::Order);
        }
        Ok((resource.parse()?, ulimit))
    }
}

fn amount(text: &str) -> Result<u64, ParseUlimitError> {
    if text == "-1" { Ok(Ulimit::NONE) } else { text.parse().map_err(|_| ParseUlimitError::Form) }
}

impl fmt::Display for Ulimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |amount: u64| if amount == Ulimit::NONE { "-1".to_string() } else { amount.to_string() };
        f.write_str(&amount(self.soft))?;
        if self.soft == self.hard { Ok(()) } else { write!(f, ":{}", amount(self.hard)) }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulimit_reads_as_docker_reads_it_and_prints_the_same() {
        for text in ["nofile=1024:2048", "nproc=64", "core=-1", "stack=0:-1"] {
            let (resource, ulimit) = Ulimit::parse(text).unwrap();
            assert_eq!(format!("{resource}={ulimit}"), text);
        }
        assert_eq!(Ulimit::parse("nofile=3:2"), Err(ParseUlimitError::Order));
        assert_eq!(Ulimit::parse("nofile=-1:2"), Err(ParseUlimitError::Order));
        for bad in ["", "nofile", "nofile=", "nofile=1:", "nofile=1:2:3", "nofile=x", "nofile=-2"] {
            assert_eq!(Ulimit::parse(bad), Err(ParseUlimitError::Form), "{bad}");
        }
        let unknown = Ulimit::parse("files=1").unwrap_err();
        assert!(unknown.to_string().contains("known are core, cpu, data"), "{unknown}");
    }

    #[test]
    fn limits_need_the_controllers_of_what_they_limit() {
        let limits = Limits { memory: Some(1), cpu: None, pids: Some(1) };
        assert_eq!(limits.controllers(), BTreeSet::from([Controller::Memory, Controller::Pids]));
        assert!(Limits::default().controllers().is_empty());
    }
}
