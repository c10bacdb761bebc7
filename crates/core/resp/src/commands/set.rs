//! SET with all its options, and the older commands that are special cases of it.
//! <https://redis.io/docs/latest/commands/set/>

use adsum_keyspace::{Blob, Deadline, Notice, Value};
use smallvec::SmallVec;

use super::expiry::{self, Unit};
use super::{locks, strings};
use crate::command::{Command, ONE_KEY, WRITE, Work};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("set", -3, WRITE, ONE_KEY, set),
    Command::keys("setnx", 3, WRITE, ONE_KEY, setnx),
    Command::keys("setex", 4, WRITE, ONE_KEY, setex),
    Command::keys("psetex", 4, WRITE, ONE_KEY, psetex),
];

#[derive(Default)]
struct Options<'a> {
    when: When<'a>,
    get: bool,
    ttl: Ttl<'a>,
    fence: Option<Fence<'a>>,
}

/// Only while this lock is held under this fence.
struct Fence<'a> {
    lock: &'a [u8],
    fence: &'a [u8],
}

/// Whether to set at all.
#[derive(Default)]
enum When<'a> {
    #[default]
    Always,
    Missing,
    Present,
    /// There is a string with these bytes.
    Is(&'a [u8]),
    /// There is none with these bytes.
    IsNot(&'a [u8]),
}

#[derive(Default)]
enum Ttl<'a> {
    #[default]
    Clear,
    Keep,
    Set(Unit, &'a [u8]),
}

fn set(work: &mut Work<'_, '_>) -> Answer {
    let options = Options::parse(&work.args[3..])?;
    store(work, work.args[2], &options, "set")
}

fn setnx(work: &mut Work<'_, '_>) -> Answer {
    let (key, value) = (work.args[1], work.args[2]);
    strings::check_length(value.len())?;
    let free = work.tx.get(work.db, key).is_none();
    if free {
        work.tx.put(work.db, key, Value::String(value.into()), None, &[Notice::Set]);
    }
    work.out.boolean(free);
    Ok(())
}

fn setex(work: &mut Work<'_, '_>) -> Answer {
    let options = Options { ttl: Ttl::Set(Unit::Seconds, work.args[2]), ..Options::default() };
    store(work, work.args[3], &options, "setex")
}

fn psetex(work: &mut Work<'_, '_>) -> Answer {
    let options = Options { ttl: Ttl::Set(Unit::Milliseconds, work.args[2]), ..Options::default() };
    store(work, work.args[3], &options, "psetex")
}

fn store(work: &mut Work<'_, '_>, value: &[u8], options: &Options<'_>, command: &'static str) -> Answer {
    strings::check_length(value.len())?;
    let key = work.args[1];
    let new = match options.ttl {
        Ttl::Clear | Ttl::Keep => None,
        Ttl::Set(unit, number) => Some(expiry::deadline(number, unit, command, work.tx.now())?),
    };
    if let Some(Fence { lock, fence }) = options.fence {
        locks::check_held(work, lock, fence)?;
    }
    if options.get {
        let before = strings::read(work.tx, work.db, key)?;
        work.out.bulk_or_null(before.map(Blob::as_slice));
    }
    if !options.when.holds(work, key)? {
        if !options.get {
            work.out.null();
        }
        return Ok(());
    }
    let deadline = match options.ttl {
        Ttl::Keep => work.tx.get(work.db, key).and_then(|entry| entry.deadline),
        Ttl::Clear | Ttl::Set(..) => new,
    };
    put(work, value, deadline, new.is_some());
    if !options.get {
        work.out.ok();
    }
    Ok(())
}

fn put(work: &mut Work<'_, '_>, value: &[u8], deadline: Option<Deadline>, with_ttl: bool) {
    let notices: &[Notice] = if with_ttl { &[Notice::Set, Notice::Expire] } else { &[Notice::Set] };
    work.tx.put(work.db, work.args[1], Value::String(value.into()), deadline, notices);
}

impl<'a> Options<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Options<'a>, Refusal> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut operand = || words.next().copied().ok_or(Refusal::Syntax);
            let mut name: SmallVec<[u8; 16]> = SmallVec::from_slice(word);
            name.make_ascii_uppercase();
            match name.as_slice() {
                b"NX" => options.only(When::Missing)?,
                b"XX" => options.only(When::Present)?,
                b"IFEQ" => options.only(When::Is(operand()?))?,
                b"IFNE" => options.only(When::IsNot(operand()?))?,
                b"GET" => options.get = true,
                b"FENCE" if options.fence.is_none() => {
                    options.fence = Some(Fence { lock: operand()?, fence: operand()? });
                }
                b"KEEPTTL" => options.ttl(Ttl::Keep)?,
                other => {
                    let unit = Unit::parse(other).ok_or(Refusal::Syntax)?;
                    options.ttl(Ttl::Set(unit, operand()?))?;
                }
            }
        }
        Ok(options)
    }

    fn only(&mut self, when: When<'a>) -> Answer {
        let same = std::mem::discriminant(&self.when) == std::mem::discriminant(&when);
        if !matches!(self.when, When::Always) && !same {
            return Err(Refusal::Syntax);
        }
        self.when = when;
        Ok(())
    }

    fn ttl(&mut self, ttl: Ttl<'a>) -> Answer {
        // The same again is no contradiction.
        match (&self.ttl, &ttl) {
            (Ttl::Clear, _) | (Ttl::Keep, Ttl::Keep) => {}
            (Ttl::Set(before, _), Ttl::Set(unit, _)) if before == unit => {}
            (Ttl::Keep | Ttl::Set(..), _) => return Err(Refusal::Syntax),
        }
        self.ttl = ttl;
        Ok(())
    }
}

impl When<'_> {
    fn holds(&self, work: &mut Work<'_, '_>, key: &[u8]) -> Result<bool, Refusal> {
        Ok(match self {
            When::Always => true,
            When::Missing => work.tx.get(work.db, key).is_none(),
            When::Present => work.tx.get(work.db, key).is_some(),
            When::Is(value) => {
                strings::read(work.tx, work.db, key)?.is_some_and(|is| is.as_slice() == *value)
            }
            When::IsNot(value) => {
                strings::read(work.tx, work.db, key)?.is_none_or(|is| is.as_slice() != *value)
            }
        })
    }
}
