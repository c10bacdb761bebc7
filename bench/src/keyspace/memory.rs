//! Memory that a piece of work leaves behind, as the kernel counts it.

use crate::process::Process;

/// What `work` makes, and by how many bytes it has let the resident memory of this process grow.
pub(crate) fn growth<T>(work: impl FnOnce() -> T) -> anyhow::Result<(T, f64)> {
    let before = Process::own().rss()?;
    let made = work();
    Ok((made, Process::own().rss()?.saturating_sub(before) as f64))
}

pub(crate) fn per_key(bytes: f64, keys: usize) -> String {
    format!("{:.0} B", bytes / keys as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_what_was_written_to() {
        let (block, bytes) = growth(|| vec![1u8; 32 << 20]).unwrap();
        assert!(bytes > 0.9 * block.len() as f64, "{bytes}");
    }
}
