//! Why a store does not do what it was asked.

use adsum_journal::JournalError;
use adsum_keyspace::TooBig;

/// A script has been running for so long that nobody is to wait for it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a script has been running for a while: it ends within seconds, or at once by SCRIPT KILL")]
pub struct Busy;

/// The engine can make nothing durable any more. What is in memory must not be relied on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the journal has failed, nothing is acknowledged any more")]
pub struct Failed(#[source] pub(crate) Option<JournalError>);

/// Why a transaction has not been made durable.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotCommitted {
    #[error(transparent)]
    Failed(#[from] Failed),
    /// Nothing of it is left.
    #[error(transparent)]
    TooBig(#[from] TooBig),
}

impl Failed {
    /// Seen from where the reason is not known.
    pub(crate) fn unknown() -> Failed {
        Failed(None)
    }
}
