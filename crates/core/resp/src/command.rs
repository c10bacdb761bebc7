//! What a command is, and the table of all of them.

use std::time::Duration;

use adsum_keyspace::{Blob, Database, Now, Transaction};
use smallvec::SmallVec;

use crate::blocking::{Action, Ready};
use crate::client::ClientId;
use crate::cursors::Cursors;
use crate::deferred::Write;
use crate::grants::Grants;
use crate::lot::Lot;
use crate::refusal::{Answer, Refusal};
use crate::server::Marks;
use crate::subscriptions::Subscriptions;
use crate::{Flow, Server, Session, Writer, commands, limits};

pub(crate) struct Command {
    /// In lower case; of a subcommand `command|subcommand`.
    pub(crate) name: &'static str,
    /// Words including the name; negative when that many are the least.
    pub(crate) arity: i32,
    pub(crate) flags: Flags,
    pub(crate) keys: KeysAt,
    /// Where an element of the only key is named, if any is: the first one, when no options come before it.
    pub(crate) element: Option<usize>,
    pub(crate) run: Run,
    pub(crate) subcommands: &'static [Command],
}

/// Who does the work.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// A part of a transaction: one command by itself, or one of several.
    Keys(fn(&mut Work<'_, '_>) -> Answer),
    /// Tries, and has the client wait when there is nothing yet.
    Blocking(fn(&[&[u8]]) -> Result<Wait, Refusal>),
    /// Concerns the client or the server and no key.
    Server(fn(&mut Call<'_>) -> Answer),
    /// Only its subcommands do anything.
    Container,
}

/// A command's share of a transaction.
pub(crate) struct Work<'w, 't> {
    pub(crate) tx: &'w mut Transaction<'t>,
    pub(crate) db: Database,
    /// With the name as the first.
    pub(crate) args: &'w [&'w [u8]],
    pub(crate) client: ClientId,
    pub(crate) out: Writer<'w>,
    pub(crate) cursors: &'w mut Cursors,
    pub(crate) lot: &'w mut Lot,
    pub(crate) subscriptions: &'w Subscriptions,
    pub(crate) grants: &'w mut Grants,
    pub(crate) marks: &'w mut Marks,
    /// Where a reply goes that is to be written later; None where it has to be written now.
    pub(crate) later: Option<&'w mut Option<Write>>,
}

impl Work<'_, '_> {
    /// Has a reply that walks over so many elements and bytes written without holding everybody up.
    pub(crate) fn reply_with(
        &mut self,
        (elements, bytes): (usize, usize),
        write: impl FnOnce(&mut Writer<'_>) + Send + 'static,
    ) {
        let is_long = elements > limits::AT_ONCE || bytes > limits::BYTES_AT_ONCE;
        match &mut self.later {
            Some(later) if is_long => **later = Some(Box::new(write)),
            Some(_) | None => write(&mut self.out),
        }
    }

    /// Answers with the revision of the transaction, as an integer.
    pub(crate) fn reply_revision(&mut self) {
        self.marks.push(self.out.mark());
    }
}

/// What a blocking command wants.
pub(crate) struct Wait {
    /// In the order in which they are tried.
    pub(crate) keys: SmallVec<[Blob; 1]>,
    pub(crate) ready: Ready,
    pub(crate) action: Action,
    pub(crate) timeout: Timeout,
}

/// How long a command waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// It does not.
    AtOnce,
    After(Duration),
    Never,
}

/// A command that concerns the server.
pub(crate) struct Call<'c> {
    pub(crate) server: &'c mut Server,
    pub(crate) session: &'c mut Session,
    pub(crate) args: &'c [&'c [u8]],
    pub(crate) now: Now,
    pub(crate) out: Writer<'c>,
    pub(crate) flow: Flow,
    /// Whether it runs in an EXEC, and so must not wait.
    pub(crate) in_transaction: bool,
}

