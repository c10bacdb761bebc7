//! What the journal's files are called: `journal-` or `snapshot-`, a revision in 16 hexadecimal digits, an ending. The
//! digits make the order of the names the order of the revisions.

use crate::disk::TEMPORARY;

/// A file of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// No record in this segment is below the revision.
    Segment(u64),
    /// The state at the revision.
    Snapshot(u64),
    /// Something that was not finished.
    Temporary,
}

impl Name {
    /// None for a file that is not ours, or is there for people only (`LOCK`, `.torn`).
    pub(crate) fn parse(text: &str) -> Option<Name> {
        let revision = |text: &str| (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok()).flatten();
        if let Some(rest) = text.strip_prefix("journal-") {
            match rest.strip_suffix(".log") {
                Some(digits) => revision(digits).map(Name::Segment),
                None => rest.ends_with(TEMPORARY).then_some(Name::Temporary),
            }
        } else {
            let rest = text.strip_prefix("snapshot-")?;
            match rest.strip_suffix(".snap") {
                Some(digits) => revision(digits).map(Name::Snapshot),
                None => rest.ends_with(TEMPORARY).then_some(Name::Temporary),
            }
        }
    }
}

/// Whether the file makes a directory one that holds a journal: what was never finished does not.
pub(crate) fn is_journal(text: &str) -> bool {
    matches!(Name::parse(text), Some(Name::Segment(_) | Name::Snapshot(_)))
}

pub(crate) fn segment(first: u64) -> String {
    format!("journal-{first:016x}.log")
}

pub(crate) fn snapshot(revision: u64) -> String {
    format!("snapshot-{revision:016x}.snap")
}

/// Where the cut tail of a segment is kept.
pub(crate) fn torn(segment: &str, offset: u64) -> String {
    format!("{segment}.{offset}.torn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_strangers_are_left_alone() {
        assert_eq!(Name::parse(&segment(0xabc)), Some(Name::Segment(0xabc)));
        assert_eq!(Name::parse(&snapshot(u64::MAX)), Some(Name::Snapshot(u64::MAX)));
        assert_eq!(Name::parse(&format!("{}{TEMPORARY}", segment(7))), Some(Name::Temporary));
        assert_eq!(Name::parse(&format!("{}{TEMPORARY}", torn(&segment(7), 99))), Some(Name::Temporary));
        for stranger in ["LOCK", "notes.tmp", "journal-7.log", "journal-000000000000000g.log"] {
            assert_eq!(Name::parse(stranger), None, "{stranger}");
        }
        assert_eq!(Name::parse(&torn(&segment(7), 99)), None);
    }
}
