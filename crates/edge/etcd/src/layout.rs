//! Which keys of etcd hold what.
//!
//! ```text
//! /adsum/NAME/k/03/000000000000000a/KEY   a row: what KEY of database 3 holds, in generation 10
//!            /g/03                        the generation of database 3; flushing it is the next one
//!            /d/03                        put by every transaction that takes a key out of database 3
//!            /w/base                      what is added to etcd's revisions
//!            /w/event                     the event record, put by every transaction
//!            /s/ID                        a process, for as long as its lease lives
//!            /timekeeper                  which process expires keys
//! ```

use adsum_keyspace::Database;

/// The keys of one keyspace, by its name.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    prefix: String,
}

/// Keys from the first to the second, which is not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
}

impl Span {
    /// Everything that begins with `prefix`, which is not made of `0xff` alone.
    pub(crate) fn under(prefix: Vec<u8>) -> Span {
        let mut to = prefix.clone();
        while to.last() == Some(&0xff) {
            to.pop();
        }
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        Span { from: prefix, to }
    }
}

/// All of them, with their place in a list of all.
pub(crate) fn databases() -> impl Iterator<Item = Database> {
    (0..Database::USERS).map(Database::User).chain([Database::System])
}

impl Layout {
    pub(crate) fn new(name: &str) -> Layout {
        Layout { prefix: format!("/adsum/{name}/") }
    }

    pub(crate) fn row(&self, database: Database, generation: u64, key: &[u8]) -> Vec<u8> {
        let mut row = self.generation_of(database, generation).into_bytes();
        row.extend_from_slice(key);
        row
    }

    /// The rows of the keys that begin with `prefix`.
    pub(crate) fn rows(&self, database: Database, generation: u64, prefix: &[u8]) -> Span {
        Span::under(self.row(database, generation, prefix))
    }

    /// The rows of all generations before this one.
    pub(crate) fn rows_before(&self, database: Database, generation: u64) -> Span {
        Span { from: self.row(database, 0, b""), to: self.row(database, generation, b"") }
    }

    /// The user's key in a row's.
    pub(crate) fn key<'a>(&self, database: Database, generation: u64, row: &'a [u8]) -> Option<&'a [u8]> {
        row.strip_prefix(self.generation_of(database, generation).as_bytes())
    }

    pub(crate) fn generation(&self, database: Database) -> Vec<u8> {
        format!("{}g/{}", self.prefix, label(database)).into_bytes()
    }

    pub(crate) fn removed(&self, database: Database) -> Vec<u8> {
        format!("{}d/{}", self.prefix, label(database)).into_bytes()
    }

    pub(crate) fn base(&self) -> Vec<u8> {
        format!("{}w/base", self.prefix).into_bytes()
    }

    pub(crate) fn event(&self) -> Vec<u8> {
        format!("{}w/event", self.prefix).into_bytes()
    }

    /// Base and event record.
    pub(crate) fn watched(&self) -> Span {
        Span::under(format!("{}w/", self.prefix).into_bytes())
    }

    pub(crate) fn session(&self, id: &str) -> Vec<u8> {
        format!("{}s/{id}", self.prefix).into_bytes()
    }

    pub(crate) fn timekeeper(&self) -> Vec<u8> {
        format!("{}timekeeper", self.prefix).into_bytes()
    }

    /// Sixteen digits, so that generations are in order.
    fn generation_of(&self, database: Database, generation: u64) -> String {
        format!("{}k/{}/{generation:016x}/", self.prefix, label(database))
    }
}

fn label(database: Database) -> String {
    match database {
        Database::User(number) => format!("{number:02}"),
        Database::System => "system".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_what_begins_with_its_prefix_and_nothing_else() {
        let span = Span::under(b"a\xff\xff".to_vec());
        assert_eq!(span, Span { from: b"a\xff\xff".to_vec(), to: b"b".to_vec() });
        let layout = Layout::new("test");
        let rows = layout.rows(Database::User(3), 10, b"x/");
        let inside = |row: Vec<u8>| rows.from <= row && row < rows.to;
        assert!(inside(layout.row(Database::User(3), 10, b"x/")));
        assert!(inside(layout.row(Database::User(3), 10, b"x/\xff\xff")));
        assert!(!inside(layout.row(Database::User(3), 10, b"x0")));
        assert!(!inside(layout.row(Database::User(3), 11, b"x/")));
    }

    #[test]
    fn a_row_gives_its_key_back() {
        let layout = Layout::new("test");
        let row = layout.row(Database::System, 1, b"a/\x00b");
        assert_eq!(layout.key(Database::System, 1, &row), Some(b"a/\x00b".as_slice()));
        assert_eq!(layout.key(Database::System, 2, &row), None);
        let old = layout.rows_before(Database::System, 2);
        assert!(old.from <= row && row < old.to);
        assert!(layout.row(Database::System, 2, b"") >= old.to);
    }
}
