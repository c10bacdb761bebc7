//! The real `adsum agent`: started in an own directory on own ports, ready when it says so, broken in every way a
//! test likes, and gone with its keeper and instances when the test ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::{self, PATIENCE};
use crate::http::{self, Response};
use crate::port::Block;
use crate::processes::{self, Process};
use crate::running::{Running, run};
use crate::{Output, Scratch, program, until_ok};

/// A start includes the recovery of a journal, on a machine that runs other tests too.
const READY: Duration = Duration::from_secs(30);
/// SIGTERM to the end of the process.
const ENDED: Duration = Duration::from_secs(30);
/// How much of the log a failed test shows.
const SHOWN_LINES: usize = 200;

/// How an agent is to be started.
#[derive(Debug)]
pub struct Builder {
    program: Option<PathBuf>,
    node: String,
    durability: String,
    data_dir: Option<PathBuf>,
    args: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Builder {
    #[must_use]
    pub fn node(mut self, name: &str) -> Builder {
        self.node = name.to_string();
        self
    }

    /// `always` or `everysec`.
    #[must_use]
    pub fn durability(mut self, durability: &str) -> Builder {
        self.durability = durability.to_string();
        self
    }

    /// Another directory than the agent's own: one that cannot be written, or that somebody else has.
    #[must_use]
    pub fn data_dir(mut self, path: &Path) -> Builder {
        self.data_dir = Some(path.to_path_buf());
        self
    }

    /// One more argument; of a flag that is given twice the last one counts only if the agent says so.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Builder {
        self.args.push(arg.to_string());
        self
    }

    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Builder {
        self.environment.push((key.to_string(), value.to_string()));
        self
    }

    /// Another program than the built `adsum`.
    #[must_use]
    pub fn program(mut self, path: &Path) -> Builder {
        self.program = Some(path.to_path_buf());
        self
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Agent {
        let agent = self.spawn();
        agent.wait_ready();
        agent
    }

    /// Starts it and does not wait: for starts that are to fail.
    #[track_caller]
    pub fn spawn(self) -> Agent {
        let program = self.program.clone().unwrap_or_else(program::adsum);
        let mut agent =
            Agent { program, builder: self, child: None, scratch: Scratch::new(), ports: Block::reserve() };
        agent.spawn();
        agent
    }
}

/// A running agent, or one that was ended and may be started again on the same data and addresses.
#[derive(Debug)]
pub struct Agent {
    program: PathBuf,
    builder: Builder,
    child: Option<Child>,
    // After `child`: dropping it ends what the agent has started, then removes the data.
    scratch: Scratch,
    ports: Block,
}

/// Life.
impl Agent {
    /// An agent with the defaults, ready.
    #[track_caller]
    pub fn start() -> Agent {
        Agent::builder().start()
    }

    pub fn builder() -> Builder {
        Builder {
            program: None,
            node: "one".to_string(),
            durability: "always".to_string(),
            data_dir: None,
            args: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Waits until the agent answers who leads.
    #[track_caller]
    pub fn wait_ready(&self) {
        until_ok("the agent is ready", READY, || self.leader());
    }

    fn leader(&self) -> Result<String, String> {
        let response = http::get(self.http(), "/v1/status/leader").map_err(|error| error.to_string())?;
        let named = response.status == 200 && !response.body.trim().trim_matches('"').is_empty();
        named.then_some(response.body.clone()).ok_or_else(|| format!("{response:?}"))
    }

    /// kill -9 of the agent alone.
    pub fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
        self.wait_exit(ENDED);
    }

    /// SIGTERM and the end of the agent; its instances go on.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_exit(ENDED)
    }

    /// Ends it if it runs, starts it on the same data and addresses, and waits until it is ready.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.child.is_some() {
            self.terminate();
        }
        self.spawn();
        self.wait_ready();
    }

    /// Starts it again on the same data and addresses, once it has ended, and does not wait.
    #[track_caller]
    pub fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs");
        self.spawn();
    }

    /// Waits until the agent ends by itself.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let mut child = self.child.take().expect("the agent runs");
        until_ok("the agent ends", deadline, || child.try_wait().expect("it is our child").ok_or("it runs"))
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("the agent is our child and not yet waited for");
    }

    /// kill -9 of the agent's keeper.
    #[track_caller]
    pub fn kill9_keeper(&self) {
        let keeper = self.keeper().expect("the agent has a keeper");
        keeper.signal(Signal::SIGKILL);
        until_ok("the keeper is gone", ENDED, || match Process::read(keeper.pid) {
            Some(process) if process.args == keeper.args => Err("it runs"),
            Some(_) | None => Ok(()),
        });
    }

    #[track_caller]
    fn spawn(&mut self) {
        let mut command = self.agent_command(&[]);
        self.child =
            Some(command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")));
    }

    /// Another process with the agent's settings and these words more, on the same data, addresses and log.
    pub fn agent_command(&self, words: &[&str]) -> Command {
        let mut log = self.open_log();
        writeln!(log, "--- started {}", words.join(" ")).expect("our own directory is writable");
        let mut command = Command::new(&self.program);
        self.settings(&mut command);
        let errors = log.try_clone().expect("a file handle can be doubled");
        command.args(words).stdin(Stdio::null()).stdout(log).stderr(errors);
        command
    }

    /// The process that is the agent from now on; returned is the one that was it before.
    pub fn replace(&mut self, child: Child) -> Option<Child> {
        self.child.replace(child)
    }

    fn settings(&self, command: &mut Command) {
        forget_settings(command);
        let range = self.instance_ports();
        command.arg("agent").arg("--data-dir").arg(self.data_dir());
        command.args(["--node", &self.builder.node, "--durability", &self.builder.durability]);
        command.args(["--resp-addr", &self.resp().to_string(), "--http-addr", &self.http().to_string()]);
        command.args(["--dns-addr", &self.dns().to_string()]);
        command.args(["--gateway-addr", &self.gateway().to_string()]);
        command.args(["--port-range", &format!("{}-{}", range.start(), range.end())]);
        command.args(&self.builder.args).current_dir(self.scratch.path());
        // By this the agent, its keeper and its instances are known as the test's own.
        command.env("TEST_SCRATCH", self.scratch.path());
        command.envs(self.builder.environment.iter().map(|(key, value)| (key, value)));
    }
}

