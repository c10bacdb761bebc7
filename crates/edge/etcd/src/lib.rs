//! The keyspace on etcd: the second engine.

mod protocol;
