//! What handlers work on.

use std::path::PathBuf;
use std::sync::Arc;

use adsum_control::Routing;
use adsum_model::Instance;
use adsum_store::Store;

use crate::{About, Keeper, Monitor};

/// Clones are the same face.
#[derive(Clone)]
pub struct ApiState {
    pub store: Store,
    /// The gateway, and how far those who route are.
    pub routing: Routing,
    pub about: Arc<About>,
    pub logs: Arc<dyn Logs>,
    /// The keeper as it is now, if it is there.
    pub keeper: Arc<dyn Fn() -> Option<Keeper> + Send + Sync>,
    /// What the agent logs.
    pub monitor: Monitor,
}

/// Where the output of instances is kept.
pub trait Logs: Send + Sync {
    /// The current log files of an instance; they may not be there yet. Rotated ones are found beside them.
    fn files(&self, instance: &Instance) -> Vec<PathBuf>;
}
