//! What a client gets while a script holds everybody up. Nobody holds the lock of the server here but the script.

use adsum_script::Overseer;

use crate::refusal::Refusal;
use crate::session::Replies;
use crate::{Flow, Protocol, Request, Session, Writer};

/// Answers a request without running it, in `out`. `session` is None as long as the client has never got the server. All
/// that a client can do is to have the script end, and to go.
pub fn answer_while_busy(
    session: Option<&mut Session>,
    request: &Request<'_>,
    overseer: &Overseer,
    out: &mut Vec<u8>,
) -> Flow {
    let Some(name) = request.args.first() else { return Flow::Continue };
    let kills = name.eq_ignore_ascii_case(b"script")
        && request.args.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"kill"));
    let mark = out.len();
    let mut writer = Writer::new(out, Protocol::Resp2);
    let mut flow = Flow::Continue;
    if name.eq_ignore_ascii_case(b"quit") {
        flow = Flow::Close;
        writer.ok();
    } else if !kills {
        writer.error(&Refusal::Busy.to_string());
    } else if overseer.kill() {
        writer.ok();
    } else {
        writer.error(&Refusal::NotBusy.to_string());
    }
    if let Some(session) = session {
        session.note_refused(out, mark);
    }
    flow
}

impl Session {
    /// What was queued since MULTI is not to be run without this request, and a client that wants no replies gets none.
    fn note_refused(&mut self, out: &mut Vec<u8>, mark: usize) {
        if let Some(multi) = &mut self.multi {
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
