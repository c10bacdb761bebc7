//! Owns the keyspace and its engine behind one handle.
