//! The ordered keyspace: revisions, typed values, transactions, deadlines, watches.
