//! What nobody needs any more.

use std::sync::Arc;

use crate::Commit;
use crate::draft::Undos;
use crate::state::Undo;

/// Values that were replaced, deleted or forgotten. Dropping it frees them, which takes long when they are large: not for
/// the writer.
pub struct Garbage {
    _commit: Option<Arc<Commit>>,
    _undos: Option<Undos>,
}

impl Garbage {
    pub(crate) fn of_undo(undo: Undo) -> Garbage {
        Garbage { _commit: None, _undos: Some([undo].into()) }
    }

    pub(crate) fn of_past(commit: Arc<Commit>, undos: Option<Undos>) -> Garbage {
        Garbage { _commit: Some(commit), _undos: undos }
    }
}
