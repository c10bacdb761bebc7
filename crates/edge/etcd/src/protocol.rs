//! etcd's messages and clients, as `cargo xtask etcd-protos` makes them of `proto/etcd.proto`.
//!
//! The file is included, not a module of its own, so that rustfmt leaves it alone; what clippy would say of it is of
//! no use to anybody.

#![allow(
    clippy::all,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "it is made, not written, and holds every message of the protocol"
)]

include!("etcdserverpb.in");
