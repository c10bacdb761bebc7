//! The image of an instance: its program with the libraries that it wants, and a shell for its health check.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::dockerd::Dockerd;

pub(super) const IMAGE: &str = "adsum-bench/backend:1";
/// Where the program lies in it.
pub(super) const PROGRAM: &str = "/backend";
/// Statically linked, of Debian's busybox-static.
const SHELL: &str = "/bin/busybox";

pub(super) fn make(dockerd: &Dockerd, program: &Path) -> anyhow::Result<()> {
    let root = dockerd.path().join("root");
    copy(program, &root, PROGRAM)?;
    for library in libraries(program)? {
        copy(Path::new(&library), &root, &library)?;
    }
    anyhow::ensure!(Path::new(SHELL).is_file(), "{SHELL} is missing (Debian: busybox-static)");
    copy(Path::new(SHELL), &root, SHELL)?;
    for name in ["sh", "wget"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name))?;
    }
    dockerd.command().import(&root, IMAGE)
}

fn copy(from: &Path, root: &Path, to: &str) -> anyhow::Result<()> {
    let to = root.join(to.trim_start_matches('/'));
    std::fs::create_dir_all(to.parent().context("it lies in a folder")?)?;
    std::fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Absolute paths, as the dynamic linker finds them.
fn libraries(program: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    Ok(paths(&String::from_utf8_lossy(&output.stdout)))
}

fn paths(text: &str) -> Vec<String> {
    text.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_with_a_path() {
        let text =
            "\tlinux-vdso.so.1 (0x7ffe)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x7f)\n\t/lib64/ld.so (0x7f)\n";
        assert_eq!(paths(text), ["/lib/x/libc.so.6", "/lib64/ld.so"]);
    }
}
