//! `etcd-protos PROTO FOLDER`: reads a protobuf file and writes the Rust of its messages and clients into the folder.
//!
//! No `protoc` is needed. The file is written as `.in`, not `.rs`: it is included by a module that says what it is,
//! and neither formatted nor held to the rules for what people write.

use std::path::{Path, PathBuf};

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(proto), Some(folder)) = (paths.next(), paths.next()) else {
        anyhow::bail!("usage: etcd-protos PROTO FOLDER");
    };
    let include = proto.parent().context("the protobuf file lies in a folder")?;
    let files = protox::compile([&proto], [include])?;
    let package = files.file.first().map(|file| file.package().to_string()).unwrap_or_default();
    generate(files, &folder)?;
    let from = folder.join(format!("{package}.rs"));
    let to = folder.join(format!("{package}.in"));
    std::fs::rename(&from, &to).with_context(|| format!("cannot rename {}", from.display()))?;
    println!("wrote {}", to.display());
    Ok(())
}

fn generate(files: tonic_prost_build::FileDescriptorSet, folder: &Path) -> anyhow::Result<()> {
    let builder = tonic_prost_build::configure().build_server(false).build_transport(false).out_dir(folder);
    builder.bytes(".").compile_fds(files).context("cannot write the Rust of the protocol")
}