/// Addresses and processes.
impl Agent {
    pub fn resp(&self) -> SocketAddr {
        self.ports.address(0)
    }

    pub fn http(&self) -> SocketAddr {
        self.ports.address(1)
    }

    /// UDP and TCP.
    pub fn dns(&self) -> SocketAddr {
        self.ports.address(2)
    }

    pub fn gateway(&self) -> SocketAddr {
        self.ports.address(3)
    }

    /// A port of the test's own, from 0 to 5: for a published port, or a service that is none of the agent's.
    pub fn spare(&self, position: u16) -> SocketAddr {
        assert!(position < 6, "there are 6 spare ports");
        self.ports.address(4 + position)
    }

    pub fn instance_ports(&self) -> RangeInclusive<u16> {
        self.ports.from(10)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.builder.data_dir.clone().unwrap_or_else(|| self.scratch.path().join("data"))
    }

    /// A directory of the test's own, removed with the agent.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub fn pid(&self) -> i32 {
        let child = self.child.as_ref().expect("the agent runs");
        i32::try_from(child.id()).expect("a process id is an i32")
    }

    /// The process of this test that was started as a keeper.
    pub fn keeper(&self) -> Option<Process> {
        processes::under(self.scratch.path()).into_iter().find(is_keeper)
    }

    /// The running instances, one process each: not what an instance has itself started. Two with the same
    /// `ADSUM_INSTANCE` are a doubled instance.
    pub fn instances(&self) -> Vec<Process> {
        let all = processes::under(self.scratch.path());
        let instance = |process: &Process| process.env("ADSUM_INSTANCE").map(str::to_string);
        let inherited = |process: &Process| {
            let parent = all.iter().find(|parent| parent.pid == process.parent);
            parent.is_some_and(|parent| instance(parent) == instance(process))
        };
        let begun = all.iter().filter(|process| instance(process).is_some() && !inherited(process));
        begun.cloned().collect()
    }

    /// The running instances of one service.
    pub fn instances_of(&self, service: &str) -> Vec<Process> {
        let mut instances = self.instances();
        instances.retain(|process| process.env("ADSUM_SERVICE") == Some(service));
        instances
    }
}

/// Clients.
impl Agent {
    /// The command line against this agent, to its end.
    #[track_caller]
    pub fn adsum(&self, args: &[&str]) -> Output {
        run(&mut self.adsum_command(args), b"", PATIENCE)
    }

    /// The command line against this agent, not yet started.
    pub fn adsum_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        forget_settings(&mut command);
        command.env("ADSUM_HTTP_ADDR", self.http().to_string()).env("TEST_SCRATCH", self.scratch.path());
        command.args(args).current_dir(self.scratch.path());
        command
    }

    /// The command line against this agent, beside the test: `kv watch`, `lock`.
    #[track_caller]
    pub fn adsum_running(&self, args: &[&str]) -> Running {
        Running::start(&mut self.adsum_command(args))
    }

    #[track_caller]
    pub fn redis_cli(&self, args: &[&str]) -> Output {
        clients::redis_cli(self.resp(), args, b"")
    }

    /// With `-x` the input is the last argument; without, it is a list of commands.
    #[track_caller]
    pub fn redis_cli_stdin(&self, args: &[&str], input: &[u8]) -> Output {
        clients::redis_cli(self.resp(), args, input)
    }

    /// `redis-cli` beside the test: SUBSCRIBE, BLPOP.
    #[track_caller]
    pub fn redis_cli_running(&self, args: &[&str]) -> Running {
        Running::start(&mut clients::redis_cli_command(self.resp(), args))
    }

    #[track_caller]
    pub fn dig(&self, args: &[&str]) -> Output {
        clients::dig(self.dns(), args)
    }

    /// An argument that begins with `/` is a path on the HTTP face.
    #[track_caller]
    pub fn curl(&self, args: &[&str]) -> Output {
        clients::curl(self.http(), args)
    }

    /// GET on the HTTP face, without `curl`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        http::get(self.http(), path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// A JSON request on the HTTP face, without `curl`.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let headers = [("Content-Type", "application/json")];
        let response = http::request(self.http(), method, path, &headers, body);
        response.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}

/// The log.
impl Agent {
    /// What the agent has written to both its streams, over all its starts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join("agent.log")
    }

    fn open_log(&self) -> File {
        let file = OpenOptions::new().create(true).append(true).open(self.log_path());
        file.expect("our own directory is writable")
    }

    fn print_log(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        eprintln!("--- the last {} of {} lines of agent.log\n{}", shown.len(), lines.len(), shown.join("\n"));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Both fail only when it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            self.print_log();
        }
    }
}

/// Its subcommand says so, with or without marks of a hidden one: `adsum keeper`, `adsum __keeper`.
fn is_keeper(process: &Process) -> bool {
    process.args.iter().take(3).any(|word| word.trim_start_matches(['_', '-']) == "keeper")
}

/// The settings of whoever runs the tests are not the test's.
fn forget_settings(command: &mut Command) {
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("ADSUM_") {
            command.env_remove(key);
        }
    }
}
