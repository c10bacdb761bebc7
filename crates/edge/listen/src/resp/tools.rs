//! What the connections of one thread share.

use std::sync::Arc;

use adsum_model::Revision;
use adsum_resp::Deferred;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::herald::Herald;

/// Bytes that one read can bring.
pub(super) const READ: usize = 64 * 1024;

/// Clones are the same tools.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) desk: Desk,
    pub(super) clerk: Clerk,
    pub(super) herald: Herald,
}

/// Where a read goes first, so that a connection that waits has no buffer of its own. One per thread; empty while it
/// is in use and before the first time.
pub(super) type Desk = Arc<Mutex<Box<[u8]>>>;

/// Writes long replies on a thread of its own, one at a time: they cost memory as well.
#[derive(Clone, Default)]
pub(super) struct Clerk(Arc<Mutex<()>>);

impl Clerk {
    pub(super) fn write(&self, deferred: Deferred) -> JoinHandle<(Revision, Vec<u8>)> {
        let turn = self.0.clone();
        tokio::task::spawn_blocking(move || {
            let _one_at_a_time = turn.lock();
            deferred.write()
        })
    }
}
