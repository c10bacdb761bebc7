//! What COMMAND and ACL tell of a command that nothing here depends on: its flags, categories and tips, and how the keys
//! that it names are used. <https://redis.io/docs/latest/develop/reference/key-specs/>
//!
//! One line each in `described.txt`, in order of name: `name; flags; categories; tips; specifications`, of the last of
//! which there can be several, with ` / ` between them: `FLAGS @BEGIN FIND NUMBER NUMBER NUMBER`.

use std::collections::BTreeMap;

use crate::Writer;
use crate::number::parse_integer;

const LINES: &str = include_str!("described.txt");
/// For people: `name; version of Redis; what it does`.
const SUMMARIES: &str = include_str!("summaries.txt");

/// What a command does, and the version of Redis that has had it first, if one has.
pub(crate) struct Summary {
    pub(crate) since: &'static str,
    pub(crate) text: &'static str,
}

/// By the names of commands.
pub(crate) fn summaries() -> BTreeMap<&'static str, Summary> {
    let lines = SUMMARIES.lines().filter_map(|line| line.split_once("; "));
    let split = lines.filter_map(|(name, rest)| {
        let (since, text) = rest.split_once("; ")?;
        Some((name, Summary { since, text }))
    });
    split.collect()
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Described {
    flags: &'static str,
    categories: &'static str,
    tips: &'static str,
    specifications: &'static str,
}

/// All lines, by name.
pub(crate) struct Descriptions(BTreeMap<&'static str, Described>);

/// Which keys a request names.
struct Specification {
    flags: Vec<&'static str>,
    begin: Begin,
    find: Find,
}

/// Where they begin.
enum Begin {
    Index(usize),
    /// Behind this word, which is looked for from the word with this number on.
    Keyword(&'static str, usize),
    Unknown,
}

/// How many there are.
enum Find {
    /// Up to `last`, which counts from where they begin, or from the end when negative; of `limit` parts the first.
    Range {
        last: i64,
        step: i64,
        limit: i64,
    },
    /// As many as a number says.
    Counted {
        number: usize,
        first: usize,
        step: usize,
    },
    Unknown,
}

impl Descriptions {
    pub(crate) fn new() -> Descriptions {
        Descriptions(LINES.lines().map(Described::parse).collect())
    }

    pub(crate) fn of(&self, name: &str) -> Described {
        *self.0.get(name).expect("there is a line for each command")
    }

    /// The commands of a category, in order of name.
    pub(crate) fn in_category(&self, category: &str) -> Vec<&'static str> {
        let all = self.0.iter().filter(|(_, described)| {
            described.categories.split_whitespace().any(|one| one.eq_ignore_ascii_case(category))
        });
        all.map(|(name, _)| *name).collect()
    }
}

impl Described {
    fn parse(line: &'static str) -> (&'static str, Described) {
        let mut parts = line.split(';').map(str::trim);
        let mut part = || parts.next().unwrap_or_default();
        let name = part();
        (name, Described { flags: part(), categories: part(), tips: part(), specifications: part() })
    }

    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.flags.split_whitespace().any(|one| one == flag)
    }

    pub(crate) fn write_flags(&self, out: &mut Writer<'_>) {
        out.set(self.flags.split_whitespace().count());
        self.flags.split_whitespace().for_each(|flag| out.simple(flag));
    }

    /// Categories, tips and specifications.
    pub(crate) fn write_rest(&self, out: &mut Writer<'_>) {
        out.set(self.categories.split_whitespace().count());
        self.categories.split_whitespace().for_each(|category| out.simple(&format!("@{category}")));
        out.set(self.tips.split_whitespace().count());
        self.tips.split_whitespace().for_each(|tip| out.text(tip));
        let specifications: Vec<Specification> = self.specifications().collect();
        out.set(specifications.len());
        specifications.iter().for_each(|specification| specification.write(out));
    }

    /// The keys of a request with how they are used; None when it cannot be told.
    pub(crate) fn keys_in<'a>(&self, args: &[&'a [u8]]) -> Option<Vec<(&'a [u8], Vec<&'static str>)>> {
        let mut keys = Vec::new();
        for specification in self.specifications() {
            keys.extend(
                specification.keys_in(args)?.into_iter().map(|key| (key, specification.flags.clone())),
            );
        }
        Some(keys)
    }

    fn specifications(&self) -> impl Iterator<Item = Specification> {
        self.specifications.split(" / ").filter(|text| !text.is_empty()).map(Specification::parse)
    }
}