/// Where the keys stand among the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeysAt {
    None,
    /// From `first` to `last`, which counts from the end when negative.
    Range {
        first: usize,
        last: isize,
        step: usize,
    },
    /// As many as the number at `count` says, behind it.
    Counted {
        count: usize,
    },
    /// The same, and one more as the first argument.
    OneAndCounted {
        count: usize,
    },
    /// The first, and the one behind the last STORE.
    OneAndStored,
    /// The first half of what stands behind STREAMS.
    Streams,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u16);

pub(crate) const WRITE: Flags = Flags(1);
pub(crate) const READ: Flags = Flags(1 << 1);
pub(crate) const BLOCKS: Flags = Flags(1 << 3);
pub(crate) const NONE: Flags = Flags(0);
/// May be used by a RESP2 client that is subscribed.
pub(crate) const WHILE_SUBSCRIBED: Flags = Flags(1 << 6);
pub(crate) const NO_SCRIPT: Flags = Flags(1 << 7);
/// Is not queued after MULTI.
pub(crate) const AT_ONCE: Flags = Flags(1 << 8);

impl Flags {
    pub(crate) const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub(crate) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }
}

pub(crate) const ONE_KEY: KeysAt = KeysAt::Range { first: 1, last: 1, step: 1 };
pub(crate) const TWO_KEYS: KeysAt = KeysAt::Range { first: 1, last: 2, step: 1 };
pub(crate) const ALL_KEYS: KeysAt = KeysAt::Range { first: 1, last: -1, step: 1 };

impl Command {
    pub(crate) const fn keys(
        name: &'static str,
        arity: i32,
        flags: Flags,
        keys: KeysAt,
        run: fn(&mut Work<'_, '_>) -> Answer,
    ) -> Command {
        Command { name, arity, flags, keys, element: None, run: Run::Keys(run), subcommands: &[] }
    }

    pub(crate) const fn blocking(
        name: &'static str,
        arity: i32,
        keys: KeysAt,
        run: fn(&[&[u8]]) -> Result<Wait, Refusal>,
    ) -> Command {
        let flags = WRITE.and(BLOCKS);
        Command { name, arity, flags, keys, element: None, run: Run::Blocking(run), subcommands: &[] }
    }

    /// The same, but no script may use it.
    pub(crate) const fn unscripted(self) -> Command {
        Command { flags: self.flags.and(NO_SCRIPT), ..self }
    }

    pub(crate) const fn server(
        name: &'static str,
        arity: i32,
        flags: Flags,
        run: fn(&mut Call<'_>) -> Answer,
    ) -> Command {
        let keys = KeysAt::None;
        Command { name, arity, flags, keys, element: None, run: Run::Server(run), subcommands: &[] }
    }

    pub(crate) const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
        Command {
            name,
            arity: -2,
            flags: Flags(0),
            keys: KeysAt::None,
            element: None,
            run: Run::Container,
            subcommands,
        }
    }

    /// The same, with the name of an element as this argument.
    pub(crate) const fn of_element(self, at: usize) -> Command {
        Command { element: Some(at), ..self }
    }

    /// What a request runs, if its first word names this command: that or one of its subcommands.
    pub(crate) fn of(named: Option<&'static Command>, args: &[&[u8]]) -> Result<&'static Command, Refusal> {
        let command = named.ok_or_else(|| Refusal::unknown_command(args))?;
        let Some(name) = args.get(1).filter(|_| !command.subcommands.is_empty()) else { return Ok(command) };
        match command.subcommand(name) {
            Some(subcommand) => Ok(subcommand),
            None if name.eq_ignore_ascii_case(b"help") && args.len() == 2 => Ok(command),
            None => Err(Refusal::unknown_subcommand(command.name, name)),
        }
    }

    pub(crate) fn takes(&self, words: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= least } else { words == least }
    }

