//! What the keeper knows of an instance.

use adsum_model::{InstanceId, Process};
use serde::{Deserialize, Serialize};

/// One instance as the keeper sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub id: InstanceId,
    pub state: State,
    /// Bytes of output that this keeper could not write to the log, for a full disk or the like.
    pub dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Something of it runs: the process, or, for a moment after its end, what it has left behind.
    Running { process: Process },
    /// Nothing of it runs any more.
    Exited {
        status: ExitStatus,
        /// Unix milliseconds.
        at_unix_ms: u64,
        /// Whether the kernel killed something of it for want of memory; none where that cannot be known, which
        /// needs a cgroup with the memory controller.
        oom: Option<bool>,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitStatus {
    Code(i32),
    Signal(i32),
    /// Not the keeper's own child (its own keeper was killed), or ended while there was no keeper.
    Unknown,
}

/// How the keeper knows what belongs to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeKind {
    /// A control group of version 2 for each instance: nothing escapes.
    Cgroup2,
    /// A control group of version 1 for each instance: nothing escapes.
    Cgroup1,
    /// The session and process group, the parents, and the environment that children inherit. What leaves the
    /// session, its parent and its environment behind at once escapes.
    ProcessGroup,
}

impl TreeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            TreeKind::Cgroup2 => "cgroup2",
            TreeKind::Cgroup1 => "cgroup1",
            TreeKind::ProcessGroup => "process-group",
        }
    }
}
