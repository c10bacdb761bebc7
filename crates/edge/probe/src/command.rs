//! A command: exit code 0 is passing, 1 a warning, everything else critical, as in Consul.
//!
//! It runs in a process group of its own, which is killed whole when the probe is given up. What it leaves in the
//! background after its own end is left alone.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{SIGKILL, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time;

use crate::outcome::plain;
use crate::{OUTPUT_LIMIT, Outcome, Status, Target};

const INHERITED: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", "USER"];

pub(crate) async fn probe(command: &[String], target: &Target, timeout: Duration) -> Outcome {
    let Some(program) = command.first().filter(|program| !program.is_empty()) else {
        return Outcome::critical("the check's command is empty: name a program");
    };
    if !target.workdir.is_dir() {
        let workdir = target.workdir.display();
        return Outcome::critical(format!("{program}: cannot run in '{workdir}': no such directory"));
    }
    match time::timeout(timeout, run(command, target)).await {
        Ok(Ok((status, output))) => judge(program, status, &output),
        Ok(Err(error)) => Outcome::critical(format!("{program}: {}", plain(&error))),
        Err(_) => Outcome::late(program, timeout),
    }
}

fn judge(program: &str, status: ExitStatus, output: &[u8]) -> Outcome {
    let output = String::from_utf8_lossy(output);
    match status.code() {
        Some(0) => Outcome::new(Status::Passing, output),
        Some(1) => Outcome::new(Status::Warning, output),
        Some(_) => Outcome::critical(output),
        None => Outcome::critical(format!("{program}: {status}\n{output}")),
    }
}

async fn run(command: &[String], target: &Target) -> io::Result<(ExitStatus, Vec<u8>)> {
    let (output, theirs) = io::pipe()?;
    let mut group = Group::start(command, target, theirs)?;
    let mut output = receiver(output)?;
    let mut kept = Vec::new();
    let status = loop {
        let mut piece = [0; 4096];
        tokio::select! {
            biased;
            // What it writes is taken in to the end, kept or not: it must not block on a full pipe.
            length = output.read(&mut piece) => match length? {
                0 => break group.wait().await?,
                length => keep(&mut kept, &piece[..length]),
            },
            status = group.wait() => break status?,
        }
    };
    // Somebody in the background may still hold the other end: only what is there already is waited for.
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = output.try_read(&mut piece)
        && kept.len() < OUTPUT_LIMIT
    {
        keep(&mut kept, &piece[..length]);
    }
    Ok((status, kept))
}

fn receiver(output: PipeReader) -> io::Result<Receiver> {
    Receiver::from_owned_fd(OwnedFd::from(output))
}

fn keep(kept: &mut Vec<u8>, piece: &[u8]) {
    let room = OUTPUT_LIMIT - kept.len();
    kept.extend_from_slice(&piece[..piece.len().min(room)]);
}

/// A process group that is killed when it is dropped before its leader has ended.
struct Group {
    leader: Child,
}

impl Group {
    fn start(command: &[String], target: &Target, output: PipeWriter) -> io::Result<Group> {
        let inherited = INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let leader = Command::new(&command[0])
            .args(&command[1..])
            .env_clear()
            .envs(inherited)
            .envs(&target.env)
            .current_dir(&target.workdir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Group { leader })
    }

    async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait().await
    }
}

impl Drop for Group {
    /// The leader has an id only until it is reaped, so the group's id is its own here.
    fn drop(&mut self) {
        if let Some(leader) = self.leader.id() {
            let _ = killpg(Pid::from_raw(leader as i32), SIGKILL);
        }
    }
}
