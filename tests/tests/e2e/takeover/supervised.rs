//! An agent under systemd, as far as that is a matter of descriptors, environment and datagrams.

use std::os::unix::net::UnixDatagram;
use std::process::Child;
use std::time::Duration;

use adsum_tests::succession::Sockets;
use adsum_tests::{Agent, http, until};
use nix::sys::signal::Signal;

use super::{SOON, until_serves};

struct Supervisor {
    agent: Agent,
    sockets: Sockets,
    notices: UnixDatagram,
}

impl Supervisor {
    fn new() -> Supervisor {
        let mut agent = Agent::start();
        agent.terminate();
        let sockets = Sockets::of(&agent);
        let notices = UnixDatagram::bind(agent.scratch().path().join("notify")).unwrap();
        notices.set_read_timeout(Some(SOON)).unwrap();
        Supervisor { agent, sockets, notices }
    }

    /// Starts the agent with the sockets that are open already.
    fn start(&self) -> Child {
        let mut command = self.sockets.command(&self.agent);
        command.env("NOTIFY_SOCKET", self.agent.scratch().path().join("notify"));
        command.env("WATCHDOG_USEC", "400000");
        command.spawn().unwrap()
    }

    /// The next notice that has this line.
    #[track_caller]
    fn hear(&self, line: &str) -> String {
        until("the notice comes", SOON, || {
            let mut text = [0; 512];
            let length = self.notices.recv(&mut text).unwrap();
            let text = String::from_utf8_lossy(&text[..length]).into_owned();
            text.lines().any(|had| had == line).then_some(text)
        })
    }
}

#[test]
fn sockets_of_a_supervisor_are_served_and_outlive_the_agent() {
    let mut supervisor = Supervisor::new();
    let first = supervisor.start();
    supervisor.agent.replace(first);
    assert!(supervisor.hear("READY=1").contains("STATUS="));
    supervisor.hear("WATCHDOG=1");
    let gateway = supervisor.agent.gateway();
    assert_eq!(http::get(gateway, "/").unwrap().status, 404);
    supervisor.agent.kill9();
    // Nobody is there, and nobody is refused.
    let waiting = std::thread::spawn(move || http::get(gateway, "/"));
    let second = supervisor.start();
    supervisor.agent.replace(second);
    supervisor.hear("READY=1");
    assert_eq!(waiting.join().unwrap().unwrap().status, 404);
    assert_eq!(http::get(supervisor.agent.http(), "/v1/status/leader").unwrap().status, 200);
    supervisor.agent.signal(Signal::SIGTERM);
    supervisor.hear("STOPPING=1");
    assert!(supervisor.agent.wait_exit(SOON).success());
}

#[test]
fn an_agent_that_is_told_to_renew_itself_names_its_successor() {
    let mut supervisor = Supervisor::new();
    let first = supervisor.start();
    let old = first.id();
    supervisor.agent.replace(first);
    supervisor.hear("READY=1");
    supervisor.agent.signal(Signal::SIGUSR2);
    supervisor.hear("RELOADING=1");
    let notice = supervisor.hear("READY=1");
    let main = notice.lines().find_map(|line| line.strip_prefix("MAINPID="));
    let new: u32 = main.expect("a successor says who it is").parse().unwrap();
    assert_ne!(new, old);
    until_serves(&supervisor.agent, new);
    assert_eq!(http::get(supervisor.agent.gateway(), "/").unwrap().status, 404);
    // It goes on with the watchdog that was set for the one before.
    supervisor.hear("WATCHDOG=1");
    assert!(supervisor.agent.wait_exit(Duration::from_secs(50)).success());
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(new.cast_signed()), Signal::SIGTERM);
    supervisor.hear("STOPPING=1");
}

/// Whoever started it may have been given sockets itself, and have left that in the environment.
#[test]
fn what_is_not_said_to_be_for_this_process_is_not_taken() {
    for stranger in [None, Some("1")] {
        let builder = Agent::builder().env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "http:gateway");
        let builder = stranger.into_iter().fold(builder, |builder, pid| builder.env("LISTEN_PID", pid));
        let agent = builder.start();
        assert_eq!(http::get(agent.gateway(), "/").unwrap().status, 404);
    }
}
