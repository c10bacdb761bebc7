//! `cargo xtask etcd-protos`: makes the Rust of etcd's protocol anew, after a change of the `.proto` file.
//!
//! The generator is a workspace by itself, so that nobody else builds what it needs.

use crate::cargo::{cargo, root, succeeds, target};

pub(crate) fn run() -> anyhow::Result<bool> {
    let mut command = cargo(&["run", "--quiet", "--manifest-path", "xtask/etcd-protos/Cargo.toml"]);
    // A folder of its own in the target directory: the outer one is locked by the cargo that runs us.
    command.arg("--target-dir").arg(target()?.join("etcd-protos")).arg("--");
    command.arg(root().join("crates/edge/etcd/proto/etcd.proto"));
    command.arg(root().join("crates/edge/etcd/src"));
    succeeds(&mut command)
}
