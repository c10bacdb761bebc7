//! Waiting for a change of some keys.

use adsum_keyspace::{Change, Database, Op, Space, Transaction};
use adsum_model::Revision;
use adsum_store::{Ended, Failed, NotCommitted, Store};

use crate::blocking::Blocking;
use crate::closing::Closing;

/// The keys that are waited for.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    One(Database, Vec<u8>),
    Under(Database, Vec<u8>),
}

impl Keys {
    /// Whether a value of these keys may have changed. A deadline alone is none.
    pub(crate) fn are_changed_by(&self, change: &Change) -> bool {
        let (database, named) = match self {
            Keys::One(database, key) => (database, change.key.as_slice() == key),
            Keys::Under(database, prefix) => (database, change.key.starts_with(prefix)),
        };
        let of_value = match change.op {
            Op::Clear => return change.database == *database,
            Op::SetDeadline(_) => false,
            Op::Put { .. } | Op::Delete | Op::Append(_) | Op::Splice { .. } | Op::Edit(_) => true,
        };
        change.database == *database && of_value && named
    }

    fn space(&self) -> Space {
        match self {
            Keys::One(database, _) | Keys::Under(database, _) => database.space(),
        }
    }

    /// What `read` finds, and as of which revision: once these keys have changed after the index that is asked for, or
    /// there has been enough waiting.
    pub(crate) async fn read<T>(
        &self,
        store: &Store,
        blocking: &Blocking,
        closing: &mut Closing,
        read: impl Fn(&mut Transaction<'_>) -> T,
    ) -> Result<(T, Revision), NotCommitted> {
        let read_now = || store.try_commit(|tx| (read(tx), tx.read_revision()));
        let Some(asked) = blocking.index else { return read_now().await };
        let asked = asked.min(read_now().await?.1);
        let changed = self.changed(store, asked, blocking, closing).await?;
        let (found, revision) = read_now().await?;
        Ok((found, if changed { revision } else { asked }))
    }

    /// Waits for a change after `seen`; whether there was one, or may have been, since so much has happened since that
    /// it is not known any more.
    pub(crate) async fn changed(
        &self,
        store: &Store,
        seen: Revision,
        blocking: &Blocking,
        closing: &mut Closing,
    ) -> Result<bool, Failed> {
        let mut watch = store.watch(self.space(), seen);
        let over = blocking.over(closing);
        tokio::pin!(over);
        loop {
            let commits = tokio::select! {
                commits = watch.next() => commits,
                () = &mut over => return Ok(false),
            };
            match commits {
                Ok(commits) => {
                    let mut changes = commits.iter().flat_map(|commit| &commit.changes);
                    if changes.any(|change| self.are_changed_by(change)) {
                        return Ok(true);
                    }
                }
                Err(Ended::Compacted(_)) => return Ok(true),
                Err(Ended::Failed(failed)) => return Err(failed),
            }
        }
    }
}
