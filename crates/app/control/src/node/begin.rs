//! One start: the slot's directory, the way to it, and the keeper.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use adsum_model::Process;
use adsum_runtime::{Keeper, Start, StartError};

/// What became of a start.
pub(super) enum Begun {
    Started(Process),
    Failed(String),
    /// A keeper that did not answer may have started it: it is asked again.
    Unknown,
}

pub(super) async fn begin(keeper: &Keeper, start: Start, data_dir: &Path) -> Begun {
    if let Err(error) = make_slot_dir(&start, data_dir) {
        let slot_dir = start.data_dir.unwrap_or_default();
        return Begun::Failed(format!("its data directory {} cannot be made: {error}", slot_dir.display()));
    }
    let id = start.id.clone();
    match keeper.start(start).await {
        Ok(process) => Begun::Started(process),
        Err(StartError::Keeper(error)) => {
            tracing::warn!(instance = %id, %error, "the keeper cannot be asked to start it");
            Begun::Unknown
        }
        Err(error) => Begun::Failed(sentence(&error)),
    }
}

fn make_slot_dir(start: &Start, data_dir: &Path) -> std::io::Result<()> {
    let Some(slot_dir) = &start.data_dir else { return Ok(()) };
    std::fs::create_dir_all(slot_dir)?;
    if start.user.is_some() { let_others_through(slot_dir, data_dir) } else { Ok(()) }
}

/// The agent's data is closed to others. Who runs as somebody else has to come to the directory that is its own: through
/// those above it, of which it sees nothing by that.
fn let_others_through(slot_dir: &Path, data_dir: &Path) -> std::io::Result<()> {
    const SEARCH: u32 = 0o011;
    for dir in slot_dir.ancestors().skip(1).take_while(|dir| dir.starts_with(data_dir)) {
        let mut permissions = std::fs::metadata(dir)?.permissions();
        if permissions.mode() & SEARCH != SEARCH {
            permissions.set_mode(permissions.mode() | SEARCH);
            std::fs::set_permissions(dir, permissions)?;
        }
    }
    Ok(())
}

/// An error with its sources, in one line.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_slots_data_is_opened_and_nothing_beside_it() {
        let data = tempfile::tempdir().unwrap();
        let slot = data.path().join("slots/web/1");
        std::fs::create_dir_all(&slot).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let above = data.path().parent().unwrap();
        for dir in [&slot, slot.parent().unwrap(), data.path()] {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let before = mode(above);
        let_others_through(&slot, data.path()).unwrap();
        assert_eq!([data.path(), slot.parent().unwrap(), &slot].map(mode), [0o711, 0o711, 0o700]);
        assert_eq!(mode(above), before);
    }
}
