//! The agent's handle on the keeper.
//!
//! One task per handle owns the connection. When that is lost it starts the next keeper by itself, which adopts what
//! runs, and asks again what was not answered: every verb may be asked twice. The task is an implementation of the
//! handle; it ends with the last clone of it.

mod access;
mod launch;
mod link;
mod session;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adsum_model::{InstanceId, Offer, Process};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::wire::{Answer, Hello, Verb};
use crate::{Observed, Signal, Start, StartError, TreeKind, sys};
pub use access::Access;
use session::Ask;

/// Where the keeper is, and how one is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// The keeper's own directory, made for its owner only when it is missing. One keeper works on a directory.
    pub dir: PathBuf,
    /// The id of the cluster, 1 to 64 of `0-9a-f`.
    pub cluster: String,
    /// Started as `PROGRAM keeper --dir DIR --cluster HEX`, usually `/proc/self/exe`: that is this program even when
    /// another is in the place of its file by then. It has to call [`crate::keeper::run`] before it makes threads.
    pub program: PathBuf,
    /// Adds `--tree cgroup2|cgroup1|process-group`; nothing when none.
    pub tree: Option<TreeKind>,
    /// How long a keeper may take to start, and to answer.
    pub timeout: Duration,
}

/// A handle on the keeper; clones are the same. Its calls are made on a tokio runtime.
#[derive(Clone, Debug)]
pub struct Keeper {
    asks: mpsc::Sender<Ask>,
    generation: watch::Receiver<u64>,
    hello: watch::Receiver<Hello>,
    timeout: Duration,
}

/// Why the keeper could not do something.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("the keeper's directory {}", dir.display())]
    Dir { dir: PathBuf, source: Arc<io::Error> },
    #[error("the keeper did not start: {0}")]
    Launch(String),
    #[error("the keeper in {} belongs to cluster {found}, not to {wanted}", dir.display())]
    Cluster { dir: PathBuf, found: String, wanted: String },
    #[error("the connection to the keeper")]
    Connection(#[source] Arc<io::Error>),
    #[error("the keeper (process {pid}) did not answer within {timeout:?}")]
    Timeout { pid: u32, timeout: Duration },
    #[error("the keeper was lost {0} times while it was at this")]
    Lost(u32),
    #[error("the keeper has been shut down")]
    ShutDown,
    #[error("the keeper knows no instance {0}")]
    Unknown(InstanceId),
    #[error("instance {0} still runs: stop it first")]
    StillRunning(InstanceId),
    #[error("the keeper gave an answer that does not belong to the question")]
    Nonsense,
}

impl Config {
    /// Everything at its default but the three that have none: 10 s of patience, the best tree there is.
    pub fn new(dir: PathBuf, cluster: String, program: PathBuf) -> Config {
        Config { dir, cluster, program, tree: None, timeout: Duration::from_secs(10) }
    }
}

impl Keeper {
    /// Connects to the keeper of `config.dir`, or starts one, detached from this process, when there is none. A keeper
    /// of another protocol version is replaced, its instances are adopted.
    pub async fn connect_or_start(config: Config) -> Result<Keeper, Error> {
        let link = link::open(&config).await?;
        Ok(Access::by(config, link).begin())
    }

    /// The keeper's process id now.
    pub fn pid(&self) -> u32 {
        self.hello.borrow().pid
    }

    /// How the keeper keeps hold of the processes that it starts.
    pub fn tree(&self) -> TreeKind {
        self.hello.borrow().tree
    }

    /// What it can do for those that it starts.
    pub fn offer(&self) -> Offer {
        self.hello.borrow().offer.clone()
    }

