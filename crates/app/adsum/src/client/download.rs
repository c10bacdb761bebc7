//! A body that goes to a file: under its name only when it is whole and on disk.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Writes `body` beside `path`, has `check` look at it, and gives it its name.
pub(crate) async fn download<T>(
    mut body: Incoming,
    path: &Path,
    check: impl FnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("cannot write to {}", dir.display());
    let mut file = tempfile::Builder::new().prefix(".adsum-").tempfile_in(dir).with_context(cannot)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the agent broke the answer off")?;
        file.write_all(frame.data_ref().map_or(&[], |data| &data[..])).with_context(cannot)?;
    }
    file.as_file().sync_all().with_context(cannot)?;
    let checked = check(file.path())?;
    file.persist(path).with_context(|| format!("cannot give {} its name", path.display()))?;
    File::open(dir).and_then(|dir| dir.sync_all()).with_context(cannot)?;
    Ok(checked)
}
