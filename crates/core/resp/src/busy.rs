//! What a client gets while a script holds everybody up. Nobody holds the lock of the server here but the script.
//!
//! Redis lets in what concerns the connection alone and what ends the script. So do we, as far as it takes no more than
//! the client's own session: HELLO, AUTH, MULTI, DISCARD, UNWATCH, QUIT and SCRIPT KILL. RESET and WATCH touch what belongs
//! to the server, and are refused as all others are. An EXEC that is refused ends its transaction, as in Redis.

use adsum_script::Overseer;

use crate::commands::{connection, transactions};
use crate::refusal::{Answer, Refusal};
use crate::session::Replies;
use crate::{Flow, Protocol, Request, Session, Writer};

/// Answers a request without running it, in `out`. `session` is None as long as the client has never got the server.
pub fn answer_while_busy(
    mut session: Option<&mut Session>,
    request: &Request<'_>,
    overseer: &Overseer,
    out: &mut Vec<u8>,
) -> Flow {
    let Some(name) = request.args.first() else { return Flow::Continue };
    let mark = out.len();
    let protocol = session.as_ref().map_or(Protocol::Resp2, |session| session.protocol());
    let mut writer = Writer::new(out, protocol);
    let mut flow = Flow::Continue;
    let done = match name.to_ascii_lowercase().as_slice() {
        b"quit" => {
            flow = Flow::Close;
            writer.ok();
            Ok(())
        }
        b"script" if is_kill(&request.args) => kill(overseer, &mut writer),
        name => of_connection(name, session.as_deref_mut(), &request.args, &mut writer),
    };
    if let Err(refusal) = &done {
        writer.truncate(mark);
        writer.error(&refusal.to_string());
    }
    if let Some(session) = session {
        session.note_answered(done.is_err(), out, mark);
    }
    flow
}

fn is_kill(args: &[&[u8]]) -> bool {
    matches!(args, [_, word] if word.eq_ignore_ascii_case(b"kill"))
}

fn kill(overseer: &Overseer, out: &mut Writer<'_>) -> Answer {
    if !overseer.kill() {
        return Err(Refusal::NotBusy);
    }
    out.ok();
    Ok(())
}

/// What concerns a client alone. Who is subscribed keeps its protocol: a message may be on its way.
fn of_connection(name: &[u8], session: Option<&mut Session>, args: &[&[u8]], out: &mut Writer<'_>) -> Answer {
    let Some(session) = session else {
        return if name == b"auth" { connection::log_in(args, out) } else { Err(Refusal::Busy) };
    };
    match (name, args.len(), session.multi.is_some()) {
        (b"auth", _, false) => connection::log_in(args, out),
        (b"hello", _, false) if !session.is_subscribed() => connection::greet(session, args, out),
        (b"multi", 1, _) => transactions::begin(session, out),
        (b"discard", 1, true) | (b"unwatch", 1, false) => {
            session.leave_multi();
            out.ok();
            Ok(())
        }
        (b"discard", 1, false) => Err(transactions::DISCARD_ALONE),
        (b"exec", ..) => {
            session.leave_multi();
            Err(Refusal::Busy.of_exec())
        }
        _ => Err(Refusal::Busy),
    }
}

impl Session {
    /// What was queued since MULTI is not to be run without a request that was refused, and a client that wants no
    /// replies gets none.
    fn note_answered(&mut self, refused: bool, out: &mut Vec<u8>, mark: usize) {
        if let Some(multi) = self.multi.as_mut().filter(|_| refused) {
            multi.refuse();
        }
        if self.replies != Replies::On {
            out.truncate(mark);
        }
        if self.replies == Replies::SkipNext {
            self.replies = Replies::On;
        }
    }
}
