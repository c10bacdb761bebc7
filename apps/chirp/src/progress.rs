//! How far the reader is, remembered in Adsum so that a restarted reader goes on there.

use serde::{Deserialize, Serialize};

use crate::coordination::{Coordination, cmd};
use crate::log::log;

/// Under the key of the stream while reading, and under `/chirp/reader/done` at its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Everything before it is in the queue, or was not wanted.
    pub position: u64,
    /// Lines read: those pushed, those that the filter held back, those that are no tweets, and empty ones.
    pub lines: u64,
    pub pushed: u64,
    pub filtered: u64,
    pub bad: u64,
}

impl Progress {
    pub async fn load(adsum: &mut Coordination, key: Option<&str>) -> Progress {
        let Some(key) = key else { return Progress::default() };
        let saved: Option<String> = adsum.insist(cmd("GET").arg(key)).await;
        let progress = saved.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        if progress != Progress::default() {
            log!("going on with the stream at {progress}");
        }
        progress
    }

    pub async fn save(&self, adsum: &mut Coordination, key: &str) {
        let json = serde_json::to_string(self).unwrap_or_default();
        adsum.insist::<()>(cmd("SET").arg(key).arg(json)).await;
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Progress { position, lines, pushed, filtered, bad } = self;
        write!(f, "position={position} lines={lines} pushed={pushed} filtered={filtered} bad={bad}")
    }
}
