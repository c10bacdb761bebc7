//! Why a command was refused, in Redis' words, which clients parse.

use adsum_keyspace::{Compacted, TooBig, limits};
use adsum_script::End;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("ERR syntax error")]
    Syntax,
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    #[error("ERR value is not a valid float")]
    NotFloat,
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR index out of range")]
    NoSuchIndex,
    #[error("ERR invalid expire time in '{0}' command")]
    ExpireTime(&'static str),
    #[error("ERR invalid cursor")]
    Cursor,
    #[error("ERR DB index is out of range")]
    NoSuchDatabase,
    #[error("ERR key of {0} bytes is over the limit of {limit} bytes", limit = limits::KEY)]
    KeyTooLong(usize),
    #[error("TXNTOOBIG {0}")]
    TransactionTooBig(#[from] TooBig),
    #[error("ERR value of {0} bytes is over the limit of {limit} bytes", limit = limits::VALUE)]
    ValueTooLong(usize),
    #[error("ERR elements of {0} bytes are over the limit of {limit} bytes for one key", limit = limits::AGGREGATE)]
    TooLarge(usize),
    #[error("ERR pattern of {0} bytes is over the limit of {limit} bytes", limit = crate::limits::PATTERN)]
    PatternTooLong(usize),
    #[error("ERR the reply would be over the limit of {limit} bytes: ask for less at once", limit = crate::limits::REPLY)]
    ReplyTooLong,
    /// The fence under which the lock is held, 0 when it is not.
    #[error("FENCED {0}")]
    Fenced(u64),
    /// The oldest revision of which events can be had.
    #[error("COMPACTED {}", .0.oldest.next())]
    Compacted(#[from] Compacted),
    #[error("NOSCRIPT No matching script. Please use EVAL.")]
    NoScript,
    #[error("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")]
    Busy,
    #[error("NOTBUSY No scripts in execution right now.")]
    NotBusy,
    /// A script had to end, and with it its transaction, of which nothing is left.
    #[error(transparent)]
    Ended(End),
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(&'static str),
    #[error("ERR {0}")]
    Says(&'static str),
    /// With its code, made for the occasion.
    #[error("{0}")]
    Told(String),
}

pub(crate) type Answer = Result<(), Refusal>;

/// Whether a request names few enough settings, sections or commands.
pub(crate) fn check_names(names: &[&[u8]]) -> Answer {
    let limit = crate::limits::NAMES;
    match names.len() {
        count if count > limit => Err(Refusal::Told(format!(
            "ERR {count} names are over the limit of {limit}: ask for less at once"
        ))),
        _ => Ok(()),
    }
}

/// Whether a reply is short enough so far.
pub(crate) fn check_reply(bytes: usize) -> Answer {
    if bytes > crate::limits::REPLY { Err(Refusal::ReplyTooLong) } else { Ok(()) }
}

impl Refusal {
    /// As Redis tells of a command that it does not know: with as many of its arguments as fit.
    pub(crate) fn unknown_command(args: &[&[u8]]) -> Refusal {
        let mut shown = String::new();
        for arg in &args[1..] {
            if shown.len() >= 128 {
                break;
            }
            shown += &format!("'{}' ", cut(arg, 128 - shown.len()));
        }
        let name = cut(args[0], 128);
        Refusal::Told(format!("ERR unknown command '{name}', with args beginning with: {shown}"))
    }

    /// An EXEC that is refused ends the transaction, and says so.
    pub(crate) fn of_exec(&self) -> Refusal {
        let text = self.to_string();
        let text = text.strip_prefix("ERR ").unwrap_or(&text);
        Refusal::Told(format!("EXECABORT Transaction discarded because of: {text}"))
    }

    pub(crate) fn unknown_subcommand(command: &str, subcommand: &[u8]) -> Refusal {
        let (name, command) = (cut(subcommand, 128), command.to_uppercase());
        Refusal::Told(format!("ERR unknown subcommand '{name}'. Try {command} HELP."))
    }

    /// What some subcommands say themselves of too many words.
    pub(crate) fn words_of_subcommand(command: &str, subcommand: &[u8]) -> Refusal {
        let name = cut(subcommand, 128);
        Refusal::Told(format!(
            "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {command} HELP."
        ))
    }
}

/// At most `length` bytes, as text.
fn cut(bytes: &[u8], length: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(length)]).into_owned()
}
