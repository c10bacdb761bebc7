//! The last known good table on disk: `DATA/gateway/table.json`. It is there so that requests are served while the journal
//! is being read, and is never older than a moment.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use adsum_model::Revision;
use adsum_routing::Table;

/// Where the table is, and which one is there.
pub(super) struct LastKnown {
    file: PathBuf,
    written: Option<Revision>,
}

impl LastKnown {
    /// The table that was kept, if there is one that can be read.
    pub(super) fn read(data_dir: &Path) -> (LastKnown, Option<Table>) {
        let file = data_dir.join("gateway").join("table.json");
        let table = match fs::read(&file) {
            Ok(bytes) => Table::from_json(&bytes)
                .inspect_err(|error| {
                    tracing::warn!(%error, file = %file.display(), "the last known routes cannot be read and are left out");
                })
                .ok(),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, file = %file.display(), "the last known routes cannot be read");
                }
                None
            }
        };
        (LastKnown { file, written: None }, table)
    }

    /// Puts the table in the place of the one before it, whole or not at all. Routing goes on without it.
    pub(super) fn write(&mut self, table: &Table) {
        if self.written == Some(table.revision) {
            return;
        }
        match self.replace(&table.to_json()) {
            Ok(()) => self.written = Some(table.revision),
            Err(error) => {
                tracing::warn!(%error, file = %self.file.display(), "the routes cannot be kept for the next start");
            }
        }
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let dir = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let new = dir.join("table.json.new");
        let mut file = fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&new, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(revision: u64) -> Table {
        let mut table = Table::default();
        table.revision = Revision(revision);
        table
    }

    #[test]
    fn a_table_that_was_kept_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, none) = LastKnown::read(dir.path());
        assert!(none.is_none());
        kept.write(&table(42));
        let (_, found) = LastKnown::read(dir.path());
        assert_eq!(found.unwrap().revision, Revision(42));
    }

    #[test]
    fn a_table_is_written_once_for_each_revision() {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, _) = LastKnown::read(dir.path());
        kept.write(&table(1));
        fs::remove_file(dir.path().join("gateway/table.json")).unwrap();
        kept.write(&table(1));
        assert!(LastKnown::read(dir.path()).1.is_none());
        kept.write(&table(2));
        assert!(LastKnown::read(dir.path()).1.is_some());
    }

    #[test]
    fn a_damaged_table_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("gateway")).unwrap();
        fs::write(dir.path().join("gateway/table.json"), b"{\"version\":").unwrap();
        assert!(LastKnown::read(dir.path()).1.is_none());
    }
}
