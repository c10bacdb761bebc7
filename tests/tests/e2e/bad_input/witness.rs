//! What bad input may cost others: memory of the agent, and the time of another client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use adsum_tests::Agent;
use adsum_tests::resp::{Connection, Reply};

pub(super) const MIB: u64 = 1024 * 1024;

/// How long another client may wait for one answer meanwhile. An agent that is well answers within microseconds; this
/// is for a debug build on a machine that runs other tests. Whoever is held up by bad input is held up for good.
const HELD_UP: Duration = Duration::from_secs(3);

/// Runs `body` beside another client, who goes on to be served; the memory of the agent never grows by more than
/// `bound` bytes.
#[track_caller]
pub(super) fn unharmed<T>(agent: &Agent, bound: u64, body: impl FnOnce() -> T) -> T {
    let before = memory(agent, "VmRSS:");
    let witness = Witness::watch(agent);
    let value = body();
    let (answers, longest, paused) = witness.end();
    let grown = memory(agent, "VmHWM:").saturating_sub(before);
    assert!(grown <= bound, "the agent took {} MiB, the bound is {}", grown / MIB, bound / MIB);
    let allowed = HELD_UP + paused;
    assert!(
        answers > 0 && longest <= allowed,
        "{answers} answers, the slowest after {longest:?}; {paused:?} paused"
    );
    value
}

/// Bytes; `VmRSS:` now, `VmHWM:` the most that there ever was.
#[track_caller]
fn memory(agent: &Agent, label: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(label)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A client that writes and reads all the time, and beside it somebody who only sleeps and wakes: for as long as he is
/// kept from that, the machine itself stood still, and nobody else is to blame.
struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u32, Duration)>,
    sleeper: JoinHandle<Duration>,
}

const NAP: Duration = Duration::from_millis(1);

impl Witness {
    fn watch(agent: &Agent) -> Witness {
        let stop = Arc::new(AtomicBool::new(false));
        let mut connection = Connection::open(agent.resp()).unwrap();
        let ending = stop.clone();
        let thread = thread::spawn(move || {
            let (mut answers, mut longest) = (0, Duration::ZERO);
            while answers == 0 || !ending.load(Ordering::Acquire) {
                let begin = Instant::now();
                let answer = connection.ask(&["INCR", "witness"]).unwrap();
                longest = longest.max(begin.elapsed());
                answers += 1;
                assert_eq!(answer, Reply::Text(answers.to_string()));
                // So that it takes no core from those whom it watches.
                thread::sleep(NAP);
            }
            (answers, longest)
        });
        let ending = stop.clone();
        let sleeper = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !ending.load(Ordering::Acquire) {
                let begin = Instant::now();
                thread::sleep(NAP);
                longest = longest.max(begin.elapsed());
            }
            longest
        });
        Witness { stop, thread, sleeper }
    }

    /// How many answers, the longest wait for one, and for how long at most the machine stood still.
    fn end(self) -> (u32, Duration, Duration) {
        self.stop.store(true, Ordering::Release);
        let (answers, longest) = self.thread.join().unwrap();
        (answers, longest, self.sleeper.join().unwrap())
    }
}

/// The control: what holds everybody up, or takes memory, is seen.
#[test]
fn a_witness_sees_an_agent_that_stands_still_and_one_that_grows() {
    let agent = Agent::start();
    agent.signal(nix::sys::signal::Signal::SIGSTOP);
    let witness = Witness::watch(&agent);
    // Its thread has a second to begin.
    thread::sleep(HELD_UP + Duration::from_secs(1));
    agent.signal(nix::sys::signal::Signal::SIGCONT);
    assert!(witness.end().1 > HELD_UP);
    let before = memory(&agent, "VmRSS:");
    let mut connection = Connection::open(agent.resp()).unwrap();
    for key in 0..5 {
        connection.ask(&["SET", &key.to_string(), &"v".repeat(7 << 20)]).unwrap();
    }
    assert!(memory(&agent, "VmHWM:") > before + 32 * MIB);
}
