//! What a client gets while a script holds everybody up. Nobody holds the lock of the server here but the script.
//!
//! Redis lets in what concerns the connection alone and what ends the script. So do we, as far as it takes no more than
//! the client's own session: HELLO, AUTH, MULTI, DISCARD, UNWATCH, QUIT and SCRIPT KILL. RESET and WATCH touch what belongs
//! to the server, and are refused as all others are. An EXEC that is refused ends its transaction, as in Redis.

use adsum_script::Overseer;

use crate::command::Command;
use crate::commands::{FAMILIES, connection, transactions};
use crate::refusal::{Answer, Refusal};
use crate::server::allow;
use crate::session::Replies;
use crate::{Flow, Protocol, Request, Server, Session, Writer};

/// Of those that are let in, what waits for EXEC behind MULTI.
const QUEUED: [&str; 4] = ["auth", "hello", "script|kill", "unwatch"];

/// Answers a request without running it, in `out`. `session` is None as long as the client has never got the server.
pub fn answer_while_busy(
    mut session: Option<&mut Session>,
    request: &Request<'_>,
    overseer: &Overseer,
    out: &mut Vec<u8>,
) -> Flow {
    if request.args.is_empty() {
        return Flow::Continue;
    }
    let mark = out.len();
    let protocol = session.as_ref().map_or(Protocol::Resp2, |session| session.protocol());
    let mut writer = Writer::new(out, protocol);
    let mut flow = Flow::Continue;
    let done = match find(&request.args, session.as_deref()) {
        Ok(command) if command.name == "quit" => {
            flow = Flow::Close;
            writer.ok();
            Ok(())
        }
        Ok(command) => match &mut session {
            Some(session) => of_session(command, session, &request.args, overseer, &mut writer),
            None => of_anybody(command, &request.args, overseer, &mut writer),
        },
        Err(refusal) => Err(match &mut session {
            Some(session) => session.note_refused(&request.args, refusal),
            None => refusal,
        }),
    };
    if let Err(refusal) = done {
        writer.truncate(mark);
        writer.error(&refusal.to_string());
    }
    if let Some(session) = session {
        session.note_answered(out, mark);
    }
    flow
}

/// The command of a request, if it could be run without the script.
fn find(args: &[&[u8]], session: Option<&Session>) -> Result<&'static Command, Refusal> {
    let mut all = FAMILIES.iter().flat_map(|(_, commands)| *commands);
    let command = all.find(|command| command.name.as_bytes().eq_ignore_ascii_case(args[0]));
    let command = Command::of(command, args)?;
    allow(command, args, session).map(|()| command)
}

fn of_anybody(command: &Command, args: &[&[u8]], overseer: &Overseer, out: &mut Writer<'_>) -> Answer {
    match command.name {
        "auth" => connection::log_in(args, out),
        "script|kill" => kill(overseer, out),
        _ => Err(Refusal::Busy),
    }
}

/// Who is subscribed keeps its protocol: a message may be on its way.
fn of_session(
    command: &Command,
    session: &mut Session,
    args: &[&[u8]],
    overseer: &Overseer,
    out: &mut Writer<'_>,
) -> Answer {
    let in_multi = session.multi.is_some();
    match command.name {
        name if in_multi && QUEUED.contains(&name) => Server::queue(session, args, out),
        "hello" if !session.is_subscribed() => connection::greet(session, args, out),
        "multi" => transactions::begin(session, out),
        "watch" if in_multi => Err(transactions::WATCH_INSIDE),
        "discard" if !in_multi => Err(transactions::DISCARD_ALONE),
        "discard" | "unwatch" => {
            session.leave_multi();
            out.ok();
            Ok(())
        }
        "auth" | "script|kill" => of_anybody(command, args, overseer, out),
        _ => Err(session.note_refused(args, Refusal::Busy)),
    }
}

fn kill(overseer: &Overseer, out: &mut Writer<'_>) -> Answer {
    if !overseer.kill() {
        return Err(Refusal::NotBusy);
    }
    out.ok();
    Ok(())
}

impl Session {
    /// A client that wants no replies gets none.
    fn note_answered(&mut self, out: &mut Vec<u8>, mark: usize) {
        if self.replies != Replies::On {
            out.truncate(mark);
        }
        if self.replies == Replies::SkipNext {
            self.replies = Replies::On;
        }
    }
}
