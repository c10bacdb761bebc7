//! Elements moved between lists, or popped from the first of several.
//! <https://redis.io/docs/latest/commands/lmove/>

use adsum_keyspace::Blob;

use super::lists::{End, move_one};
use crate::blocking::Action;
use crate::command::{Command, KeysAt, TWO_KEYS, WRITE, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::keys("lmove", 5, WRITE, TWO_KEYS, lmove),
    Command::keys("rpoplpush", 3, WRITE, TWO_KEYS, rpoplpush),
    Command::keys("lmpop", -4, WRITE, KeysAt::Counted { count: 1 }, lmpop),
];

fn lmove(work: &mut Work<'_, '_>) -> Answer {
    let (from, into) = (End::parse(work.args[3])?, End::parse(work.args[4])?);
    move_between(work, from, into)
}

fn rpoplpush(work: &mut Work<'_, '_>) -> Answer {
    move_between(work, End::Right, End::Left)
}

fn move_between(work: &mut Work<'_, '_>, from: End, into: End) -> Answer {
    let element = move_one(work.tx, work.db, (work.args[1], from), (work.args[2], into))?;
    work.out.bulk_or_null(element.as_deref());
    Ok(())
}

fn lmpop(work: &mut Work<'_, '_>) -> Answer {
    let (keys, action) = plan_many(&work.args[1..])?;
    for key in keys {
        if action.run(work, key)? {
            return Ok(());
        }
    }
    work.out.null_array();
    Ok(())
}

/// `numkeys key [key ...] LEFT|RIGHT [COUNT count]`
pub(super) fn plan_many<'a, 'b>(words: &'b [&'a [u8]]) -> Result<(&'b [&'a [u8]], Action), Refusal> {
    let (keys, end, count) = parse_many(words)?;
    Ok((keys, Action::PopMany { end: End::parse(end)?, count: count? }))
}

/// The keys, the word for the end at which to pop, and the count, which Redis looks at last.
type Many<'a, 'b> = (&'b [&'a [u8]], &'a [u8], Result<usize, Refusal>);

/// `numkeys key [key ...] END [COUNT count]`
pub(super) fn parse_many<'a, 'b>(words: &'b [&'a [u8]]) -> Result<Many<'a, 'b>, Refusal> {
    let positive = |word, says| {
        let number = integer(word).ok().and_then(|number| usize::try_from(number).ok());
        number.filter(|number| *number > 0).ok_or(Refusal::Says(says))
    };
    let number = positive(words[0], "numkeys should be greater than 0")?;
    let keys = words[1..].get(..number).ok_or(Refusal::Syntax)?;
    let (end, options) = words[1 + number..].split_first().ok_or(Refusal::Syntax)?;
    let count = match options {
        [] => Ok(1),
        [name, count, rest @ ..] if name.eq_ignore_ascii_case(b"COUNT") => {
            let count = positive(count, "count should be greater than 0");
            if rest.is_empty() { count } else { count.and(Err(Refusal::Syntax)) }
        }
        _ => Err(Refusal::Syntax),
    };
    Ok((keys, end, count))
}

/// What BLMOVE and BRPOPLPUSH wait to do.
pub(super) fn action(to: &[u8], from: End, into: End) -> Action {
    Action::Move { to: Blob::from(to), from, into }
}
