//! Where a SCAN goes on.

use std::collections::VecDeque;

use adsum_keyspace::{Blob, Database};

use crate::limits;

/// Cursors with the last key that was looked at, the oldest of which are forgotten. A key, not a position: what is
/// written between two calls moves no other key, so that what is there all the time is seen exactly once.
#[derive(Default)]
pub(crate) struct Cursors {
    /// Number of the first one that is still known, less one.
    forgotten: u64,
    places: VecDeque<(Database, Blob)>,
    bytes: usize,
}

impl Cursors {
    /// A cursor for what comes behind `key`.
    pub(crate) fn remember(&mut self, database: Database, key: &Blob) -> u64 {
        self.places.push_back((database, key.clone()));
        self.bytes += key.len();
        while self.places.len() > limits::CURSORS || self.bytes > limits::CURSOR_BYTES {
            let Some((_, key)) = self.places.pop_front() else { break };
            self.bytes -= key.len();
            self.forgotten += 1;
        }
        self.forgotten + self.places.len() as u64
    }

    /// The key behind which to go on, if the cursor is known and of this database.
    pub(crate) fn recall(&self, database: Database, cursor: u64) -> Option<&Blob> {
        let at = cursor.checked_sub(self.forgotten + 1)?;
        let (of, key) = self.places.get(usize::try_from(at).ok()?)?;
        (*of == database).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_cursor_is_forgotten() {
        let (mut cursors, database) = (Cursors::default(), Database::User(0));
        let first = cursors.remember(database, &"a".into());
        assert_eq!(cursors.recall(database, first), Some(&Blob::from("a")));
        assert_eq!(cursors.recall(Database::User(1), first), None);
        for _ in 0..limits::CURSORS {
            cursors.remember(database, &"b".into());
        }
        assert_eq!(cursors.recall(database, first), None);
        assert_eq!(cursors.recall(database, first + 1), Some(&Blob::from("b")));
        assert_eq!(cursors.recall(database, 0), None);
        assert_eq!(cursors.recall(database, u64::MAX), None);
    }
}