    /// What comes behind `command|`.
    pub(crate) fn subcommand(&self, name: &[u8]) -> Option<&'static Command> {
        let behind = self.name.len() + 1;
        self.subcommands.iter().find(|command| command.name.as_bytes()[behind..].eq_ignore_ascii_case(name))
    }

    /// The name of an element of the only key.
    pub(crate) fn element_in<'a>(&self, args: &'a [&'a [u8]]) -> Option<&'a [u8]> {
        args.get(self.element?).copied()
    }

    /// The keys among `args`; None when the count of them is none.
    pub(crate) fn keys_in<'a>(&self, args: &'a [&'a [u8]]) -> Option<impl Iterator<Item = &'a [u8]>> {
        let (first, end, step) = match self.keys {
            KeysAt::None => (0, 0, 1),
            KeysAt::Range { first, last, step } => {
                let end = if last < 0 { args.len().checked_add_signed(last + 1)? } else { last as usize + 1 };
                (first, end, step)
            }
            KeysAt::Counted { count } | KeysAt::OneAndCounted { count } => {
                let number = crate::number::parse_integer(args.get(count)?)?;
                let end = usize::try_from(number).ok()?.checked_add(count + 1)?;
                (count + 1, end, 1)
            }
            KeysAt::OneAndStored => {
                let stored = args.windows(2).skip(2).rposition(|pair| pair[0].eq_ignore_ascii_case(b"STORE"));
                stored.map_or((0, 0, 1), |at| (at + 3, at + 4, 1))
            }
            KeysAt::Streams => {
                let first = streams_in(args)?;
                (first, first + (args.len() - first) / 2, 1)
            }
        };
        let keys = args.get(first..end.max(first))?;
        let before = match self.keys {
            KeysAt::OneAndCounted { .. } | KeysAt::OneAndStored => args.get(1..2)?,
            KeysAt::None | KeysAt::Range { .. } | KeysAt::Counted { .. } | KeysAt::Streams => &[],
        };
        Some(before.iter().chain(keys.iter().step_by(step)).copied())
    }
}

/// Where the names begin of the streams that XREAD or XREADGROUP reads.
fn streams_in(args: &[&[u8]]) -> Option<usize> {
    let (at, last) = options_at(args).last()?;
    last.eq_ignore_ascii_case(b"STREAMS").then_some(at + 1)
}

/// The options of XREAD or XREADGROUP, and where they stand, up to the first that is none: a group may be named as one
/// is.
fn options_at<'a>(args: &'a [&'a [u8]]) -> impl Iterator<Item = (usize, &'a [u8])> {
    let mut next = Some(1);
    std::iter::from_fn(move || {
        let at = next?;
        let option = *args.get(at)?;
        next = match option.to_ascii_uppercase().as_slice() {
            b"COUNT" | b"BLOCK" => Some(at + 2),
            b"GROUP" => Some(at + 3),
            b"NOACK" => Some(at + 1),
            _ => None,
        };
        Some((at, option))
    })
}

/// Whether XREAD or XREADGROUP is asked to wait.
pub(crate) fn blocks(args: &[&[u8]]) -> bool {
    options_at(args).any(|(_, option)| option.eq_ignore_ascii_case(b"BLOCK"))
}

/// All commands by name: open addressing over a table four times as large as what is in it.
pub(crate) struct Table {
    slots: Vec<Option<&'static Command>>,
    all: Vec<(&'static str, &'static Command)>,
}

const SLOTS: usize = 1024;

impl Table {
    pub(crate) fn new() -> Table {
        let mut table = Table { slots: vec![None; SLOTS], all: Vec::new() };
        for (group, commands) in commands::FAMILIES {
            commands.iter().for_each(|command| table.add(group, command));
        }
        table.all.sort_by_key(|(_, command)| command.name);
        table
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<&'static Command> {
        let mut slot = hash(name);
        while let Some(command) = self.slots[slot] {
            if is_name(command.name, name) {
                return Some(command);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// With their groups, in order of name.
    pub(crate) fn all(&self) -> &[(&'static str, &'static Command)] {
        &self.all
    }

    fn add(&mut self, group: &'static str, command: &'static Command) {
        let mut slot = hash(command.name.as_bytes());
        while self.slots[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot] = Some(command);
        self.all.push((group, command));
    }
}

/// Of names that differ in more than case; of length, start and end.
fn hash(name: &[u8]) -> usize {
    let (start, end) = (name.first_chunk(), name.last_chunk());
    let word = match (start, end) {
        (Some(start), Some(end)) => joined(start, end),
        _ => name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    // Makes one of upper and lower case, and of some other bytes that no name has.
    let folded = (word | 0x2020_2020_2020_2020) ^ name.len() as u64;
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize % SLOTS
}

/// As [`<[u8]>::eq_ignore_ascii_case`], which is made for what is longer; `own` is in lower case.
fn is_name(own: &str, name: &[u8]) -> bool {
    let own = own.as_bytes();
    if own.len() != name.len() {
        return false;
    }
    match (own.first_chunk(), own.last_chunk(), name.first_chunk(), name.last_chunk()) {
        (Some(start), Some(end), Some(name_start), Some(name_end)) if own.len() <= 8 => {
            joined(start, end) == lower(joined(name_start, name_end))
        }
        _ => own.iter().zip(name).all(|(own, byte)| *own == byte.to_ascii_lowercase()),
    }
}

/// Of up to eight bytes and no less than four.
fn joined(start: &[u8; 4], end: &[u8; 4]) -> u64 {
    u64::from(u32::from_le_bytes(*start)) << 32 | u64::from(u32::from_le_bytes(*end))
}

/// Eight bytes with the letters among them in lower case.
fn lower(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let low = word & (ONES * 0x7f);
    // The upper bit of each byte: above `Z`, not below `A`, no letter at all.
    let above = low + ONES * (0x7f - u64::from(b'Z'));
    let from = low + ONES * (0x80 - u64::from(b'A'));
    let upper = from & !above & !word & (ONES << 7);
    word | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_upper_and_lower_case_and_nothing_else_by_it() {
        let table = Table::new();
        for (_, command) in table.all() {
            let found = |name: &[u8]| table.find(name).map(|found| found.name);
            let mut name = command.name.to_uppercase().into_bytes();
            assert_eq!(found(&name), Some(command.name));
            for at in 0..name.len() {
                let before = name[at];
                name[at] = command.name.as_bytes()[at];
                assert_eq!(found(&name), Some(command.name));
                for bit in [0x20, 0x40, 0x80] {
                    name[at] = before ^ bit;
                    assert_eq!(found(&name).is_some(), name.eq_ignore_ascii_case(command.name.as_bytes()));
                }
                name[at] = before;
            }
        }
    }

    #[test]
    fn an_element_is_named_behind_the_only_key_in_every_request_that_is_allowed() {
        let table = Table::new();
        let with_element = |command: &&Command| command.element.is_some();
        let commands: Vec<_> = table.all().iter().map(|(_, command)| *command).filter(with_element).collect();
        assert!(commands.iter().any(|command| command.name == "zadd"));
        for command in commands {
            assert_eq!(command.keys, ONE_KEY, "{}", command.name);
            let shortest: Vec<&[u8]> = (0..command.arity.unsigned_abs()).map(|_| b"x".as_slice()).collect();
            assert!(command.element_in(&shortest).is_some(), "{}", command.name);
        }
    }

    #[test]
    fn every_byte_is_made_lower_as_it_is_alone() {
        for byte in 0..=255_u8 {
            let bytes = [byte, b'A', byte, b'z', 0xff, byte, b'@', byte];
            let expected = bytes.map(|byte| byte.to_ascii_lowercase());
            assert_eq!(lower(u64::from_le_bytes(bytes)).to_le_bytes(), expected);
        }
    }
}
