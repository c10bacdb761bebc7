//! One turn of a connection: the requests that have come are run, and what the last one asks for is done.

use adsum_model::Revision;
use adsum_resp::{Flow, Outbox as _, Parsed, ProtocolError, Requests, Server, Session, Wake};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::{Connection, Ended};
use crate::resp::client::Client;
use crate::resp::{Busy, Engine};

/// Requests that one turn runs before other connections have theirs.
const REQUESTS_PER_TURN: usize = 1000;

/// How a turn ended.
enum Turn {
    /// There is no further complete request.
    Starved,
    /// It was as much as a turn may do.
    Full,
    Flow(Flow),
    /// These bytes are a request that takes long.
    HeldUp(Vec<u8>),
    Garbage(ProtocolError),
}

impl<E: Engine> Connection<E> {
    /// Runs the complete requests that are there, as many as a turn may.
    pub(super) fn turn(&mut self) -> Result<(), Ended> {
        if !self.can_run() {
            return Ok(());
        }
        let input = std::mem::take(&mut self.input);
        let consumed = self.run_requests(&input)?;
        self.keep(input, consumed);
        Ok(())
    }

    /// Runs requests at the beginning of `input`. How many bytes of it are done with.
    pub(super) fn run_requests(&mut self, input: &[u8]) -> Result<usize, Ended> {
        let Connection { parser, client, mailbox, limits, .. } = self;
        let mut requests = Requests::new();
        parser.parse_ahead(input, &mut requests);
        if requests.is_empty() && !parser.has_request(input) {
            self.may_have_request = false;
            return Ok(0);
        }
        let mut done = 0;
        let mut budget = REQUESTS_PER_TURN;
        let mut after = |flow, length, is_large: bool| {
            let bytes = &input[done..done + length];
            done += length;
            budget -= 1;
            match flow {
                Flow::Continue if budget > 0 && mailbox.len() < limits.replies && !is_large => return None,
                Flow::Continue => return Some(Turn::Full),
                Flow::HeldUp => return Some(Turn::HeldUp(bytes.to_vec())),
                Flow::Paused { .. } => done -= length,
                _ => {}
            }
            Some(Turn::Flow(flow))
        };
        let mut run = |server: &mut Server, session: &mut Session, now| {
            let mut rest = input;
            loop {
                server.expect(session, &requests);
                for (length, request) in &requests {
                    rest = &rest[*length..];
                    let flow = server.execute(session, request, now);
                    if let Some(turn) = after(flow, *length, server.has_large_commits()) {
                        return turn;
                    }
                }
                match parser.parse(rest) {
                    Parsed::Incomplete => return Turn::Starved,
                    Parsed::Error(error) => return Turn::Garbage(error),
                    Parsed::Request { consumed, request } => {
                        rest = &rest[consumed..];
                        let flow = server.execute(session, &request, now);
                        if let Some(turn) = after(flow, consumed, server.has_large_commits()) {
                            return turn;
                        }
                    }
                }
                parser.parse_ahead(rest, &mut requests);
            }
        };
        let entered = client.try_enter(|server, session, now| {
            let before = server.keyspace().revision();
            let turn = run(server, session, now);
            let after = server.keyspace().revision();
            (turn, if after > before { after } else { Revision::ZERO })
        });
        let turn = match entered {
            Ok((turn, committed)) => {
                self.committed = self.committed.max(committed);
                turn
            }
            Err(Busy) => self.answer_while_busy(input, &mut done),
        };
        self.end_turn(turn)?;
        Ok(done)
    }

    /// Answers the requests at the beginning of `input` while a script holds everybody up.
    fn answer_while_busy(&mut self, input: &[u8], done: &mut usize) -> Turn {
        let mut bytes = Vec::new();
        let turn = loop {
            match self.parser.parse(&input[*done..]) {
                Parsed::Incomplete => break Turn::Starved,
                Parsed::Error(error) => break Turn::Garbage(error),
                Parsed::Request { consumed, request } => {
                    *done += consumed;
                    match self.client.answer_while_busy(&request, &mut bytes) {
                        Flow::Continue => {}
                        flow => break Turn::Flow(flow),
                    }
                }
            }
            if bytes.len() >= self.limits.replies {
                break Turn::Full;
            }
        };
        self.mailbox.push(Revision::ZERO, &bytes, Wake::No);
        turn
    }

    /// Has a request run elsewhere that would hold up the others of this thread.
    fn hold(&mut self, bytes: Vec<u8>) {
        let (mut client, longest) = (self.client.lend(), self.limits.bulk);
        self.held = Some(tokio::task::spawn_blocking(move || {
            let flow = client.execute_patiently(&bytes, longest);
            (client, flow)
        }));
    }

    pub(super) fn take_held(&mut self, held: Result<(Client<E>, Flow), JoinError>) -> Result<(), Ended> {
        self.held = None;
        let (client, flow) = held.map_err(|_| Ended::Cut("its request could not be run"))?;
        self.client = client;
        self.end_turn(Turn::Flow(flow))
    }

    fn end_turn(&mut self, turn: Turn) -> Result<(), Ended> {
        match turn {
            Turn::Starved => self.may_have_request = false,
            Turn::Full | Turn::Flow(Flow::Continue) => {}
            Turn::Flow(Flow::Blocked { timeout }) => {
                self.blocked = Some(timeout.and_then(|timeout| Instant::now().checked_add(timeout)));
            }
            Turn::Flow(Flow::Paused { rest }) => self.blocked = Some(Instant::now().checked_add(rest)),
            Turn::Flow(Flow::Deferred(deferred)) => {
                self.deferred = Some(self.clerk.write(deferred));
            }
            Turn::HeldUp(bytes) => self.hold(bytes),
            // It is a turn of its own, and one who is patient is not held up.
            Turn::Flow(Flow::HeldUp) => {}
            Turn::Flow(Flow::Close) => self.closing = true,
            Turn::Garbage(ProtocolError::Http) => return Err(Ended::Cut("it speaks HTTP")),
            Turn::Garbage(error) => {
                tracing::debug!(client = self.client.id(), %error, "not the Redis protocol");
                self.mailbox.push(Revision::ZERO, format!("-{error}\r\n").as_bytes(), Wake::No);
                self.closing = true;
            }
        }
        Ok(())
    }

    /// Keeps what was not run of `input`.
    fn keep(&mut self, mut input: Vec<u8>, consumed: usize) {
        if consumed < input.len() {
            input.drain(..consumed);
            self.input = input;
        }
    }
}
