//! How much of a stream is kept: of XADD and XTRIM. <https://redis.io/docs/latest/commands/xtrim/>

use adsum_keyspace::Stream;
use adsum_keyspace::stream::Id;

use super::stream_ids::{NewId, parse};
use crate::number::integer;
use crate::refusal::Refusal;

/// `~` trims so many entries at a time, or all, or none, as Redis does with the nodes that it keeps them in.
const AT_A_TIME: u64 = 100;
/// Entries that `~` trims at most when it is given no LIMIT.
const LIMIT: u64 = 100 * AT_A_TIME;

#[derive(Clone, Copy)]
enum Keep {
    /// So many of the last ones.
    Length(u64),
    /// Those from this id on.
    From(Id),
}

#[derive(Clone, Copy)]
pub(super) struct Trim {
    keep: Keep,
    about: bool,
    /// Entries at most; 0 is no limit.
    limit: u64,
}

/// What stands before the fields of XADD, or makes up an XTRIM.
#[derive(Default)]
pub(super) struct Options {
    pub(super) trim: Option<Trim>,
    pub(super) only_if_there: bool,
    pub(super) id: Option<NewId>,
    /// Words up to and with the id.
    pub(super) words: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Xadd,
    Xtrim,
}

impl Options {
    pub(super) fn parse(words: &[&[u8]], of: Of) -> Result<Options, Refusal> {
        let mut options = Options::default();
        let mut limit = None;
        let mut rest = words;
        while let [word, more @ ..] = rest {
            rest = more;
            match (word.to_ascii_uppercase().as_slice(), more) {
                (b"MAXLEN" | b"MINID", [_, ..]) => {
                    if options.trim.is_some() {
                        return Err(Refusal::Says(
                            "syntax error, MAXLEN and MINID options at the same time are not compatible",
                        ));
                    }
                    let (trim, behind) = Trim::parse(word, more)?;
                    (options.trim, rest) = (Some(trim), behind);
                }
                (b"LIMIT", [number, more @ ..]) => {
                    let number = u64::try_from(integer(number)?);
                    limit = Some(number.map_err(|_| Refusal::Says("The LIMIT argument must be >= 0."))?);
                    rest = more;
                }
                (b"NOMKSTREAM", _) if of == Of::Xadd => options.only_if_there = true,
                _ if of == Of::Xadd => {
                    options.id = Some(NewId::parse(word)?);
                    break;
                }
                _ => return Err(Refusal::Syntax),
            }
        }
        options.words = words.len() - rest.len();
        options.check(limit, of)
    }

    fn check(mut self, limit: Option<u64>, of: Of) -> Result<Options, Refusal> {
        match (&mut self.trim, limit) {
            (None, Some(1..)) => Err(Refusal::Says(
                "syntax error, LIMIT cannot be used without specifying a trimming strategy",
            )),
            (None, _) if of == Of::Xtrim => {
                Err(Refusal::Says("syntax error, XTRIM must be called with a trimming strategy"))
            }
            (Some(trim), Some(_)) if !trim.about => {
                Err(Refusal::Says("syntax error, LIMIT cannot be used without the special ~ option"))
            }
            (Some(trim), limit) => {
                trim.limit = limit.unwrap_or(LIMIT);
                Ok(self)
            }
            (None, Some(_)) => {
                Err(Refusal::Says("syntax error, LIMIT cannot be used without the special ~ option"))
            }
            (None, None) => Ok(self),
        }
    }
}

impl Trim {
    /// `MAXLEN|MINID [=|~] threshold`, and what stands behind it.
    fn parse<'a, 'b>(name: &[u8], words: &'b [&'a [u8]]) -> Result<(Trim, &'b [&'a [u8]]), Refusal> {
        let (about, words) = match words {
            [b"~", rest @ ..] if !rest.is_empty() => (true, rest),
            [b"=", rest @ ..] if !rest.is_empty() => (false, rest),
            words => (false, words),
        };
        let [threshold, rest @ ..] = words else { return Err(Refusal::Syntax) };
        let keep = if name.eq_ignore_ascii_case(b"MINID") {
            Keep::From(parse(threshold, 0)?)
        } else {
            let length = u64::try_from(integer(threshold)?);
            Keep::Length(length.map_err(|_| Refusal::Says("The MAXLEN argument must be >= 0."))?)
        };
        Ok((Trim { keep, about, limit: 0 }, rest))
    }

    /// How many of the first entries go, when there is one more behind all others or not.
    pub(super) fn excess(self, stream: Option<&Stream>, added: Option<Id>) -> u64 {
        let length = stream.map_or(0, Stream::len) as u64 + u64::from(added.is_some());
        let excess = match self.keep {
            Keep::Length(most) => length.saturating_sub(most),
            Keep::From(id) => {
                let before = stream.map_or(0, |stream| stream.rank(id)) as u64;
                before + u64::from(added.is_some_and(|added| added < id))
            }
        };
        if !self.about {
            return excess;
        }
        let limit = if self.limit == 0 { u64::MAX } else { self.limit };
        if excess == length && length <= limit {
            return length;
        }
        let excess = excess.min(limit);
        excess - excess % AT_A_TIME
    }
}