impl Specification {
    fn parse(text: &'static str) -> Specification {
        let (flags, places) = text.split_once(" @").expect("there is a place");
        let mut words = places.split_whitespace();
        let begin = match words.next() {
            None | Some("?") => Begin::Unknown,
            Some(word) => match word.split_once('+') {
                Some((keyword, from)) => Begin::Keyword(keyword, number(Some(from)) as usize),
                None => Begin::Index(number(Some(word)) as usize),
            },
        };
        let (kind, mut next) = (words.next(), || number(words.next()));
        let find = match kind {
            Some("range") => Find::Range { last: next(), step: next(), limit: next() },
            Some("keynum") => {
                Find::Counted { number: next() as usize, first: next() as usize, step: next() as usize }
            }
            _ => Find::Unknown,
        };
        Specification { flags: flags.split_whitespace().collect(), begin, find }
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.map(3);
        out.text("flags");
        out.set(self.flags.len());
        self.flags.iter().for_each(|flag| out.simple(flag));
        out.text("begin_search");
        match self.begin {
            Begin::Index(index) => write_part(out, "index", &[("index", index as i64)]),
            Begin::Keyword(keyword, from) => {
                out.map(2);
                out.text("type");
                out.text("keyword");
                out.text("spec");
                out.map(2);
                out.text("keyword");
                out.text(keyword);
                out.text("startfrom");
                out.count(from);
            }
            Begin::Unknown => write_part(out, "unknown", &[]),
        }
        out.text("find_keys");
        match self.find {
            Find::Range { last, step, limit } => {
                write_part(out, "range", &[("lastkey", last), ("keystep", step), ("limit", limit)]);
            }
            Find::Counted { number, first, step } => {
                let numbers =
                    [("keynumidx", number as i64), ("firstkey", first as i64), ("keystep", step as i64)];
                write_part(out, "keynum", &numbers);
            }
            Find::Unknown => write_part(out, "unknown", &[]),
        }
    }

    fn keys_in<'a>(&self, args: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
        let first = match self.begin {
            Begin::Index(index) => index,
            Begin::Keyword(keyword, from) => {
                let is_it = |word: &&[u8]| word.eq_ignore_ascii_case(keyword.as_bytes());
                from + 1 + args.get(from..)?.iter().position(is_it)?
            }
            Begin::Unknown => return Some(Vec::new()),
        };
        let (keys, step) = match self.find {
            Find::Range { last, step, limit } => {
                let behind = args.len().checked_sub(first)?;
                let count = match last {
                    0.. => usize::try_from(last).ok()? + 1,
                    _ => (behind / limit.max(1) as usize).checked_add_signed(last as isize + 1)?,
                };
                (args.get(first..first + count)?, step as usize)
            }
            Find::Counted { number, first: behind, step } => {
                let count = usize::try_from(parse_integer(args.get(first + number)?)?).ok()?;
                let first = first + behind;
                (args.get(first..first.checked_add(count)?)?, step)
            }
            Find::Unknown => return Some(Vec::new()),
        };
        Some(keys.iter().step_by(step.max(1)).copied().collect())
    }
}

fn number(word: Option<&str>) -> i64 {
    word.and_then(|word| word.parse().ok()).expect("there is a number in this place")
}

fn write_part(out: &mut Writer<'_>, kind: &str, numbers: &[(&str, i64)]) {
    out.map(2);
    out.text("type");
    out.text(kind);
    out.text("spec");
    out.map(numbers.len());
    for (name, number) in numbers {
        out.text(name);
        out.integer(*number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{BLOCKS, Command, NO_SCRIPT, Table, WRITE};

    fn with_subcommands(command: &'static Command) -> impl Iterator<Item = &'static Command> {
        std::iter::once(command).chain(command.subcommands)
    }

    #[test]
    fn each_command_has_a_line_and_each_line_a_command() {
        let (descriptions, table) = (Descriptions::new(), Table::new());
        let all = || table.all().iter().flat_map(|(_, command)| with_subcommands(command));
        let mut names: Vec<&str> = all().map(|command| command.name).collect();
        names.sort_unstable();
        assert_eq!(names, descriptions.0.keys().copied().collect::<Vec<_>>());
        for command in all() {
            let described = descriptions.of(command.name);
            let flags: Vec<&str> = described.flags.split_whitespace().collect();
            assert_eq!(command.flags.has(WRITE), flags.contains(&"write"), "{}", command.name);
            let refused = command.flags.has(NO_SCRIPT);
            assert!(!refused || flags.contains(&"noscript"), "{} is refused to scripts", command.name);
            let blocks = command.flags.has(BLOCKS) || ["wait", "waitaof"].contains(&command.name);
            assert!(blocks || !flags.contains(&"blocking"), "{}", command.name);
            described.specifications().for_each(drop);
        }
    }

    #[test]
    fn each_command_has_a_summary() {
        let (table, summaries) = (Table::new(), summaries());
        assert!(table.all().iter().map(|(_, command)| command.name).eq(summaries.keys().copied()));
    }

    #[test]
    fn keys_are_found_by_their_specifications() {
        let descriptions = Descriptions::new();
        for (line, expected) in [
            ("get a", "a RO access"),
            ("mset a 1 b 2", "a OW update, b OW update"),
            ("lmove a b left right", "a RW access delete, b RW insert"),
            ("zunionstore a 2 b c", "a OW update, b RO access, c RO access"),
            ("xread count 1 streams a b 0 0", "a RO access, b RO access"),
            ("blpop a b 0", "a RW access delete, b RW access delete"),
            ("eval x 1 a b", "a RW access update"),
            ("ping", ""),
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let keys = descriptions.of(line.split(' ').next().unwrap()).keys_in(&args).unwrap();
            let shown: Vec<String> = keys
                .iter()
                .map(|(key, flags)| format!("{} {}", String::from_utf8_lossy(key), flags.join(" ")))
                .collect();
            assert_eq!(shown.join(", "), expected, "{line}");
        }
    }
}
