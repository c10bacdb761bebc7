//! Fork and exec, with the record in between.
//!
//! ```text
//! keeper: fork ------------- commit(pid) -- "go" -------------- reads until the end -> started, or errno
//! child:       setsid, cgroups, limits ... waits for "go" -- user, exec (closes the pipe) or tells errno
//! ```
//!
//! A child whose keeper dies before it said "go" reads the end of the pipe and ends without having run anything. So no
//! program ever runs of which the disk does not know.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};

use adsum_model::Process;
use nix::sys::stat::{Mode, umask};
use nix::unistd::setsid;

use super::program::Program;
use super::ulimit::ProcessLimits;
use crate::{proc, sys};

/// What a child needs beside its program.
pub(crate) struct Setting<'a> {
    pub(crate) output: File,
    /// The `cgroup.procs` of its groups.
    pub(crate) doors: Vec<File>,
    pub(crate) boot_id: &'a str,
    pub(crate) limits: ProcessLimits,
}

#[derive(Debug)]
pub(crate) enum SpawnError {
    Fork(io::Error),
    Commit(io::Error),
    /// In the child, before its program.
    Child {
        what: String,
        error: io::Error,
    },
    /// execve.
    Exec(io::Error),
}

/// Starts `program`, after `commit` has put its process on record. Must be called while this process has no other
/// thread.
#[allow(unsafe_code)]
pub(crate) fn spawn(
    program: &Program,
    setting: Setting<'_>,
    commit: impl FnOnce(&Process) -> io::Result<()>,
) -> Result<Process, SpawnError> {
    let boot_id = setting.boot_id;
    let (wait_go, go) = io::pipe().map_err(SpawnError::Fork)?;
    let (told, tell) = io::pipe().map_err(SpawnError::Fork)?;
    // SAFETY: the keeper has one thread; `run` refuses to work otherwise.
    match unsafe { sys::fork() }.map_err(SpawnError::Fork)? {
        None => {
            let _never_back = ExitOnUnwind;
            drop((go, told));
            become_program(program, setting, wait_go, tell)
        }
        Some(pid) => {
            drop((wait_go, tell));
            let started = release(pid, boot_id, go, told, commit);
            if started.is_err() {
                sys::reap(pid);
            }
            started
        }
    }
}

/// The keeper's side. Without "go", by an early return, the child ends.
fn release(
    pid: u32,
    boot_id: &str,
    mut go: PipeWriter,
    mut told: PipeReader,
    commit: impl FnOnce(&Process) -> io::Result<()>,
) -> Result<Process, SpawnError> {
    let failed = |error: io::Error| SpawnError::Child { what: "its child process failed".to_string(), error };
    let vanished = || failed(io::Error::other("it vanished"));
    let process = proc::identify(pid, boot_id).ok_or_else(vanished)?;
    commit(&process).map_err(SpawnError::Commit)?;
    // A child that failed in its preparations does not listen any more, and has said why.
    let _ = go.write_all(b"g");
    drop(go);
    let mut words = Vec::new();
    told.read_to_end(&mut words).map_err(failed)?;
    heard(&words).map_or(Ok(process), Err)
}

/// What the child has told: its errno, and what it could not do unless that was execve. Nothing when it runs its program.
fn heard(words: &[u8]) -> Option<SpawnError> {
    let (errno, what) = words.split_first_chunk()?;
    let error = io::Error::from_raw_os_error(i32::from_ne_bytes(*errno));
    let what = String::from_utf8_lossy(what).into_owned();
    Some(if what.is_empty() { SpawnError::Exec(error) } else { SpawnError::Child { what, error } })
}

/// The child's side.
fn become_program(program: &Program, setting: Setting<'_>, go: PipeReader, mut tell: PipeWriter) -> ! {
    let ready = prepare(&setting, go)
        .map_err(|error| ("its surroundings cannot be made".to_string(), error))
        .and_then(|()| program.take_place(&setting.output, &setting.limits));
    let (what, error) = match ready {
        Ok(()) => (String::new(), program.exec()),
        Err(failed) => failed,
    };
    let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
    let _ = tell.write_all(&[&errno.to_ne_bytes(), what.as_bytes()].concat());
    sys::exit_now(127)
}

fn prepare(setting: &Setting<'_>, mut go: PipeReader) -> io::Result<()> {
    setsid()?;
    setting.doors.iter().try_for_each(|mut door| door.write_all(b"0"))?;
    umask(Mode::from_bits_truncate(0o022));
    nix::sys::prctl::set_no_new_privs()?;
    sys::default_signals();
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    sys::hide_descriptors();
    go.read_exact(&mut [0])
}

/// Keeps a panic in the child from unwinding into the keeper's code, which must not run twice.
struct ExitOnUnwind;

impl Drop for ExitOnUnwind {
    fn drop(&mut self) {
        sys::exit_now(127);
    }
}
