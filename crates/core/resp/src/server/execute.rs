//! One request: found, checked, run, answered.

use adsum_keyspace::{Now, limits};

use super::{Flow, SCRATCH, Server, writer};
use crate::command::{Call, Command, Run, WHILE_SUBSCRIBED, Wait, Work};
use crate::refusal::{Answer, Refusal};
use crate::session::Replies;
use crate::{Protocol, Request, Session};

/// A request that is about to be run.
struct Todo<'a> {
    args: &'a [&'a [u8]],
    now: Now,
}

impl Server {
    /// Runs one request. The reply goes to the client's outbox, and what others get to hear of it to theirs.
    pub fn execute(&mut self, session: &mut Session, request: &Request<'_>, now: Now) -> Flow {
        debug_assert!(!session.is_blocked());
        if request.args.is_empty() {
            return Flow::Continue;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let skip = session.replies == Replies::SkipNext;
        let flow = self.run(session, &request.args, now, &mut bytes);
        if skip && session.replies == Replies::SkipNext {
            session.replies = Replies::On;
        }
        if !bytes.is_empty() && !skip && session.replies == Replies::On {
            self.reply(session, &bytes);
        }
        bytes.shrink_to(SCRATCH);
        self.scratch = bytes;
        flow
    }

    fn run(&mut self, session: &mut Session, args: &[&[u8]], now: Now, bytes: &mut Vec<u8>) -> Flow {
        self.stats.commands += 1;
        let done = self.find(args).and_then(|command| {
            session.client.touch(command.name, now);
            allow(command, args, session)?;
            let todo = Todo { args, now };
            match command.run {
                Run::Keys(run) => self.run_keys(session, &todo, run, bytes).map(|()| Flow::Continue),
                Run::Blocking(plan) => self.run_blocking(session, &todo, plan(args)?, bytes),
                Run::Server(run) => self.run_server(session, &todo, run, bytes),
                Run::Container => {
                    help(command, &mut writer(&session.client, bytes));
                    Ok(Flow::Continue)
                }
            }
        });
        done.unwrap_or_else(|refusal| {
            self.stats.errors += 1;
            bytes.clear();
            writer(&session.client, bytes).error(&refusal.to_string());
            Flow::Continue
        })
    }

    fn find(&self, args: &[&[u8]]) -> Result<&'static Command, Refusal> {
        let command = self.commands.find(args[0]).ok_or_else(|| Refusal::unknown_command(args))?;
        let Some(name) = args.get(1).filter(|_| !command.subcommands.is_empty()) else { return Ok(command) };
        match command.subcommand(name) {
            Some(subcommand) => Ok(subcommand),
            None if name.eq_ignore_ascii_case(b"help") && args.len() == 2 => Ok(command),
            None => Err(Refusal::unknown_subcommand(command.name, name)),
        }
    }

    fn run_keys(
        &mut self,
        session: &Session,
        todo: &Todo<'_>,
        run: fn(&mut Work<'_, '_>) -> Answer,
        bytes: &mut Vec<u8>,
    ) -> Answer {
        let (db, args) = (session.database(), todo.args);
        let out = writer(&session.client, bytes);
        let (cursors, lot) = (&mut self.cursors, &mut self.lot);
        let outcome =
            self.keyspace.transact(todo.now, |tx| run(&mut Work { tx, db, args, out, cursors, lot }))?;
        self.settle(outcome.commit, outcome.publishes, todo.now);
        outcome.reply
    }

    fn run_blocking(
        &mut self,
        session: &mut Session,
        todo: &Todo<'_>,
        wait: Wait,
        bytes: &mut Vec<u8>,
    ) -> Result<Flow, Refusal> {
        let mut out = writer(&session.client, bytes);
        let database = session.database();
        let outcome = self.keyspace.transact(todo.now, |tx| {
            for key in &wait.keys {
                if wait.action.run(tx, database, key, &mut out)? {
                    return Ok::<bool, Refusal>(true);
                }
            }
            Ok(false)
        })?;
        self.settle(outcome.commit, outcome.publishes, todo.now);
        if outcome.reply? {
            return Ok(Flow::Continue);
        }
        let timeout = wait.timeout;
        self.waiters.add(session.client.clone(), database, wait);
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
        let (args, now) = (todo.args, todo.now);
        let mut call = Call { server: self, session, args, now, out, flow: Flow::Continue };
        run(&mut call)?;
        Ok(call.flow)
    }
}

/// What can be said about a request without running it.
fn allow(command: &Command, args: &[&[u8]], session: &Session) -> Answer {
    if !command.takes(args.len()) {
        return Err(Refusal::Arity(command.name));
    }
    if session.is_subscribed()
        && session.protocol() == Protocol::Resp2
        && !command.flags.has(WHILE_SUBSCRIBED)
    {
        return Err(subscribed(command));
    }
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

fn help(command: &Command, out: &mut crate::Writer<'_>) {
    let name = command.name.to_uppercase();
    out.array(command.subcommands.len() + 1);
    out.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for subcommand in command.subcommands {
        out.simple(&subcommand.name[name.len() + 1..].to_uppercase());
    }
}
