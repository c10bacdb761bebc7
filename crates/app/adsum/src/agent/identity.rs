//! Which node a data directory belongs to. Its records name the node that runs their instances, so another node on
//! them would own nothing of what is there.

use std::path::Path;

use adsum_model::Name;
use anyhow::{Context, bail};

const FILE: &str = "node";

/// The node's name: as given, else as the directory has it, else the host's. A directory of another node is refused.
pub(super) fn node(dir: &Path, given: Option<Name>) -> anyhow::Result<Name> {
    let kept = std::fs::read_to_string(dir.join(FILE)).ok();
    let kept: Option<Name> = kept.and_then(|text| text.trim().parse().ok());
    match (given, kept) {
        (Some(given), Some(kept)) if given != kept => bail!(
            "the data directory {} belongs to node '{kept}', not to '{given}': pass --node {kept}, or another --data-dir",
            dir.display()
        ),
        (Some(name), _) | (None, Some(name)) => Ok(name),
        (None, None) => host_name(),
    }
}

/// Writes the name down. For the one who holds the directory's lock: who began at the same time may have been faster.
pub(super) fn keep(dir: &Path, name: &Name) -> anyhow::Result<()> {
    node(dir, Some(name.clone()))?;
    let file = dir.join(FILE);
    if std::fs::read_to_string(&file).is_ok_and(|kept| kept.trim() == name.as_str()) {
        // A full disk is no reason to write it again, and fail.
        return Ok(());
    }
    std::fs::write(&file, format!("{name}\n")).with_context(|| format!("cannot write {}", file.display()))
}

/// The host's name up to the first dot, if it is a name.
fn host_name() -> anyhow::Result<Name> {
    let name = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().to_lowercase();
    let first = name.split('.').next().unwrap_or_default();
    first
        .parse()
        .with_context(|| format!("the host name '{name}' does not do as a node's name: pass --node NAME"))
}
