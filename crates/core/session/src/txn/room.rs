//! How much one transaction reads, and what of that is left.

/// Bytes that one transaction reads, as [`Found::weight`](super::Found::weight) has them.
const READ: usize = 64 * 1024 * 1024;

/// Bytes that something found takes beside its key and its value: what stands beside it, and its form in an answer.
pub(super) const FRAME: usize = 256;

/// Bytes that may still be read, those of operations that have failed included; none when it was too much.
pub(super) struct Room(Option<usize>);

impl Room {
    pub(super) fn whole() -> Room {
        Room(Some(READ))
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.0 = self.0.and_then(|left| left.checked_sub(bytes));
        let much = READ / 1024 / 1024;
        self.0
            .map(drop)
            .ok_or_else(|| format!("the transaction reads more than {much} MiB: ask for less at a time"))
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.0.is_none()
    }
}
