//! A program that runs beside the test: its output is collected while it runs, it never hangs a test, and it ends
//! with it.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Output, until, until_ok};

/// Killed when dropped.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Captured,
    stderr: Captured,
}

impl Running {
    /// Starts the command with all three streams piped.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        let line = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        let stdin = child.stdin.take();
        let stdout = Captured::from(child.stdout.take().expect("it is piped"));
        let stderr = Captured::from(child.stderr.take().expect("it is piped"));
        Running { line, child, stdin, stdout, stderr }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to its standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits for a line of the standard output that contains `part`.
    #[track_caller]
    pub fn line_with(&self, part: &str, deadline: Duration) -> String {
        until_ok(&format!("{} writes {part:?}", self.line), deadline, || {
            let text = self.stdout();
            let line = text.lines().find(|line| line.contains(part)).map(str::to_string);
            line.ok_or_else(|| format!("stdout {text:?}, stderr {:?}", self.stderr()))
        })
    }

    /// Writes to its standard input, which stays open.
    #[track_caller]
    pub fn send(&mut self, input: &str) {
        let stdin = self.stdin.as_mut().expect("its input is open until it is closed");
        stdin.write_all(input.as_bytes()).and_then(|()| stdin.flush()).expect("it reads its input");
    }

    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id is an i32");
        // It is our child and not yet waited for, so the id is still its own; it may have ended.
        let _ = kill(Pid::from_raw(pid), signal);
    }

    /// Closes its input and waits for its end; panics with what it wrote when it takes longer.
    #[track_caller]
    pub fn finish(mut self, deadline: Duration) -> Output {
        self.close_input();
        let status = until_ok(&format!("{} ends", self.line), deadline, || {
            let status = self.child.try_wait().expect("it is our child");
            status.ok_or_else(|| format!("stdout {:?}, stderr {:?}", self.stdout(), self.stderr()))
        });
        self.stdout.settle();
        self.stderr.settle();
        Output { line: self.line.clone(), code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the command to its end with this input.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8], deadline: Duration) -> Output {
    let mut running = Running::start(command);
    let mut stdin = running.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // Beside us, since a program may write before it reads; one that does not read at all breaks the pipe.
    std::thread::spawn(move || stdin.write_all(&input));
    running.finish(deadline)
}

/// A stream that a thread reads into memory.
#[derive(Debug)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Captured {
    fn from(mut stream: impl Read + Send + 'static) -> Captured {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut chunk) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
            }
        });
        Captured { bytes, reader }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the stream is read to its end. A grandchild that still holds the pipe is a fault: a program
    /// that has ended leaves nobody behind who writes to its terminal.
    #[track_caller]
    fn settle(&self) {
        until("the output is closed", Duration::from_secs(10), || self.reader.is_finished().then_some(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_gets_its_input_and_its_streams_are_kept_apart() {
        let output = run(&mut shell("cat; echo wrong >&2; exit 3"), b"in", SOON);
        assert_eq!((output.stdout.as_str(), output.code), ("in", Some(3)));
        assert_eq!(output.fails(3), "wrong");
    }

    #[test]
    fn a_program_is_watched_while_it_runs() {
        let mut running = Running::start(&mut shell("while read line; do echo got $line; done; echo end"));
        running.send("one\n");
        assert_eq!(running.line_with("one", SOON), "got one");
        assert_eq!(running.finish(SOON).ok(), "got one\nend");
    }

    #[test]
    fn a_program_that_does_not_end_fails_the_test_with_its_words() {
        let hung = || run(&mut shell("echo waiting; exec sleep 600"), b"", Duration::from_millis(300));
        let panic = std::panic::catch_unwind(hung).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("waiting"), "{message}");
    }

    #[test]
    fn a_program_ended_by_a_signal_has_no_code() {
        let running = Running::start(&mut shell("exec sleep 600"));
        running.signal(Signal::SIGTERM);
        assert_eq!(running.finish(SOON).code, None);
    }
}
