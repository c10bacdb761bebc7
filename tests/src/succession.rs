//! One agent after the other on the same data and addresses, while clients go on: takeovers, and restarts of an agent whose
//! sockets stay open elsewhere, as systemd keeps them.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::{Agent, clients, until};

/// A level that agents reach by themselves.
const SOON: Duration = Duration::from_secs(30);
/// What is in flight, and what stays open, may take its time (docs/guide/upgrades.md).
pub const RETIRED: Duration = Duration::from_secs(50);

/// Descriptors 3 and 4 from standard input and output, and the process that they are for.
const ACTIVATE: &str = "export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:gateway; \
                        exec \"$@\" 3<&0 4<&1 </dev/null >&2";

/// Starts a process that takes over, waits until it has, and gives the one before, which is on its way out.
#[track_caller]
pub fn take_over(agent: &mut Agent) -> Child {
    let next = agent.agent_command(&["--takeover"]).spawn().expect("the agent was started by the same");
    let process = next.id();
    let before = agent.replace(next).expect("an agent runs");
    until_serves(agent, process);
    before
}

/// Has the agent start its program anew, which takes over; waits until it has. The agent as the test knows it stays the
/// process that it has started itself, which is on its way out: the new one is that one's child.
#[track_caller]
pub fn renew(agent: &Agent) -> u32 {
    let before = serves(agent).expect("an agent serves");
    agent.signal(Signal::SIGUSR2);
    until("another process serves", SOON, || serves(agent).filter(|process| *process != before))
}

/// Waits until this process answers on the RESP face.
#[track_caller]
pub fn until_serves(agent: &Agent, process: u32) {
    until("the process serves", SOON, || (serves(agent)? == process).then_some(()));
}

/// The process that answers on the RESP face.
fn serves(agent: &Agent) -> Option<u32> {
    let info = clients::redis_cli(agent.resp(), &["INFO", "server"], b"");
    info.stdout.lines().find_map(|line| line.strip_prefix("process_id:"))?.trim().parse().ok()
}

/// Waits until a process that has nothing more to do ends by itself, and says how.
#[track_caller]
pub fn ended(mut child: Child) -> ExitStatus {
    until("the process before ends", RETIRED, || child.try_wait().expect("it is our child"))
}

/// The sockets of an agent's HTTP face and gateway, open whether or not an agent runs.
#[derive(Debug)]
pub struct Sockets {
    http: TcpListener,
    gateway: TcpListener,
}

impl Sockets {
    /// At the addresses of an agent that has ended.
    #[track_caller]
    pub fn of(agent: &Agent) -> Sockets {
        let open = |address| until("its port is free", SOON, || TcpListener::bind(address).ok());
        Sockets { http: open(agent.http()), gateway: open(agent.gateway()) }
    }

    /// To start the agent with these.
    pub fn command(&self, agent: &Agent) -> Command {
        let like = agent.agent_command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", ACTIVATE, "sh"]).arg(like.get_program()).args(like.get_args());
        for (key, value) in like.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        let double = |listener: &TcpListener| {
            Stdio::from(OwnedFd::from(listener.try_clone().expect("a file handle can be doubled")))
        };
        command.stdin(double(&self.http)).stdout(double(&self.gateway));
        command
    }

    /// Ends the agent if it runs, and starts it again: nobody is refused in between.
    #[track_caller]
    pub fn restart(&self, agent: &mut Agent) {
        let status = agent.terminate();
        assert!(status.success(), "{status}");
        self.start(agent);
    }

    /// Starts the agent, and waits until it is ready.
    #[track_caller]
    pub fn start(&self, agent: &mut Agent) {
        let next = self.command(agent).spawn().expect("there is a shell");
        let process = next.id();
        assert!(agent.replace(next).is_none(), "an agent runs already");
        until_serves(agent, process);
        agent.wait_ready();
    }
}
