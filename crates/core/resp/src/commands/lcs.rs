//! LCS: the longest common subsequence of two strings. <https://redis.io/docs/latest/commands/lcs/>

use super::strings;
use crate::command::{Command, READ, TWO_KEYS, Work};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[Command::keys("lcs", -3, READ, TWO_KEYS, lcs)];

/// Cells of the table that one command fills: its time, and four bytes each.
const CELLS: usize = 16 * 1024 * 1024;
/// In a transaction or a script, which hold everybody up meanwhile.
const CELLS_AT_ONCE: usize = 1024 * 1024;

#[derive(Default)]
struct Options {
    length_only: bool,
    /// Where the matches are in both strings.
    indexes: bool,
    with_lengths: bool,
    /// Shorter matches are not told.
    least: usize,
}

impl Options {
    fn parse(mut words: &[&[u8]]) -> Result<Options, Refusal> {
        let mut options = Options::default();
        while let [option, rest @ ..] = words {
            words = rest;
            match (option.to_ascii_uppercase().as_slice(), rest) {
                (b"IDX", _) => options.indexes = true,
                (b"LEN", _) => options.length_only = true,
                (b"WITHMATCHLEN", _) => options.with_lengths = true,
                (b"MINMATCHLEN", [least, rest @ ..]) => {
                    options.least = usize::try_from(integer(least)?).unwrap_or(0);
                    words = rest;
                }
                _ => return Err(Refusal::Syntax),
            }
        }
        if options.indexes && options.length_only {
            return Err(Refusal::Says("If you want both the length and indexes, please just use IDX."));
        }
        Ok(options)
    }
}

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`
fn lcs(work: &mut Work<'_, '_>) -> Answer {
    let not_strings = |refusal| match refusal {
        Refusal::WrongType => Refusal::Says("The specified keys must contain string values"),
        other => other,
    };
    let mut read = |key| {
        let bytes = strings::read(work.tx, work.db, key).map_err(not_strings)?;
        Ok::<_, Refusal>(bytes.cloned().unwrap_or_else(|| "".into()))
    };
    let (left, right) = (read(work.args[1])?, read(work.args[2])?);
    let options = Options::parse(&work.args[3..])?;
    let cells = (left.len() + 1).saturating_mul(right.len() + 1);
    let most = if work.later.is_some() { CELLS } else { CELLS_AT_ONCE };
    if cells > most {
        return Err(Refusal::Told(format!(
            "ERR LCS compares {most} pairs of bytes at most, not {cells}: ask for shorter strings"
        )));
    }
    work.reply_with((cells / 64, 0), move |out| {
        let table = Table::new(&left, &right);
        if options.length_only {
            return out.count(table.length());
        }
        let (matched, common) = table.walk(&left, &right);
        if !options.indexes {
            return out.bulk(&common);
        }
        let told: Vec<&Match> = matched.iter().filter(|one| one.length >= options.least).collect();
        out.map(2);
        out.text("matches");
        out.array(told.len());
        for one in told {
            out.array(if options.with_lengths { 3 } else { 2 });
            for start in [one.left, one.right] {
                out.array(2);
                out.count(start);
                out.count(start + one.length - 1);
            }
            if options.with_lengths {
                out.count(one.length);
            }
        }
        out.text("len");
        out.count(table.length());
    });
    Ok(())
}

/// The lengths for each two beginnings of the strings.
struct Table {
    lengths: Vec<u32>,
    width: usize,
}

/// A piece that both strings have.
struct Match {
    left: usize,
    right: usize,
    length: usize,
}

impl Table {
    fn new(left: &[u8], right: &[u8]) -> Table {
        let width = right.len() + 1;
        let mut lengths = vec![0; (left.len() + 1) * width];
        for (row, one) in left.iter().enumerate() {
            for (column, other) in right.iter().enumerate() {
                lengths[(row + 1) * width + column + 1] = if one == other {
                    lengths[row * width + column] + 1
                } else {
                    lengths[row * width + column + 1].max(lengths[(row + 1) * width + column])
                };
            }
        }
        Table { lengths, width }
    }

    fn at(&self, row: usize, column: usize) -> u32 {
        self.lengths[row * self.width + column]
    }

    fn length(&self) -> usize {
        self.lengths.last().map_or(0, |length| *length as usize)
    }

    /// What both have in common, and in which pieces, of which the last one comes first.
    fn walk(&self, left: &[u8], right: &[u8]) -> (Vec<Match>, Vec<u8>) {
        let (mut row, mut column) = (left.len(), right.len());
        let (mut matches, mut common) = (Vec::<Match>::new(), Vec::new());
        while row > 0 && column > 0 {
            if left[row - 1] == right[column - 1] {
                (row, column) = (row - 1, column - 1);
                common.push(left[row]);
                match matches.last_mut().filter(|last| last.left == row + 1 && last.right == column + 1) {
                    Some(last) => *last = Match { left: row, right: column, length: last.length + 1 },
                    None => matches.push(Match { left: row, right: column, length: 1 }),
                }
            } else if self.at(row - 1, column) > self.at(row, column - 1) {
                row -= 1;
            } else {
                column -= 1;
            }
        }
        common.reverse();
        (matches, common)
    }
}
