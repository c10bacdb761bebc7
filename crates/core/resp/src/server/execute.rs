//! One request: found, checked, run, answered.

use std::time::Duration;

use adsum_keyspace::{Now, limits};
use adsum_script::Patience;

use super::{Flow, SCRATCH, Server, writer};
use crate::command::{AT_ONCE, Call, Command, Run, Timeout, WHILE_SUBSCRIBED, WRITE, Wait};
use crate::commands::scripts;
use crate::multi::Multi;
use crate::refusal::{Answer, Refusal};
use crate::scripts::holds_up;
use crate::session::Replies;
use crate::{Deferred, Protocol, Request, Session};

/// Writes that take something away, or end it, or without which a lock is lost.
const WITHOUT_ROOM: [&str; 38] = [
    "blmpop",
    "blpop",
    "brpop",
    "bzmpop",
    "bzpopmax",
    "bzpopmin",
    "del",
    "delex",
    "delifeq",
    "expire",
    "expireat",
    "flushall",
    "flushdb",
    "getdel",
    "getex",
    "hdel",
    "lmpop",
    "lpop",
    "lrem",
    "ltrim",
    "pexpire",
    "pexpireat",
    "renew",
    "rpop",
    "spop",
    "srem",
    "unlink",
    "unlock",
    "xack",
    "xdel",
    "xtrim",
    "zmpop",
    "zpopmax",
    "zpopmin",
    "zrem",
    "zremrangebylex",
    "zremrangebyrank",
    "zremrangebyscore",
];

/// A request that is about to be run.
struct Todo<'a> {
    args: &'a [&'a [u8]],
    now: Now,
}

impl Server {
    /// Runs one request. The reply goes to the client's outbox, and what others get to hear of it to theirs.
    pub fn execute(&mut self, session: &mut Session, request: &Request<'_>, now: Now) -> Flow {
        if let Some(rest) = self.rest_of_pause(session, request, now) {
            return Flow::Paused { rest };
        }
        self.scripts.patience = Patience::Short;
        self.execute_so(session, request, now)
    }

    /// The same on a thread that has the time: it is never held up.
    pub fn execute_patiently(&mut self, session: &mut Session, request: &Request<'_>, now: Now) -> Flow {
        self.scripts.patience = Patience::Long;
        self.execute_so(session, request, now)
    }

    /// For how long a request has to wait for the end of a pause. One that is refused anyway does not.
    fn rest_of_pause(&mut self, session: &Session, request: &Request<'_>, now: Now) -> Option<Duration> {
        if !self.pause.is_on() || request.args.is_empty() {
            return None;
        }
        let command = self.find(&request.args).ok()?;
        // Unlike in Redis whoever ends a pause is not held by it: nobody could.
        if command.name == "client|unpause" || allow(command, &request.args, Some(session)).is_err() {
            return None;
        }
        let writes = self.may_write(&request.args)
            || command.name == "exec"
                && session.multi.iter().flat_map(Multi::requests).any(|args| self.may_write(&args));
        let rest = self.pause.rest(writes, now)?;
        self.pause.wait(&session.client);
        Some(rest)
    }

    /// Whether a request that can be run may change something, or reach somebody.
    fn may_write(&mut self, args: &[&[u8]]) -> bool {
        self.find(args).is_ok_and(|command| match command.name {
            "publish" | "spublish" => true,
            _ => scripts::may_write(&mut self.scripts, command, args).unwrap_or(command.flags.has(WRITE)),
        })
    }

    fn execute_so(&mut self, session: &mut Session, request: &Request<'_>, now: Now) -> Flow {
        debug_assert!(!session.is_blocked());
        if request.args.is_empty() {
            return Flow::Continue;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        if std::mem::take(&mut session.lets_go) {
            self.watched.remove(&session.client);
        }
        let before = session.replies;
        if before == Replies::SkipNext {
            session.replies = Replies::SkipThis;
        }
        self.author = Some(session.id());
        self.subscriptions.begin_request(session.id());
        let mut flow = self.run(session, &request.args, now, &mut bytes);
        self.author = None;
        self.scripts.overseer.end();
        if matches!(flow, Flow::HeldUp) {
            self.stats.errors.forget();
            self.stats.commands -= 1;
            // Keys that were given up for what it read are given up all the same.
            self.tracking.send_pending();
            self.subscriptions.end_request();
            session.replies = before;
            self.scratch = bytes;
            return flow;
        }
        let confirmed = std::mem::take(&mut session.confirmed);
        let silent = session.is_silent() && !confirmed;
        if session.replies == Replies::SkipThis {
            session.replies = Replies::On;
        }
        match &flow {
            Flow::Deferred(_) if silent => flow = Flow::Continue,
            Flow::Deferred(_) => session.client.outbox.hold(),
            _ if !bytes.is_empty() && !silent => self.reply(session, &bytes),
            _ => {}
        }
        self.track(session, request);
        bytes.shrink_to(SCRATCH);
        self.scratch = bytes;
        flow
    }

    /// What is to be told of the request to the client itself, behind its reply; and CLIENT CACHING ends with the request
    /// that it was said for.
    fn track(&mut self, session: &Session, request: &Request<'_>) {
        self.subscriptions.end_request();
        self.tracking.send_pending();
        if self.tracking.clients() > 0
            && session.multi.is_none()
            && !request.args[0].eq_ignore_ascii_case(b"client")
        {
            self.tracking.end_of_request(session.id());
        }
    }

    fn run(&mut self, session: &mut Session, args: &[&[u8]], now: Now, bytes: &mut Vec<u8>) -> Flow {
        self.stats.commands += 1;
        self.stats.errors.settle();
        let found = self.find(args).and_then(|command| {
            session.client.touch(command.name, now);
            self.allow_growth(command)?;
            allow(command, args, Some(session)).map(|()| command)
        });
        let done = match (found, &mut session.multi) {
            (Ok(command), Some(_)) if !command.flags.has(AT_ONCE) => {
                Server::queue(session, args, &mut writer(&session.client, bytes)).map(|()| Flow::Continue)
            }
            (Ok(command), _) => self.run_now(session, command, &Todo { args, now }, bytes),
            (Err(refusal), _) => Err(session.note_refused(args, refusal)),
        };
        done.unwrap_or_else(|refusal| {
            bytes.clear();
            if holds_up(&refusal) {
                return Flow::HeldUp;
            }
            let text = refusal.to_string();
            self.stats.errors.count(&text);
            writer(&session.client, bytes).error(&text);
            Flow::Continue
        })
    }

    /// Refuses a command that may make the state grow when there is no room.
    pub(crate) fn allow_growth(&self, command: &Command) -> Answer {
        let Some(reason) = &self.no_growth else { return Ok(()) };
        if command.flags.has(WRITE) && !WITHOUT_ROOM.contains(&command.name) {
            return Err(Refusal::Told(format!("ERR {reason}")));
        }
        Ok(())
    }

    pub(crate) fn find(&self, args: &[&[u8]]) -> Result<&'static Command, Refusal> {
        Command::of(self.commands.find(args[0]), args)
    }

