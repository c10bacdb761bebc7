//! The start of a keeper that outlives its starter. Blocks.

use std::fs::{self, File, TryLockError};
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::link::socket_path;
use super::{Config, Error};
use crate::keeper::home::{make_private, private_file};
use crate::keeper::log::numbered;
use crate::keeper::program::INHERITED;
use crate::{keeper, sys};

/// When the keeper's own log is put aside, in bytes.
const LONGEST_LOG: u64 = 1024 * 1024;

/// Starts a keeper and waits until it can be connected to. Of several starters one does it, the others wait.
pub(super) fn start(config: &Config) -> Result<(), Error> {
    keeper::check_cluster(&config.cluster).map_err(|error| Error::Launch(error.to_string()))?;
    let in_dir = |source| Error::Dir { dir: config.dir.clone(), source: Arc::new(source) };
    let deadline = Instant::now() + config.timeout;
    make_private(&config.dir).map_err(in_dir)?;
    let _lock = lock(&config.dir.join("starting.lock"), deadline)?;
    if is_there(&config.dir) {
        return Ok(());
    }
    let log = open_log(&config.dir.join("keeper.log")).map_err(in_dir)?;
    let written = log.metadata().map_err(in_dir)?.len();
    let ready = spawn(config, log)
        .map_err(|error| Error::Launch(format!("{} cannot be started: {error}", config.program.display())))?;
    match read_line(ready, deadline)?.as_str() {
        "ready" => Ok(()),
        "" => Err(Error::Launch(last_words(&config.dir.join("keeper.log"), written))),
        other => Err(Error::Launch(other.trim_start_matches("failed: ").to_string())),
    }
}

fn lock(path: &Path, deadline: Instant) -> Result<File, Error> {
    let failed = |error: io::Error| Error::Dir { dir: path.to_path_buf(), source: Arc::new(error) };
    let file = private_file(path).map_err(failed)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(Error::Launch(format!("somebody else holds {} for too long", path.display())));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn is_there(dir: &Path) -> bool {
    socket_path(dir).and_then(|(_dir, path)| UnixStream::connect(path)).is_ok()
}

fn open_log(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LONGEST_LOG) {
        fs::rename(path, numbered(path, 1))?;
    }
    private_file(path)
}

/// The pipe on which the keeper says that it is ready. Nothing of ours comes down to it but that, its log, and the part
/// of the environment that children inherit.
fn spawn(config: &Config, log: File) -> io::Result<PipeReader> {
    let (ready, say) = io::pipe()?;
    let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut command = Command::new(&config.program);
    // The program's path may say nothing to whoever looks at the processes of the machine.
    command
        .arg0("adsum")
        .arg("keeper")
        .arg("--dir")
        .arg(config.dir.canonicalize()?)
        .args(["--cluster", &config.cluster]);
    if let Some(tree) = config.tree {
        command.args(["--tree", tree.as_str()]);
    }
    command.env_clear().envs(inherited).stdin(Stdio::null()).stdout(say).stderr(log);
    detach(&mut command);
    // What we spawn is the one in between, which has ended when this returns.
    command.spawn()?.wait()?;
    Ok(ready)
}

/// A session of its own, and nobody's child: there is no one to leave a zombie with.
#[allow(unsafe_code)]
fn detach(command: &mut Command) {
    let in_child = || {
        nix::unistd::setsid()?;
        sys::default_signals();
        sys::hide_descriptors();
        // SAFETY: this is the child of a process with threads; it and its own child only make system calls.
        match unsafe { sys::fork() }? {
            Some(_) => sys::exit_now(0),
            None => Ok(()),
        }
    };
    // SAFETY: the closure only makes system calls and allocates nothing.
    unsafe { command.pre_exec(in_child) };
}

/// A line without its end; empty when the other side says nothing before it ends.
fn read_line(mut pipe: PipeReader, deadline: Instant) -> Result<String, Error> {
    let mut said = Vec::new();
    while !said.ends_with(b"\n") {
        wait_readable(&pipe, deadline)?;
        let mut byte = [0];
        match pipe.read(&mut byte) {
            Ok(1) => said.push(byte[0]),
            Ok(_) => break,
            Err(error) => return Err(Error::Connection(Arc::new(error))),
        }
    }
    Ok(String::from_utf8_lossy(&said).trim().to_string())
}

fn wait_readable(pipe: &PipeReader, deadline: Instant) -> Result<(), Error> {
    let rest = deadline.saturating_duration_since(Instant::now()).as_millis();
    let patience = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], patience) {
        Ok(0) => Err(Error::Launch("it was not ready in time".to_string())),
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(Error::Connection(Arc::new(error.into()))),
    }
}

/// What a program that is no keeper, or a keeper that died, has left in the log.
fn last_words(log: &Path, written_before: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let new = text.get(written_before as usize..).unwrap_or_default();
    let new = String::from_utf8_lossy(new);
    match new.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("it ended with '{}' ({})", line.trim(), log.display()),
        None => "it ended without a word".to_string(),
    }
}
