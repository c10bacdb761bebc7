//! A store in a directory, keys in it, and its end.

use std::path::Path;
use std::time::{Duration, Instant};

use adsum_keyspace::{Database, Deadline, Notice, Transaction, Value};
use adsum_resp::About;
use adsum_store::{Durability, OpenError, Options, Store};

pub(crate) const DB: Database = Database::User(0);

/// Opens the directory, once its last owner has let go of it.
pub(crate) fn open(dir: &Path) -> Store {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match try_open(dir, Durability::Always) {
            Err(OpenError::Journal(error))
                if Instant::now() < deadline && error.to_string().contains("in use") =>
            {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
}

pub(crate) fn try_open(dir: &Path, durability: Durability) -> Result<Store, OpenError> {
    Store::open(Options { dir: dir.to_path_buf(), durability, about: About::default() })
}

pub(crate) fn set(tx: &mut Transaction<'_>, key: &str, ttl: Option<u64>) {
    let deadline = ttl.map(|ttl| Deadline::after(ttl, tx.now()));
    tx.put(DB, key, Value::String("v".into()), deadline, &[Notice::Set]);
}

pub(crate) fn set_to(tx: &mut Transaction<'_>, key: &str, value: &str) {
    tx.put(DB, key, Value::String(value.into()), None, &[Notice::Set]);
}

pub(crate) fn has(store: &Store, key: &str) -> bool {
    store.transact(|tx| tx.get(DB, key.as_bytes()).is_some()).0
}

pub(crate) async fn end(store: Store) {
    store.close();
    store.flush().await.unwrap();
}

/// What a disk would have after a power cut at this moment: everything that is in the files.
pub(crate) fn copy(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    dir
}
