//! One ordered keyspace: revisions, typed values, transactions, deadlines, a history to watch.
//!
//! Everything is a key in a [`Database`]. A [`Transaction`] reads and writes; what it did is a [`Commit`] with one
//! revision, whose changes carry deltas. A commit is the only way in: live commands, the journal's replay and
//! another node's writes all go through the same `apply`. Whoever wants to know what happened, be it a watch, a
//! notification, a blocked client or the history, reads commits and nothing else.
//!
//! Not here: durability (`edge/journal`), who sees what when (`app/store`), protocols. Nothing here reads a clock:
//! every entry point takes [`Now`].
//!
//! Invariants:
//! - Revisions grow by one per commit that changed something. A transaction without changes has none.
//! - A key that is due is never read as present, and never missed before the change that says `expired`.
//! - A key never holds an aggregate without elements, streams excepted.
//! - Each change keeps what it has taken away: a transaction can be taken back, and the recent past be read.
//! - A [`Snapshot`] is the keyspace at its revision for ever; taking one costs nothing that grows with the keys.

mod blob;
mod change;
mod clock;
mod codec;
mod deadlines;
mod draft;
mod edits;
mod garbage;
mod history;
pub mod json;
mod keyspace;
pub mod limits;
mod list;
pub mod members;
mod snapshot;
mod sorted_set;
mod sought;
mod spares;
mod state;
pub mod stream;
pub mod switch;
mod transaction;
mod tree;
mod value;

pub use blob::Blob;
pub use change::{Change, Changes, Commit, Database, Notice, Notices, Op, Place};
pub use clock::{Clock, Deadline, Now};
pub use codec::{DecodeError, Row, decode_commit, decode_rows, encode_commit, encode_row};
pub use draft::Reads;
pub use edits::Edits;
pub use garbage::Garbage;
pub use history::{Compacted, EntryAt, Space};
pub use keyspace::{Keys, Keyspace};
pub use list::List;
pub use members::{Hash, Members, Set};
pub use snapshot::{RestoreError, Snapshot};
pub use sorted_set::{Score, SortedSet};
pub use stream::Stream;
pub use transaction::{Attempt, Audience, Outcome, Publish, TooBig, Transaction};
pub use tree::{Iter, Tree};
pub use value::{Entry, Kind, Value};
