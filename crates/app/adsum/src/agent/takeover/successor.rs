//! Has this program started anew, to take over from this very process.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::Command;

/// How this process was started.
pub(in super::super) struct Successor {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Successor {
    /// To be called while the program's file is still the one that was started: later another may be in its place.
    pub(in super::super) fn of_this_process() -> anyhow::Result<Successor> {
        let program = match std::env::args_os().next().and_then(|name| as_named(&name)) {
            Some(program) => program,
            None => std::env::current_exe().context("cannot find this program")?,
        };
        let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        if !arguments.iter().any(|argument| argument == "--takeover") {
            arguments.push("--takeover".into());
        }
        Ok(Successor { program, arguments })
    }

    /// How it fares it says itself, to the same log.
    pub(in super::super) fn start(&self) {
        let mut command = Command::new(&self.program);
        match command.args(&self.arguments).stdin(Stdio::null()).spawn() {
            Ok(child) => tracing::info!(process = child.id(), "a new process is to take over"),
            Err(error) => {
                tracing::error!(%error, program = %self.program.display(), "no new process can be started");
            }
        }
    }
}

/// Where the program is found that was started by this name. Not where a link of that name leads to: the next release may
/// be put in the place of the link.
fn as_named(name: &OsStr) -> Option<PathBuf> {
    let found = if name.as_bytes().contains(&b'/') {
        std::path::absolute(name).ok()?
    } else {
        let path = std::env::var_os("PATH")?;
        let places = std::env::split_paths(&path).map(|place| place.join(name));
        std::path::absolute(places.into_iter().find(|place| place.is_file())?).ok()?
    };
    // Whoever starts a program may call it what it likes.
    let is_this = found.canonicalize().ok()? == std::env::current_exe().ok()?;
    is_this.then_some(found)
}
