//! The access log: a line for each request, written by a thread of its own. Whoever serves requests never waits for it.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use adsum_forward::GatewayError;
use http::{HeaderValue, Method, Request, StatusCode, Version, header};

use crate::settings::{AccessLog, LogTarget};

mod format;

/// Lines that wait to be written; further ones are dropped and counted.
const WAITING: usize = 8192;
/// Lines are given to the system at the latest after this.
const FLUSH: Duration = Duration::from_millis(200);
/// How long the end waits for lines to be taken (a pipe may have a reader that is stuck).
const LAST_LINES: Duration = Duration::from_secs(1);

/// What is told of a request.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) peer: SocketAddr,
    pub(crate) wall: u64,
    pub(crate) method: Method,
    pub(crate) host: Option<HeaderValue>,
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) referer: Option<HeaderValue>,
    pub(crate) agent: Option<HeaderValue>,
    pub(crate) status: StatusCode,
    pub(crate) bytes: u64,
    pub(crate) duration: Duration,
    pub(crate) tries: u32,
    pub(crate) error: Option<GatewayError>,
    pub(crate) complete: bool,
    pub(crate) request_id: Option<HeaderValue>,
    pub(crate) route: Option<String>,
    pub(crate) instance: Option<String>,
}

/// A worker's end.
#[derive(Clone)]
pub(crate) struct AccessLogger {
    sender: Option<SyncSender<Box<Line>>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    dropped: AtomicU64,
    reopen: AtomicBool,
}

/// The thread that writes. It ends when the last logger is gone.
pub(crate) struct Writer(Option<Thread>);

struct Thread {
    handle: JoinHandle<()>,
    /// Closed when the thread has ended.
    ended: Receiver<Infallible>,
}

impl Line {
    pub(crate) fn new<B>(peer: SocketAddr, request: &Request<B>, wall: u64) -> Box<Line> {
        let headers = request.headers();
        let authority = || HeaderValue::from_str(request.uri().authority()?.as_str()).ok();
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        Box::new(Line {
            peer,
            wall,
            method: request.method().clone(),
            host: headers.get(header::HOST).cloned().or_else(authority),
            target: target.to_owned(),
            version: request.version(),
            referer: headers.get(header::REFERER).cloned(),
            agent: headers.get(header::USER_AGENT).cloned(),
            status: StatusCode::OK,
            bytes: 0,
            duration: Duration::ZERO,
            tries: 0,
            error: None,
            complete: false,
            request_id: None,
            route: None,
            instance: None,
        })
    }
}

impl AccessLogger {
    /// Opens the log, if one is wished.
    pub(crate) fn open(wish: &AccessLog) -> io::Result<(AccessLogger, Writer)> {
        let state = Arc::new(State::default());
        let (target, print): (_, format::Print) = match wish {
            AccessLog::Off => return Ok((AccessLogger { sender: None, state }, Writer(None))),
            AccessLog::Json(target) => (target.clone(), format::json),
            AccessLog::Combined(target) => (target.clone(), format::combined),
        };
        let out = open(&target)?;
        let (sender, lines) = sync_channel(WAITING);
        let shared = state.clone();
        let (ending, ended) = sync_channel(0);
        let handle = std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            let _ending = ending;
            write_lines(&lines, out, &target, print, &shared);
        })?;
        Ok((AccessLogger { sender: Some(sender), state }, Writer(Some(Thread { handle, ended }))))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.sender.is_some()
    }

    pub(crate) fn write(&self, line: Box<Line>) {
        if self.sender.as_ref().is_some_and(|sender| sender.try_send(line).is_err()) {
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.dropped.load(Ordering::Relaxed)
    }

    /// The file has been moved away: the next lines go to a new one.
    pub(crate) fn reopen(&self) {
        self.state.reopen.store(true, Ordering::Relaxed);
    }
}

impl Writer {
    /// Waits until everything is written, but not for a reader that does not read. All loggers have to be gone.
    pub(crate) fn join(self) {
        let Some(Thread { handle, ended }) = self.0 else { return };
        if ended.recv_timeout(LAST_LINES) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last lines of the access log are not written: nobody takes them");
        } else if handle.join().is_err() {
            tracing::error!("the access log's thread has panicked");
        }
    }
}

fn open(target: &LogTarget) -> io::Result<Box<dyn Write + Send>> {
    match target {
        LogTarget::Stdout => Ok(Box::new(io::stdout())),
        LogTarget::File(path) => Ok(Box::new(BufWriter::with_capacity(64 << 10, append(path)?))),
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| io::Error::new(error.kind(), format!("access log {}: {error}", path.display())))
}

fn write_lines(
    lines: &Receiver<Box<Line>>,
    mut out: Box<dyn Write + Send>,
    target: &LogTarget,
    print: format::Print,
    state: &State,
) {
    let mut text = String::new();
    loop {
        let line = match lines.recv_timeout(FLUSH) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if state.reopen.swap(false, Ordering::Relaxed) {
            let _ = out.flush();
            match open(target) {
                Ok(fresh) => out = fresh,
                Err(error) => tracing::warn!(%error, "the access log goes on in the old file"),
            }
        }
        text.clear();
        match line {
            Some(line) => print(&line, &mut text),
            None => {
                let _ = out.flush();
                continue;
            }
        }
        if out.write_all(text.as_bytes()).is_err() {
            // A full disk ends no request.
            state.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
    let _ = out.flush();
}
