//! The keeper: the small process that parents the instances of a node.
//!
//! One thread, one loop, no runtime. It decides nothing: it starts and stops what it is told, and says what it sees.
//! It ends when it is told to, and on SIGTERM; a keeper that ends otherwise than by a shutdown leaves its instances
//! running, and the next one on the same directory adopts them.

mod adopt;
mod cgroup;
mod connection;
mod event_loop;
pub(crate) mod home;
mod instance;
mod instances;
pub(crate) mod log;
mod output;
pub(crate) mod program;
mod record;
mod spawn;
mod tree;
mod ulimit;
mod user;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{SigSet, Signal as Sig};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, umask};

use crate::{TreeKind, wire};
use cgroup::Hierarchy;
use event_loop::EventLoop;
use home::Home;
use instances::Instances;

/// What `adsum keeper` is given.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--dir`: the keeper's own directory, made for its owner only when it is missing.
    pub dir: PathBuf,
    /// `--cluster`: the id of the cluster, 1 to 64 of `0-9a-f`.
    pub cluster: String,
    /// `--tree`: how to keep hold of the processes; the best that the machine offers when none.
    pub tree: Option<TreeKind>,
}

/// Why a keeper cannot work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("'{0}' is no cluster id: 1 to 64 of 0-9 and a-f are wanted")]
    Cluster(String),
    #[error(
        "the keeper forks and must have a single thread, but this process has {0}: call it first in main"
    )]
    Threads(usize),
    #[error("no control groups can be made here: run without --tree {}", .0.as_str())]
    NoCgroups(TreeKind),
    #[error("another keeper (process {holder}) holds {}", lock.display())]
    Locked { lock: PathBuf, holder: String },
    #[error("the keeper's directory {}", dir.display())]
    Dir { dir: PathBuf, source: io::Error },
    #[error("the keeper")]
    System(#[from] io::Error),
}

/// How long a keeper waits for one before it that is just ending.
const PATIENCE: Duration = Duration::from_secs(5);

/// Is the keeper until it is told to end. To be called in a process that has one thread.
///
/// Says `ready` on standard output once agents can connect, or `failed: ` and why not, and lets go of standard output.
pub fn run(options: &Options) -> Result<(), RunError> {
    match prepare(options) {
        Ok((event_loop, lock)) => {
            say("ready");
            event_loop.run()?;
            // In the current directory, as it was made.
            let _ = fs::remove_file(wire::SOCKET);
            drop(lock);
            Ok(())
        }
        Err(error) => {
            say(&format!("failed: {}", with_source(&error)));
            Err(error)
        }
    }
}

fn prepare(options: &Options) -> Result<(EventLoop, File), RunError> {
    check_cluster(&options.cluster)?;
    check_single_thread()?;
    umask(Mode::from_bits_truncate(0o077));
    // Started by way of /proc/self/exe it would be called `exe`. What it is called is for people only.
    let _ = fs::write("/proc/self/comm", "adsum");
    let in_dir = |source| RunError::Dir { dir: options.dir.clone(), source };
    let home = Home::open(&options.dir, &options.cluster).map_err(in_dir)?;
    let lock = lock(&home.dir.join("keeper.lock"))?;
    // Taken before anything is started or adopted, so that no end of a child is missed.
    let signals = take_signals()?;
    nix::sys::prctl::set_child_subreaper(true).map_err(io::Error::from)?;
    let hierarchy = hierarchy(options)?;
    std::env::set_current_dir(&home.dir).map_err(in_dir)?;
    let mut instances = Instances::new(home, hierarchy, raise_open_files()?)?;
    instances.adopt().map_err(in_dir)?;
    let listener = listen().map_err(in_dir)?;
    Ok((EventLoop::new(signals, listener, instances), lock))
}

/// The id becomes part of file names and is compared as text, so one spelling only.
pub(crate) fn check_cluster(cluster: &str) -> Result<(), RunError> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fine = (1..=64).contains(&cluster.len()) && cluster.bytes().all(is_hex);
    if fine { Ok(()) } else { Err(RunError::Cluster(cluster.to_string())) }
}

fn check_single_thread() -> Result<(), RunError> {
    match fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        threads => Err(RunError::Threads(threads)),
    }
}

/// Waits a little for the lock: a keeper that was killed lets go of it only when it is quite gone.
fn lock(path: &Path) -> Result<File, RunError> {
    let deadline = Instant::now() + PATIENCE;
    let mut file = home::private_file(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                let holder = fs::read_to_string(path).unwrap_or_default().trim().to_string();
                return Err(RunError::Locked { lock: path.to_path_buf(), holder });
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
        }
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// SIGCHLD and SIGTERM come as data; those of a terminal do not concern a keeper.
fn take_signals() -> io::Result<SignalFd> {
    let taken = SigSet::from_iter([Sig::SIGCHLD, Sig::SIGTERM]);
    let mut blocked = taken;
    blocked.extend([Sig::SIGHUP, Sig::SIGINT, Sig::SIGQUIT, Sig::SIGTSTP]);
    blocked.thread_block()?;
    Ok(SignalFd::with_flags(&taken, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

fn hierarchy(options: &Options) -> Result<Option<Hierarchy>, RunError> {
    if options.tree == Some(TreeKind::ProcessGroup) {
        return Ok(None);
    }
    let found = Hierarchy::find(&options.cluster, options.tree);
    match options.tree {
        Some(kind) if found.is_none() => Err(RunError::NoCgroups(kind)),
        Some(_) | None => Ok(found),
    }
}

/// The keeper has a few descriptors per instance. Answers what the limit was, which children get back.
fn raise_open_files() -> io::Result<rlim_t> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(soft)
}

/// Listens in the current directory, which is the keeper's: a socket's path has a limit of 107 bytes, a directory's
/// has not. Only the holder of the lock comes here, so a socket that is there is nobody's.
fn listen() -> io::Result<UnixListener> {
    home::remove(Path::new(wire::SOCKET))?;
    let listener = UnixListener::bind(wire::SOCKET)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Tells the starter, which may be gone, and then lets go of the pipe to it: standard output is where errors go.
fn say(line: &str) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    let _ = nix::unistd::dup2_stdout(io::stderr());
}

fn with_source(error: &RunError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_is_lower_case_hex() {
        assert!(check_cluster("00ffa9").is_ok());
        for bad in ["", "FF", "../x", "0x1", &"a".repeat(65)] {
            assert!(check_cluster(bad).is_err(), "{bad}");
        }
    }
}