    fn run_now(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        todo: &Todo<'_>,
        bytes: &mut Vec<u8>,
    ) -> Result<Flow, Refusal> {
        let mut out = writer(&session.client, bytes);
        match command.run {
            Run::Keys(run) => {
                let mut later = None;
                let answer = self.step(session, todo.args, todo.now, (&mut out, Some(&mut later)), run);
                self.finish(todo.now, bytes)?;
                self.note_command(command, todo.args);
                answer.map(|()| match later {
                    Some(write) => Flow::Deferred(Deferred::new(self.revision(), session.protocol(), write)),
                    None => Flow::Continue,
                })
            }
            Run::Blocking(plan) => self.run_blocking(session, todo, plan(todo.args)?, bytes),
            Run::Server(run) => self.run_server(session, todo, run, bytes),
            Run::Container => {
                help(command, &mut out);
                Ok(Flow::Continue)
            }
        }
    }

    fn run_blocking(
        &mut self,
        session: &mut Session,
        todo: &Todo<'_>,
        wait: Wait,
        bytes: &mut Vec<u8>,
    ) -> Result<Flow, Refusal> {
        let mut out = writer(&session.client, bytes);
        let done = self.attempt(session, &wait, todo.now, &mut out);
        self.finish(todo.now, bytes)?;
        if done? {
            return Ok(Flow::Continue);
        }
        let timeout = match wait.timeout {
            Timeout::AtOnce => {
                wait.action.give_up(&mut writer(&session.client, bytes));
                return Ok(Flow::Continue);
            }
            Timeout::After(timeout) => Some(timeout),
            Timeout::Never => None,
        };
        self.waiters.add(session.client.clone(), session.is_silent(), session.database(), wait);
        Ok(Flow::Blocked { timeout })
    }

    fn run_server(
        &mut self,
        session: &mut Session,
        todo: &Todo<'_>,
        run: fn(&mut Call<'_>) -> Answer,
        bytes: &mut Vec<u8>,
    ) -> Result<Flow, Refusal> {
        let out = writer(&session.client, bytes);
        let (args, now, flow) = (todo.args, todo.now, Flow::Continue);
        let mut call = Call { server: self, session, args, now, out, flow, in_transaction: false };
        run(&mut call)?;
        let flow = call.flow;
        // Of what EXEC has run.
        self.finish(todo.now, bytes)?;
        Ok(flow)
    }
}

/// What can be said about a request without running it.
pub(crate) fn allow(command: &Command, args: &[&[u8]], session: Option<&Session>) -> Answer {
    if !command.takes(args.len()) {
        return Err(Refusal::Arity(command.name));
    }
    let is_subscribed = |session: &Session| session.is_subscribed() && session.protocol() == Protocol::Resp2;
    if session.is_some_and(is_subscribed) && !command.flags.has(WHILE_SUBSCRIBED) {
        return Err(subscribed(command));
    }
    check_keys(command, args)
}

/// Whether the keys of a request are short enough.
pub(crate) fn check_keys(command: &Command, args: &[&[u8]]) -> Answer {
    let mut keys = command.keys_in(args).into_iter().flatten();
    match keys.find(|key| key.len() > limits::KEY) {
        Some(key) => Err(Refusal::KeyTooLong(key.len())),
        None => Ok(()),
    }
}

fn subscribed(command: &Command) -> Refusal {
    Refusal::Told(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
        command.name
    ))
}

/// The subcommands of a command.
pub(crate) fn help(command: &Command, out: &mut crate::Writer<'_>) {
    let name = command.name.to_uppercase();
    out.array(command.subcommands.len() + 1);
    out.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for subcommand in command.subcommands {
        out.simple(&subcommand.name[name.len() + 1..].to_uppercase());
    }
}
