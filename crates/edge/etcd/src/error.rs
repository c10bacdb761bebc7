//! Why the engine refuses.

use std::time::Duration;

use adsum_model::Revision;

use crate::record::RecordError;
use crate::row::RowError;

/// etcd cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "etcd at {endpoints} does not serve ({reason}); what is known is still read, with its age, and writes go on by \
     themselves when it is back: look at it with `etcdctl --endpoints {endpoints} endpoint health`"
)]
pub struct Unavailable {
    /// Separated by commas.
    pub endpoints: String,
    pub reason: String,
}

/// More than etcd takes in one transaction; nothing of it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transaction is too big for etcd: {size} {what}, at most {limit}: split it into smaller ones")]
pub struct TooBig {
    pub what: &'static str,
    pub size: usize,
    pub limit: usize,
}

/// What can become of a transaction that has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was done.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Nothing was done.
    #[error(transparent)]
    TooBig(#[from] TooBig),
    /// Nothing was done.
    #[error(
        "{attempts} attempts, and others were faster each time: try again, or let fewer write the same keys"
    )]
    Contended { attempts: usize },
    /// Nothing was done.
    #[error("etcd at {endpoints} has refused the transaction: {reason}")]
    Refused { endpoints: String, reason: String },
    /// It was done, and is not yet seen here.
    #[error(
        "committed as revision {revision}, which this process has not seen from etcd yet: read again later"
    )]
    Behind { revision: Revision },
    #[error(
        "etcd at {endpoints} was lost before it answered, and does not tell within {waited:?} whether the transaction \
         was applied ({reason}): read what it should have changed before it is sent again"
    )]
    Unknown { endpoints: String, reason: String, waited: Duration },
}

/// Why no engine can be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("{0:?} is no name of a keyspace: lower-case letters, digits and hyphens, 1 to 63 of them")]
    Name(String),
    #[error("{endpoint:?} is no address of an etcd: http://HOST:2379")]
    Endpoint { endpoint: String },
    #[error("no etcd was named: at least one, like http://127.0.0.1:2379")]
    NoEndpoint,
    #[error("no randomness to be had for the id of this process: {0}")]
    Random(String),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why the feed from etcd has ended, to begin again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("no connection: {0}")]
    Connect(String),
    #[error("{0}")]
    Status(Box<tonic::Status>),
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("etcd has closed the watch: {0}")]
    Cancelled(String),
    /// The view has to be read anew.
    #[error("what was missed is compacted")]
    Compacted,
    #[error("the base of the revisions was changed")]
    NewBase,
    #[error(
        "etcd has gone back to before revision {seen}, which it has already given: after a restored snapshot the base \
         has to be raised above it"
    )]
    WentBack { seen: Revision },
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<tonic::Status> for Broken {
    fn from(status: tonic::Status) -> Broken {
        Broken::Status(Box::new(status))
    }
}
