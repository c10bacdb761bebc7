//! The commands of a script: `redis.call` and `redis.pcall`.

use adsum_keyspace::Now;
use adsum_script::{Commands, End, MEMORY, Raised, Reply};

use super::reply;
use crate::command::{Command, NO_SCRIPT, WRITE, blocks};
use crate::refusal::{Answer, Refusal};
use crate::server::fill_in;
use crate::{Protocol, Server, Session, Writer};

/// Bytes of the buffer for replies that are kept from one script to the next.
const BUFFER: usize = 64 * 1024;

/// Runs commands for a script, each as a part of the transaction that the script is a part of.
pub(super) struct Host<'h> {
    server: &'h mut Server,
    session: &'h mut Session,
    now: Now,
    read_only: bool,
    /// Of the last reply.
    buffer: Vec<u8>,
}

impl<'h> Host<'h> {
    pub(super) fn new(
        server: &'h mut Server,
        session: &'h mut Session,
        now: Now,
        read_only: bool,
    ) -> Host<'h> {
        let buffer = std::mem::take(&mut server.scripts.buffer);
        Host { server, session, now, read_only, buffer }
    }

    /// The script is over: the next one gets the buffer.
    pub(super) fn end(self) {
        self.server.scripts.buffer = emptied(self.buffer);
    }

    fn run(&mut self, arguments: &[&[u8]], protocol: Protocol) -> Answer {
        let command = self.allow(arguments)?;
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.clear();
        let marks = self.server.marks.len();
        let mut out = Writer::new(&mut bytes, protocol);
        let done = self.server.run_part(self.session, (command, arguments), self.now, &mut out);
        // What the transaction is going to have as its revision is known already, here where nothing fails any more.
        let revision = self.server.revision().next().0;
        fill_in(&mut bytes, &self.server.marks[marks..], revision);
        self.server.marks.truncate(marks);
        self.buffer = bytes;
        done?;
        self.server
            .check_size(self.buffer.len())
            .map_err(|refusal| Refusal::Ended(End::Refused(refusal.to_string())))
    }

    fn answered(&mut self, error: String) -> Raised {
        self.server.stats.errors.count(&error);
        Raised::Answer(error)
    }

    /// The command, unless a script may not use it so.
    fn allow(&self, arguments: &[&[u8]]) -> Result<&'static Command, Refusal> {
        let unknown = Refusal::Says("Unknown Redis command called from script");
        let command = self.server.find(arguments).map_err(|_| unknown)?;
        if !command.takes(arguments.len()) {
            return Err(Refusal::Says("Wrong number of args calling Redis command from script"));
        }
        if command.flags.has(NO_SCRIPT) {
            return Err(Refusal::Says("This Redis command is not allowed from script"));
        }
        let writes = command.flags.has(WRITE) || ["publish", "spublish"].contains(&command.name);
        if self.read_only && writes {
            return Err(Refusal::Says("Write commands are not allowed from read-only scripts."));
        }
        if ["xread", "xreadgroup"].contains(&command.name) && blocks(arguments) {
            let name = String::from_utf8_lossy(arguments[0]);
            let text = "command is not allowed with BLOCK option from scripts";
            return Err(Refusal::Told(format!("ERR {name} {text}")));
        }
        self.server.allow_growth(command)?;
        crate::server::check_keys(command, arguments)?;
        Ok(command)
    }
}

impl Commands for Host<'_> {
    fn call(&mut self, arguments: &[&[u8]], resp3: bool) -> Result<Reply<'_>, Raised> {
        let protocol = if resp3 { Protocol::Resp3 } else { Protocol::Resp2 };
        match self.run(arguments, protocol) {
            Ok(()) => {}
            Err(Refusal::Ended(end)) => return Err(Raised::Ended(end)),
            Err(refusal) => return Err(self.answered(refusal.to_string())),
        }
        if let Some(error) = self.buffer.strip_prefix(b"-") {
            let text = String::from_utf8_lossy(error).trim_end().to_owned();
            return Err(self.answered(text));
        }
        if is_too_much(&self.buffer) {
            return Err(Raised::Text("not enough memory".to_owned()));
        }
        Ok(reply::read(&self.buffer))
    }
}

/// Whether a reply would take more than a script has, in Lua, where each element takes some room of its own. It is looked
/// at before, since nothing limits what is made of it.
fn is_too_much(reply: &[u8]) -> bool {
    /// Bytes that are no matter, whatever they are.
    const SMALL: usize = MEMORY / 64;
    /// What a short text or a number takes in a table; it is one or two lines.
    const ELEMENT: usize = 40;
    if reply.len() <= SMALL {
        return false;
    }
    let lines = reply.windows(2).filter(|pair| pair == b"\r\n").count();
    reply.len() + lines / 2 * ELEMENT > MEMORY
}

/// Without the room that a long reply took.
fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    // What is in it would not be given up.
    buffer.clear();
    buffer.shrink_to(BUFFER);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_of_a_long_reply_is_given_back() {
        let buffer = emptied(vec![1; 10 * BUFFER]);
        assert!(buffer.is_empty() && buffer.capacity() <= BUFFER, "{}", buffer.capacity());
    }
}
