//! The last known good table on disk: `DATA/gateway/table.json`, for its owner only. It is there so that requests are
//! served while the journal is being read, and is never older than a moment. It means something beside the data that it
//! was made from, and so it names the cluster.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adsum_routing::Table;

/// Where the table is, and which one is there.
pub(super) struct LastKnown {
    file: PathBuf,
    /// Whose data it is; that of a new directory is known when it has been opened.
    cluster: Option<String>,
    written: Option<Arc<Table>>,
}

impl LastKnown {
    /// The table that was kept for this cluster, if there is one that can be read.
    pub(super) fn read(data_dir: &Path, cluster: Option<String>) -> (LastKnown, Option<Table>) {
        let file = data_dir.join("gateway").join("table.json");
        let table = match fs::read(&file) {
            Ok(bytes) => Table::from_json(&bytes, cluster.as_deref().unwrap_or("unknown"))
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
        (LastKnown { file, cluster, written: None }, table)
    }

    pub(super) fn belongs_to(&mut self, cluster: String) {
        self.cluster = Some(cluster);
    }

    /// Puts the table in the place of the one before it, whole or not at all. Routing goes on without it.
    pub(super) fn write(&mut self, table: &Arc<Table>) {
        let Some(cluster) = &self.cluster else { return };
        if self.written.as_ref().is_some_and(|written| Arc::ptr_eq(written, table)) {
            return;
        }
        match self.replace(&table.to_json(cluster)) {
            Ok(()) => self.written = Some(table.clone()),
            Err(error) => {
                tracing::warn!(%error, file = %self.file.display(), "the routes cannot be kept for the next start");
            }
        }
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let dir = self.file.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        // One that a release before this made for everybody.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        let new = dir.join("table.json.new");
        // Whatever is there was not finished, and has somebody else's mode.
        let _ = fs::remove_file(&new);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        // Not brought to disk: after a crash of the machine none of these instances is there any more, and a table that is
        // not whole is refused by its checksum.
        file.write_all(bytes)?;
        fs::rename(&new, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use adsum_model::Revision;

    use super::*;

    fn table(revision: u64) -> Arc<Table> {
        let mut table = Table::default();
        table.revision = Revision(revision);
        Arc::new(table)
    }

    fn read(dir: &Path, cluster: &str) -> (LastKnown, Option<Table>) {
        LastKnown::read(dir, Some(cluster.to_string()))
    }

    #[test]
    fn a_table_that_was_kept_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, none) = read(dir.path(), "one");
        assert!(none.is_none());
        kept.write(&table(42));
        let (_, found) = read(dir.path(), "one");
        assert_eq!(found.unwrap().revision, Revision(42));
    }

    #[test]
    fn a_table_of_other_data_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        read(dir.path(), "one").0.write(&table(42));
        assert!(read(dir.path(), "other").1.is_none());
        let (mut kept, none) = LastKnown::read(dir.path(), None);
        assert!(none.is_none(), "of new data there is none");
        kept.write(&table(43));
        assert!(read(dir.path(), "new").1.is_none(), "nobody knew yet whose it is");
        kept.belongs_to("new".to_string());
        kept.write(&table(43));
        assert!(read(dir.path(), "new").1.is_some());
    }

    #[test]
    fn a_table_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let (mut kept, _) = read(dir.path(), "one");
        let first = table(1);
        kept.write(&first);
        fs::remove_file(dir.path().join("gateway/table.json")).unwrap();
        kept.write(&first);
        assert!(read(dir.path(), "one").1.is_none());
        // Of the same revision, and another: somebody was in doubt.
        kept.write(&table(1));
        assert!(read(dir.path(), "one").1.is_some());
    }

    #[test]
    fn nobody_but_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("gateway");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        read(dir.path(), "one").0.write(&table(1));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("table.json"))), (0o700, 0o600));
    }

    #[test]
    fn a_damaged_table_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("gateway")).unwrap();
        fs::write(dir.path().join("gateway/table.json"), b"{\"version\":").unwrap();
        assert!(read(dir.path(), "one").1.is_none());
    }
}
