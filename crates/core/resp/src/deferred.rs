//! Replies that are written when the lock has been let go.
//!
//! A reply that walks over very many elements would hold everybody up. Values are trees that can be kept as they are at
//! no cost, so such a reply is written from what was kept, by whoever has the time.

use adsum_model::Revision;

use crate::{Protocol, Writer};

/// A reply that is not written yet. It is of the moment in which its command ran.
pub struct Deferred {
    revision: Revision,
    protocol: Protocol,
    write: Write,
}

pub(crate) type Write = Box<dyn FnOnce(&mut Writer<'_>) + Send>;

impl Deferred {
    pub(crate) fn new(revision: Revision, protocol: Protocol, write: Write) -> Deferred {
        Deferred { revision, protocol, write }
    }

    /// Writes it, and says which revision must be durable before it may leave. Takes long.
    pub fn write(self) -> (Revision, Vec<u8>) {
        let mut bytes = Vec::new();
        (self.write)(&mut Writer::new(&mut bytes, self.protocol));
        (self.revision, bytes)
    }
}

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deferred").field("revision", &self.revision).finish_non_exhaustive()
    }
}
