//! A server with clients that type lines and read replies.

use std::sync::{Arc, Mutex};

use adsum_keyspace::{Keyspace, Now};
use adsum_model::Revision;
use adsum_resp::{About, Ends, Flow, Outbox, Parsed, Parser, Server, Session, Wake};

/// Keeps what a client was sent.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) sent: Mutex<Sent>,
}

#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    pub(crate) wakes: Vec<Wake>,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) closed: bool,
    /// What came while a reply was being written elsewhere.
    pub(crate) behind: Option<Vec<u8>>,
}

impl Outbox for Recorder {
    fn push(&self, revision: Revision, bytes: &[u8], wake: Wake) {
        let mut sent = self.sent.lock().unwrap();
        match &mut sent.behind {
            Some(behind) => behind.extend_from_slice(bytes),
            None => sent.bytes.extend_from_slice(bytes),
        }
        sent.wakes.push(wake);
        sent.revisions.push(revision);
    }

    fn hold(&self) {
        self.sent.lock().unwrap().behind.get_or_insert_default();
    }

    fn is_open(&self) -> bool {
        !self.sent.lock().unwrap().closed
    }
}

impl Recorder {
    /// The reply is there that was written elsewhere.
    pub(crate) fn release(&self, revision: Revision, reply: &[u8]) {
        let behind = self.sent.lock().unwrap().behind.take().expect("it is held for a deferred reply");
        self.push(revision, reply, Wake::No);
        self.sent.lock().unwrap().bytes.extend_from_slice(&behind);
    }
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) now: Now,
}

pub(crate) struct Peer {
    pub(crate) session: Session,
    pub(crate) outbox: Arc<Recorder>,
}

/// The wall clock when a world begins.
pub(crate) const WALL: u64 = 1_700_000_000_000;

/// Nobody guesses 7.
fn random(bytes: &mut [u8]) -> bool {
    bytes.fill(7);
    true
}

impl World {
    pub(crate) fn new() -> World {
        let about = About {
            version: "0.0.0".into(),
            node: "n1".into(),
            max_clients: 10_000,
            random: Some(random),
            ..About::default()
        };
        World { server: Server::new(Keyspace::default(), about), now: Now { tick: 1000, wall: WALL } }
    }

    pub(crate) fn connect(&mut self) -> Peer {
        let outbox = Arc::new(Recorder::default());
        let ends = Ends { peer: "127.0.0.1:1".into(), local: "127.0.0.1:6379".into() };
        let session = self.server.connect(outbox.clone(), ends, self.now);
        Peer { session, outbox }
    }

    /// Lets time pass and applies what is due.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now = Now { tick: self.now.tick + millis, wall: self.now.wall + millis };
        self.server.expire(self.now);
    }

    /// Sends bytes and runs what they ask for.
    pub(crate) fn send(&mut self, peer: &mut Peer, bytes: &[u8]) -> Flow {
        let mut parser = Parser::default();
        let mut rest = bytes;
        let mut flow = Flow::Continue;
        loop {
            match parser.parse(rest) {
                Parsed::Incomplete => return flow,
                Parsed::Error(error) => panic!("{error}"),
                Parsed::Request { consumed, request } => {
                    flow = self.server.execute(&mut peer.session, &request, self.now);
                    if let Flow::Deferred(deferred) = flow {
                        let (revision, bytes) = deferred.write();
                        peer.outbox.release(revision, &bytes);
                        flow = Flow::Continue;
                    }
                    rest = &rest[consumed..];
                }
            }
        }
    }

    /// Runs one line, and leaves what it defers to the caller.
    pub(crate) fn execute(&mut self, peer: &mut Peer, line: &str) -> Flow {
        let line = format!("{line}\r\n");
        let mut parser = Parser::default();
        let Parsed::Request { request, .. } = parser.parse(line.as_bytes()) else { panic!("{line}") };
        self.server.execute(&mut peer.session, &request, self.now)
    }

    /// Runs one line and gives what the client has been sent since the last time, for reading: see [`show`].
    pub(crate) fn run(&mut self, peer: &mut Peer, line: &str) -> String {
        self.send(peer, format!("{line}\r\n").as_bytes());
        peer.received()
    }
}

impl Peer {
    /// What was sent since the last time.
    pub(crate) fn received(&mut self) -> String {
        show(&self.take())
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outbox.sent.lock().unwrap().bytes)
    }
}

/// Replies as text: line ends become blanks, and bytes that do not print are escaped.
pub(crate) fn show(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    text.replace("\\r\\n", " ").replace("\\\"", "\"").replace("\\'", "'").trim_end().to_owned()
}

/// Runs a script of `command -> replies` lines in one fresh world.
///
/// `>` before a command lets that many milliseconds pass first: `>500 GET a`. A line without `->` expects `+OK`.
#[track_caller]
pub(crate) fn check(script: &str) {
    let mut world = World::new();
    let mut peer = world.connect();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, expected) = line.split_once(" -> ").unwrap_or((line, "+OK"));
        let command = match command.strip_prefix('>') {
            Some(timed) => {
                let (millis, command) = timed.split_once(' ').unwrap();
                world.pass(millis.parse().unwrap());
                command
            }
            None => command,
        };
        assert_eq!(world.run(&mut peer, command), expected, "{command}");
    }
}
