//! What older agents have not put on record, put there before anybody sees the store: so it holds for data of theirs
//! however that comes here, by a restart, by a takeover, by a snapshot.

use adsum_catalog::register;

use crate::Store;

/// Checks that are noted in one commit: with keys as long as keys may be that is half of what a commit may hold.
const PIECE: usize = 250;

impl Store {
    /// Of which services checks are.
    pub(crate) fn complete(&self) {
        let view = self.directory().view();
        let checks: Vec<_> = view.registry().checks().map(|check| &check.record).collect();
        for piece in checks.chunks(PIECE) {
            self.transact(|tx| register::note_services(tx, piece.iter().copied()));
        }
    }
}
