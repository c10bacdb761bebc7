//! The write-ahead log of the embedded engine, with its snapshots.
