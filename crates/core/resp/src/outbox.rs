//! Where a client's bytes go.

use adsum_model::Revision;

/// The way to one client, made by whoever holds its connection. Called under the lock of the server, so an
/// implementation must not block and must not call the server.
pub trait Outbox: Send + Sync {
    /// Adds bytes behind those that were added before. They must not leave before `revision` is durable.
    fn push(&self, revision: Revision, bytes: &[u8], wake: Wake);

    /// The next reply is being written elsewhere ([`crate::Flow::Deferred`]): what is pushed from now on comes behind it.
    /// Nothing need be done by who writes it before it looks at what was pushed.
    fn hold(&self) {}

    /// Whether bytes can still arrive. A blocked client whose outbox is closed is passed over, so that no element
    /// is taken out of a list for nobody.
    fn is_open(&self) -> bool {
        true
    }
}

/// What the connection has to do about pushed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Nothing: the connection itself is at it, and these are its replies.
    No,
    /// Send them: somebody else caused them.
    Push,
    /// Send them and go on with the requests behind the blocked one.
    Unblocked,
    /// Close the connection, for this reason.
    Close(&'static str),
}
