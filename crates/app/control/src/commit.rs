//! Commits whose size clients have decided: one that is too big is told to the log, and ends nothing.

use std::fmt::Display;

use adsum_keyspace::Transaction;
use adsum_store::{Failed, NotCommitted, Store};

/// None when it is too big: then nothing of it is left, and `what` says in the log what has not been done.
pub(crate) async fn commit<T>(
    store: &Store,
    what: impl Display,
    body: impl FnOnce(&mut Transaction<'_>) -> T,
) -> Result<Option<T>, Failed> {
    match store.try_commit(body).await {
        Ok(reply) => Ok(Some(reply)),
        Err(NotCommitted::Failed(failed)) => Err(failed),
        Err(NotCommitted::TooBig(error)) => {
            tracing::error!(%error, "{what} is not on record");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Database, Value, limits};
    use adsum_store::{Durability, Options};

    use super::*;

    fn put(tx: &mut Transaction<'_>, bytes: usize) {
        for at in 0..bytes / limits::VALUE + 1 {
            let value = Value::String(vec![b'x'; limits::VALUE.min(bytes)].into());
            tx.put(Database::System, format!("too-big/{at}"), value, None, &[]);
        }
    }

    #[tokio::test]
    async fn what_is_too_big_is_not_there_and_the_store_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let options =
            Options { dir: dir.path().into(), durability: Durability::Always, about: Default::default() };
        let store = Store::open(options).unwrap();
        let none = commit(&store, "all of it", |tx| put(tx, limits::TRANSACTION)).await.unwrap();
        assert_eq!(none, None);
        assert!(store.transact(|tx| tx.keys(Database::System).is_empty()).0);
        assert_eq!(commit(&store, "a little", |tx| put(tx, 1)).await.unwrap(), Some(()));
        assert!(!store.transact(|tx| tx.keys(Database::System).is_empty()).0);
    }
}
