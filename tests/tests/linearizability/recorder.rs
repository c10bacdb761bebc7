//! Writes down what clients ask and are told, all by one clock.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use adsum_history::{Action, Event, Happened, History, Outcome, event};

pub(crate) struct Recorder {
    begin: Instant,
    events: Mutex<Vec<Event>>,
    clients: AtomicU64,
}

impl Recorder {
    pub(crate) fn new() -> Recorder {
        Recorder { begin: Instant::now(), events: Mutex::default(), clients: AtomicU64::new(0) }
    }

    /// A client id that nobody has had.
    pub(crate) fn client(&self) -> u64 {
        self.clients.fetch_add(1, Ordering::Relaxed)
    }

    /// Before the request is sent.
    pub(crate) fn call(&self, client: u64, key: &str, action: &Action) {
        self.record(Happened::Call { client, key: key.to_string(), action: action.clone() });
    }

    /// After the answer was read.
    pub(crate) fn back(&self, client: u64, outcome: Outcome) {
        self.record(Happened::Return { client, outcome });
    }

    /// The moment at which it was written down.
    pub(crate) fn fault(&self, fault: &str) -> u64 {
        self.record(Happened::Fault { fault: fault.to_string() })
    }

    /// The clock is read under the lock, so that lines are in the order of their times.
    fn record(&self, happened: Happened) -> u64 {
        let mut events = self.events.lock().unwrap();
        let at = u64::try_from(self.begin.elapsed().as_nanos()).unwrap();
        events.push(Event { at, happened });
        at
    }

    pub(crate) fn history(&self) -> History {
        History::of(&self.events.lock().unwrap()).unwrap()
    }

    /// Panics with the failure, after it has written the history to a file that is kept.
    #[track_caller]
    pub(crate) fn passes<T>(&self, name: &str, checked: Result<T, adsum_history::Failure>) -> T {
        checked.unwrap_or_else(|failure| {
            let path = self.keep(name);
            panic!("{failure}\nthe history is in {}", path.display())
        })
    }

    fn keep(&self, name: &str) -> PathBuf {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.jsonl", std::process::id()));
        let mut file = BufWriter::new(File::create(&path).unwrap());
        self.events.lock().unwrap().iter().for_each(|event| event::write(event, &mut file).unwrap());
        file.flush().unwrap();
        path
    }
}

#[test]
fn a_history_that_fails_is_kept_and_its_path_is_said() {
    let recorder = Recorder::new();
    recorder.call(recorder.client(), "/a", &Action::Write { value: "1".to_string() });
    recorder.fault("kill -9");
    let failure = adsum_history::Failure::Violated("it cannot be".to_string());
    let panic = std::panic::catch_unwind(|| recorder.passes::<()>("kept", Err(failure))).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    let path = message.split("the history is in ").nth(1).unwrap();
    let read = event::read(std::io::BufReader::new(File::open(path).unwrap())).unwrap();
    assert_eq!(read, *recorder.events.lock().unwrap());
    std::fs::remove_file(path).unwrap();
}