    /// A number that rises, soon after, whenever the state of an instance has changed, and when the keeper itself was
    /// replaced. It says that [`Keeper::list`] is worth a look, and nothing else.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.clone()
    }

    /// Starts an instance, or answers the process of the one that runs already. One that has exited is started anew,
    /// and its exit is forgotten.
    ///
    /// Relative paths count from this process's current directory.
    pub async fn start(&self, mut start: Start) -> Result<Process, StartError> {
        start.workdir = absolute(&start.workdir);
        start.log = absolute(&start.log);
        start.data_dir = start.data_dir.as_deref().map(absolute);
        match self.ask(Verb::Start(start)).await? {
            Answer::Started(process) => Ok(process),
            Answer::NotStarted(error) => Err(error),
            other => Err(refusal(other).into()),
        }
    }

    /// Sends `signal` to every process of the instance, and SIGKILL to what is left of it after `grace`. Returns when
    /// the keeper has taken that on; it goes on by itself. Of two stops the earlier deadline holds. An instance that
    /// has exited is left alone.
    pub async fn stop(&self, id: &InstanceId, signal: Signal, grace: Duration) -> Result<(), Error> {
        self.done(Verb::Stop { id: id.clone(), signal, grace_ms: millis(grace) }).await
    }

    /// Every instance that runs, or has exited and was not forgotten, in order of the ids.
    pub async fn list(&self) -> Result<Vec<Observed>, Error> {
        match self.ask(Verb::List).await? {
            Answer::Instances(observed) => Ok(observed),
            other => Err(refusal(other)),
        }
    }

    /// Drops the exit and the files of an instance, except its logs. One that is not known is forgotten already.
    pub async fn forget(&self, id: &InstanceId) -> Result<(), Error> {
        self.done(Verb::Forget { id: id.clone() }).await
    }

    /// All processes of the instance; none when it has exited.
    pub async fn pids(&self, id: &InstanceId) -> Result<Vec<u32>, Error> {
        match self.ask(Verb::Pids { id: id.clone() }).await? {
            Answer::Pids(pids) => Ok(pids),
            other => Err(refusal(other)),
        }
    }

    /// Stops all instances, SIGTERM and after `grace` SIGKILL, and then the keeper. Returns when nothing runs any more;
    /// this handle answers [`Error::ShutDown`] from then on.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), Error> {
        // Held from before the end on, so that it stands for this process and no later one with its pid.
        let process = sys::pidfd_open(self.pid());
        let verb = Verb::Shutdown { grace_ms: millis(grace) };
        match self.ask_within(verb, grace.saturating_add(self.timeout)).await? {
            Answer::Done => {}
            other => return Err(refusal(other)),
        }
        match process {
            Ok(process) => self.until_ended(process).await,
            // It had ended already, or this kernel cannot tell (before Linux 5.3).
            Err(_) => Ok(()),
        }
    }

    /// The keeper answers before it ends; nothing of it is to be left when its user is told so.
    async fn until_ended(&self, process: OwnedFd) -> Result<(), Error> {
        let lost = |source: io::Error| Error::Connection(Arc::new(source));
        let patience = PollTimeout::try_from(self.timeout).unwrap_or(PollTimeout::MAX);
        let ending = tokio::task::spawn_blocking(move || {
            poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], patience)
        });
        match ending.await.map_err(|error| lost(error.into()))? {
            Ok(0) => Err(Error::Timeout { pid: self.pid(), timeout: self.timeout }),
            Ok(_) => Ok(()),
            Err(error) => Err(lost(error.into())),
        }
    }

    async fn done(&self, verb: Verb) -> Result<(), Error> {
        match self.ask(verb).await? {
            Answer::Done => Ok(()),
            other => Err(refusal(other)),
        }
    }

    async fn ask(&self, verb: Verb) -> Result<Answer, Error> {
        self.ask_within(verb, self.timeout).await
    }

    async fn ask_within(&self, verb: Verb, patience: Duration) -> Result<Answer, Error> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.asks.send(Ask { verb, answer, tries: 0 }).await.map_err(|_| Error::ShutDown)?;
            answered.await.map_err(|_| Error::ShutDown)?
        };
        let late = Error::Timeout { pid: self.pid(), timeout: patience };
        timeout(patience, asking).await.unwrap_or(Err(late))
    }
}

fn refusal(answer: Answer) -> Error {
    match answer {
        Answer::Unknown { id } => Error::Unknown(id),
        Answer::StillRunning { id } => Error::StillRunning(id),
        Answer::Done
        | Answer::Started(_)
        | Answer::NotStarted(_)
        | Answer::Instances(_)
        | Answer::Pids(_) => Error::Nonsense,
    }
}

/// The keeper has another current directory than we have.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
