//! Standard input for an instance, which has none of its own: copied to a file that the instance follows.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Copies standard input to a file in `dir`, on a thread of its own. When it has ended a file of the same name with
/// `.end` appears beside it.
pub(super) fn start(dir: &Path) -> io::Result<PathBuf> {
    let path = dir.join("stream.ndjson");
    let mut file = File::create(&path)?;
    let end = dir.join("stream.ndjson.end");
    std::thread::spawn(move || {
        let copied = io::copy(&mut io::stdin().lock(), &mut file).and_then(|_| File::create(&end));
        if let Err(error) = copied {
            tracing::error!(%error, "standard input is followed no longer");
        }
    });
    Ok(path)
}
