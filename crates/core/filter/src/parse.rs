//! An expression from its text, read once from left to right.

use crate::matcher::{Match, Operator};
use crate::quoted::unescape;
use crate::{Expression, FilterError, Shape};

/// Bytes that an expression may have.
pub const LONGEST: usize = 8 << 10;
/// Parentheses and `not`s that may be within each other.
pub const DEEPEST: usize = 64;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    shape: &'static Shape,
}

/// Something that can stand on either side of an operator.
struct Operand {
    at: usize,
    raw: String,
    /// When it can be a selector.
    path: Option<Vec<String>>,
}

type Read<T> = Result<T, FilterError>;

pub(crate) fn expression(text: &str, shape: &'static Shape) -> Read<Expression> {
    if text.len() > LONGEST {
        let why = format!("a filter has at most {LONGEST} bytes, and this one has {}", text.len());
        return Err(FilterError::at(text, 0, why));
    }
    let mut reader = Reader { text, at: 0, depth: 0, shape };
    reader.blanks();
    let found = reader.or()?;
    reader.blanks();
    if reader.at < text.len() { reader.wants("and, or, or the end") } else { Ok(found) }
}

impl<'a> Reader<'a> {
    fn or(&mut self) -> Read<Expression> {
        let mut left = self.and()?;
        while self.joins("or") {
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Read<Expression> {
        let mut left = self.not()?;
        while self.joins("and") {
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Read<Expression> {
        let begin = self.at;
        if self.word("not") {
            self.enter(begin)?;
            let inner = self.not()?;
            self.depth -= 1;
            return Ok(Expression::Not(Box::new(inner)));
        }
        if !self.eat("(") {
            return self.comparison().map(Expression::Match);
        }
        self.enter(begin)?;
        self.blanks();
        let inner = self.or()?;
        self.blanks();
        if !self.eat(")") {
            return self.wants("and, or, or ')'");
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn enter(&mut self, begin: usize) -> Read<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let why = format!("nested deeper than {DEEPEST}");
            return Err(FilterError::at(self.text, begin, why));
        }
        Ok(())
    }

    fn comparison(&mut self) -> Read<Match> {
        let left = self.operand("a selector or a value")?;
        let blank = self.blanks();
        for (sign, negated) in [("==", false), ("!=", true)] {
            if self.eat(sign) {
                return self.compared_with(left, Operator::Equal, negated);
            }
        }
        if !blank {
            return self.wants("==, !=, or a blank and another operator");
        }
        if self.word("is") {
            let negated = self.word("not");
            if !self.word("empty") {
                return self.wants("empty");
            }
            return self.made(left, Operator::Empty, negated, String::new());
        }
        let negated = self.word("not");
        if self.word("contains") {
            self.compared_with(left, Operator::In, negated)
        } else if self.word("matches") {
            self.compared_with(left, Operator::Matches, negated)
        } else if self.word("in") {
            let selector = self.operand("a selector")?;
            self.made(selector, Operator::In, negated, left.raw)
        } else {
            self.wants("==, !=, in, contains, matches or is empty")
        }
    }

    fn compared_with(&mut self, left: Operand, operator: Operator, negated: bool) -> Read<Match> {
        self.blanks();
        let value = self.operand("a value")?;
        self.made(left, operator, negated, value.raw)
    }

    fn made(&self, selector: Operand, operator: Operator, negated: bool, raw: String) -> Read<Match> {
        let refuse = |why: String| FilterError::at(self.text, selector.at, why);
        let Some(path) = selector.path else {
            return Err(refuse(format!("{:?} is no selector", selector.raw)));
        };
        let shape = self.shape.follow(&path).map_err(|wrong| refuse(self.unknown(&path, wrong)))?;
        Match::new(path, shape, operator, negated, raw)
            .map_err(|why| refuse(format!("{}: {why}", selector.raw)))
    }

    fn unknown(&self, path: &[String], wrong: usize) -> String {
        let (before, name) = (path[..wrong].join("."), &path[wrong]);
        let names = self.shape.follow(&path[..wrong]).map(Shape::names).unwrap_or_default();
        let place = if before.is_empty() { String::new() } else { format!(" in {before}") };
        if names.is_empty() {
            return format!("selector {:?} is not valid: there is nothing{place}", path.join("."));
        }
        format!("selector {:?} is not valid: {name:?} is none of {}{place}", path.join("."), names.join(", "))
    }

    fn operand(&mut self, what: &str) -> Read<Operand> {
        let at = self.at;
        match self.rest().bytes().next() {
            Some(b'a'..=b'z' | b'A'..=b'Z') => self.selector(),
            Some(b'"' | b'`') => {
                let (raw, inside) = self.string()?;
                let path = pointer(inside).filter(|_| self.text.as_bytes()[at] == b'"');
                Ok(Operand { at, raw, path })
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.wants(what),
        }
    }

    fn selector(&mut self) -> Read<Operand> {
        let at = self.at;
        let mut path = vec![self.identifier().to_string()];
        loop {
            if self.rest().starts_with('.') {
                self.at += 1;
                let digits = self.run(|letter| letter.is_ascii_digit());
                let part = if digits.is_empty() { self.identifier() } else { digits };
                if part.is_empty() {
                    return self.wants("a name");
                }
                path.push(part.to_string());
            } else if self.eat("[") {
                path.push(self.index()?);
            } else {
                return Ok(Operand { at, raw: path.join("."), path: Some(path) });
            }
        }
    }

    fn index(&mut self) -> Read<String> {
        self.blanks();
        if !self.rest().starts_with(['"', '`']) {
            return self.wants("a string in quotes");
        }
        let (key, _) = self.string()?;
        self.blanks();
        if self.eat("]") { Ok(key) } else { self.wants("']'") }
    }

    fn identifier(&mut self) -> &'a str {
        if !self.rest().starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return "";
        }
        self.run(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '/')
    }

    fn number(&mut self) -> Read<Operand> {
        let at = self.at;
        self.eat("-");
        let whole = self.run(|letter| letter.is_ascii_digit());
        if whole.is_empty() || whole.len() > 1 && whole.starts_with('0') {
            self.at = at;
            return self.wants("a number");
        }
        if self.eat(".") && self.run(|letter| letter.is_ascii_digit()).is_empty() {
            return self.wants("a digit");
        }
        let ends = self.rest().chars().next().is_none_or(|letter| is_blank(letter) || letter == ')');
        if !ends {
            return self.wants("the end of the number (a value that begins with a digit needs quotes)");
        }
        Ok(Operand { at, raw: self.text[at..self.at].to_string(), path: None })
    }

    /// What it means, and what is between its quotes.
    fn string(&mut self) -> Read<(String, &'a str)> {
        let begin = self.at;
        let quote = if self.eat("`") { '`' } else { '"' };
        self.at = begin + 1;
        let Some(length) = self.rest().find(quote) else {
            return Err(FilterError::at(self.text, begin, "a string without its closing quote"));
        };
        let inside = &self.rest()[..length];
        self.at += length + 1;
        let meant = if quote == '`' { Some(inside.to_string()) } else { unescape(inside) };
        match meant {
            Some(text) => Ok((text, inside)),
            None => Err(FilterError::at(self.text, begin, "a string with an escape that is none")),
        }
    }

    /// Blanks, and a word that joins two expressions.
    fn joins(&mut self, word: &str) -> bool {
        let before = self.at;
        self.blanks();
        let joined = self.word(word);
        if !joined {
            self.at = before;
        }
        joined
    }

    /// A word with the blanks behind it; it does not go on as another one.
    fn word(&mut self, word: &str) -> bool {
        let Some(behind) = self.rest().strip_prefix(word) else { return false };
        let whole = behind.chars().next().is_none_or(|letter| is_blank(letter) || "()\"`".contains(letter));
        if whole {
            self.at += word.len();
            self.blanks();
        }
        whole
    }

    fn eat(&mut self, sign: &str) -> bool {
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }

    /// Whether there were any.
    fn blanks(&mut self) -> bool {
        !self.run(is_blank).is_empty()
    }

    fn run(&mut self, takes: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|letter| !takes(letter)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wants<T>(&self, what: &str) -> Read<T> {
        let found = match self.rest().chars().next() {
            Some(letter) => format!("found {letter:?}"),
            None => "the filter ends here".to_string(),
        };
        Err(FilterError::at(self.text, self.at, format!("no match found, expected {what}; {found}")))
    }
}

/// The path of a JSON pointer (RFC 6901), as far as Consul takes them in filters.
fn pointer(inside: &str) -> Option<Vec<String>> {
    let segments = inside.strip_prefix('/')?.split('/');
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.~:|".contains(letter);
    let plain = |segment: &str| !segment.is_empty() && segment.chars().all(is_plain);
    segments.map(|segment| plain(segment).then(|| segment.replace("~1", "/").replace("~0", "~"))).collect()
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n')
}
