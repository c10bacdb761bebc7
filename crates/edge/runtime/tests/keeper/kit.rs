//! What the tests of the keeper share: a node of their own, and waiting for a level.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adsum_model::{InstanceId, Limits, Process, Ulimits};
use adsum_runtime::{Config, ExitStatus, Keeper, Rotation, Start, State, TreeKind};

pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// How long a level may take to come. Nothing waits that long when all is well.
const DEADLINE: Duration = Duration::from_secs(20);

/// A directory with a keeper on it, both gone when it is dropped.
pub(crate) struct Node {
    dir: tempfile::TempDir,
    cluster: String,
    tree: Option<TreeKind>,
}

impl Node {
    pub(crate) fn new() -> Node {
        Node::with_tree(None)
    }

    pub(crate) fn with_tree(tree: Option<TreeKind>) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let cluster = format!("{:x}{nanos:x}", std::process::id());
        Node { dir, cluster, tree }
    }

    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn keeper_dir(&self) -> PathBuf {
        self.path("keeper")
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.keeper_dir(), self.cluster.clone(), keeper_program());
        config.tree = self.tree;
        config
    }

    pub(crate) async fn keeper(&self) -> Keeper {
        Keeper::connect_or_start(self.config()).await.expect("a keeper")
    }

    /// A start of a shell script.
    pub(crate) fn script(&self, id: &InstanceId, script: &str) -> Start {
        Start {
            id: id.clone(),
            command: ["sh", "-c", script].map(String::from).to_vec(),
            env: BTreeMap::new(),
            workdir: self.dir.path().to_path_buf(),
            log: self.log(id),
            rotation: Rotation::default(),
            user: None,
            data_dir: None,
            limits: Limits::default(),
            ulimits: Ulimits::new(),
        }
    }

    pub(crate) fn log(&self, id: &InstanceId) -> PathBuf {
        self.path(&format!("{id}.log"))
    }

    /// The lines of the log without their times.
    pub(crate) fn lines(&self, id: &InstanceId) -> Vec<String> {
        texts(&self.log(id))
    }

    /// The processes that carry the marks of an instance of this cluster, by what `/proc` says now.
    pub(crate) fn marked(&self, id: &InstanceId) -> Vec<u32> {
        let marks = [format!("ADSUM_INSTANCE={id}"), format!("ADSUM_CLUSTER={}", self.cluster)];
        all_pids().into_iter().filter(|pid| carries(*pid, &marks) && !is_zombie(*pid)).collect()
    }

    pub(crate) fn record(&self, id: &InstanceId) -> PathBuf {
        self.keeper_dir().join("instances").join(format!("{id}.json"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let config = self.config();
        let shutdown = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok(keeper) = Keeper::connect_or_start(config).await {
                    let _ = keeper.shutdown(Duration::ZERO).await;
                }
            });
        });
        let _ = shutdown.join();
    }
}

pub(crate) fn id(seed: u64) -> InstanceId {
    InstanceId::from_seed(seed)
}

/// Cargo builds the example beside the tests.
pub(crate) fn keeper_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples/keeper");
    assert!(program.exists(), "{} is missing: build the examples of adsum-runtime", program.display());
    program
}

/// Waits until `level` answers something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut level: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = level() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
pub(crate) fn until(what: &str, mut level: impl FnMut() -> bool) {
    wait_for(what, || level().then_some(()));
}

/// Waits until the instance has exited, looking only when the keeper says that something changed.
pub(crate) async fn exit_of(keeper: &Keeper, id: &InstanceId) -> ExitStatus {
    let mut changes = keeper.changes();
    let exit = async {
        loop {
            changes.borrow_and_update();
            if let Some(State::Exited { status, .. }) = state_of(keeper, id).await {
                return status;
            }
            changes.changed().await.expect("the keeper's session");
        }
    };
    tokio::time::timeout(DEADLINE, exit).await.expect("the instance exits in time")
}

pub(crate) async fn state_of(keeper: &Keeper, id: &InstanceId) -> Option<State> {
    let listed = keeper.list().await.expect("a list");
    listed.into_iter().find(|observed| observed.id == *id).map(|observed| observed.state)
}

pub(crate) async fn process_of(keeper: &Keeper, id: &InstanceId) -> Option<Process> {
    match state_of(keeper, id).await? {
        State::Running { process } => Some(process),
        State::Exited { .. } => None,
    }
}

pub(crate) fn kill_9(pid: u32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::SIGKILL)
        .expect("a process");
}

pub(crate) fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists() && !is_zombie(pid)
}

pub(crate) fn texts(log: &Path) -> Vec<String> {
    let content = fs::read_to_string(log).unwrap_or_default();
    content.lines().filter_map(|line| Some(line.split_once("Z ")?.1.to_string())).collect()
}

pub(crate) fn status_field(pid: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_string())
}

/// Field 22 of `/proc/PID/stat`.
pub(crate) fn start_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_ascii_whitespace().nth(19).unwrap().parse().unwrap()
}

pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_string()
}

/// The kinds of tree that this machine and user can have.
pub(crate) async fn tree_kinds() -> Vec<TreeKind> {
    let mut kinds = vec![TreeKind::ProcessGroup];
    for kind in [TreeKind::Cgroup2, TreeKind::Cgroup1] {
        let node = Node::with_tree(Some(kind));
        match Keeper::connect_or_start(node.config()).await {
            Ok(_) => kinds.push(kind),
            Err(error) => println!("SKIPPED for {}: {error}", kind.as_str()),
        }
    }
    kinds
}

fn all_pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// In the middle of an execve a process has memory and no environment: that is looked at again.
fn carries(pid: u32, marks: &[String]) -> bool {
    for _ in 0..10 {
        let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        if !environ.is_empty() {
            let holds =
                |mark: &String| environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes());
            return marks.iter().all(holds);
        }
        if status_field(pid, "VmSize").is_none() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

fn is_zombie(pid: u32) -> bool {
    status_field(pid, "State").is_some_and(|state| state.starts_with('Z'))
}
