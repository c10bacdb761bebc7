//! Text to rule, by recursive descent.

use super::{DEEPEST_RULE, LONGEST_RULE, Rule, RuleError};

/// Only what can be kept is a rule: it is kept as it prints, which is longer where a matcher has several arguments, and
/// has to be read again.
pub(super) fn rule(text: &str) -> Result<Rule, RuleError> {
    let rule = read(text)?;
    read(&rule.to_string())?;
    Ok(rule)
}

fn read(text: &str) -> Result<Rule, RuleError> {
    if text.trim().is_empty() {
        return Err(RuleError::Empty);
    }
    if text.len() > LONGEST_RULE {
        return Err(RuleError::TooLong);
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let rule = parser.any()?;
    match parser.peek() {
        None => Ok(rule),
        Some(_) => Err(parser.expected("'&&', '||' or the end")),
    }
}

/// What needs no quotes in an argument.
pub(super) fn stands_bare(letter: char) -> bool {
    letter.is_ascii_graphic() && !matches!(letter, '(' | ')' | ',' | '`' | '"')
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Rule, RuleError> {
        let mut rules = vec![self.all()?];
        while self.takes("||") {
            rules.push(self.all()?);
        }
        Ok(one_or(rules, Rule::Any))
    }

    fn all(&mut self) -> Result<Rule, RuleError> {
        let mut rules = vec![self.one()?];
        while self.takes("&&") {
            rules.push(self.one()?);
        }
        Ok(one_or(rules, Rule::All))
    }

    fn one(&mut self) -> Result<Rule, RuleError> {
        self.depth += 1;
        if self.depth > DEEPEST_RULE {
            return Err(RuleError::TooDeep { at: self.letter() });
        }
        let rule = if self.takes("!") {
            Rule::Not(Box::new(self.one()?))
        } else if self.takes("(") {
            let rule = self.any()?;
            self.wants(")", "')'")?;
            rule
        } else {
            self.matcher()?
        };
        self.depth -= 1;
        Ok(rule)
    }

    fn matcher(&mut self) -> Result<Rule, RuleError> {
        self.skip_spaces();
        let at = self.letter();
        let name = self.run(|letter| letter.is_ascii_alphanumeric());
        if name.is_empty() {
            return Err(self.expected("a matcher such as Host(shop.local)"));
        }
        let read: fn(String) -> Result<Rule, RuleError> = match name.as_str() {
            "Host" => host,
            "Path" => |value| path(value).map(Rule::Path),
            "PathPrefix" => |value| path(value).map(Rule::PathPrefix),
            "Method" => method,
            "Header" => return self.header(),
            _ => return Err(RuleError::Matcher { name, at }),
        };
        let arguments = self.arguments()?;
        let rules: Result<Vec<Rule>, RuleError> = arguments.into_iter().map(read).collect();
        rules.map(|rules| one_or(rules, Rule::Any))
    }

    fn header(&mut self) -> Result<Rule, RuleError> {
        match <[String; 2]>::try_from(self.arguments()?) {
            Ok([name, value]) => header(&name, value),
            Err(_) => Err(self.expected("two arguments, as in Header(x-beta, yes), before this")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<String>, RuleError> {
        self.wants("(", "'('")?;
        let mut arguments = vec![self.argument()?];
        while self.takes(",") {
            arguments.push(self.argument()?);
        }
        self.wants(")", "',' or ')'")?;
        Ok(arguments)
    }

    fn argument(&mut self) -> Result<String, RuleError> {
        self.skip_spaces();
        let quote = self.peek().filter(|letter| matches!(letter, '`' | '"'));
        let Some(quote) = quote else {
            let bare = self.run(stands_bare);
            return if bare.is_empty() { Err(self.expected("an argument")) } else { Ok(bare) };
        };
        self.at += 1;
        let inside = self.run(|letter| letter != quote);
        if self.peek() != Some(quote) {
            return Err(self.expected("the closing quote"));
        }
        self.at += 1;
        Ok(inside)
    }

    fn run(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = &self.text[self.at..];
        let end = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_string()
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_spaces();
        self.text[self.at..].chars().next()
    }

    fn takes(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let takes = self.text[self.at..].starts_with(token);
        self.at += if takes { token.len() } else { 0 };
        takes
    }

    fn wants(&mut self, token: &str, name: &'static str) -> Result<(), RuleError> {
        if self.takes(token) { Ok(()) } else { Err(self.expected(name)) }
    }

    fn expected(&mut self, expected: &'static str) -> RuleError {
        let found = self.peek().map_or_else(|| "the end".to_string(), |letter| format!("'{letter}'"));
        RuleError::Expected { expected, found, at: self.letter() }
    }

    /// Where the parser stands, as people count: from 1.
    fn letter(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }
}

fn one_or(mut rules: Vec<Rule>, several: impl FnOnce(Vec<Rule>) -> Rule) -> Rule {
    if rules.len() == 1 { rules.remove(0) } else { several(rules) }
}

fn host(value: String) -> Result<Rule, RuleError> {
    let name = value.to_ascii_lowercase();
    let labels = name.strip_prefix("*.").unwrap_or(&name);
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let is_name = labels.split('.').all(|label| !label.is_empty() && label.chars().all(allowed));
    let is_address = name.starts_with('[') && name.ends_with(']') && !name.contains(' ');
    if (is_name || is_address) && name.len() <= 253 {
        return Ok(Rule::Host(name));
    }
    let advice = "write a name without port, such as shop.local or *.shop.local";
    Err(RuleError::Argument { matcher: "Host", value, advice })
}

fn path(value: String) -> Result<String, RuleError> {
    if value.starts_with('/')
        && value.chars().all(|letter| letter.is_ascii_graphic() && !"?#".contains(letter))
    {
        return Ok(value);
    }
    let advice = "begin it with '/', write it as a URL does (%20 for a space), and leave '?' and '#' out";
    Err(RuleError::Argument { matcher: "Path", value, advice })
}

fn method(value: String) -> Result<Rule, RuleError> {
    if !value.is_empty() && value.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '-') {
        return Ok(Rule::Method(value.to_ascii_uppercase()));
    }
    Err(RuleError::Argument { matcher: "Method", value, advice: "write one such as GET" })
}

fn header(name: &str, value: String) -> Result<Rule, RuleError> {
    let token = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    if name.is_empty() || !name.chars().all(token) {
        let advice = "write the name of a header, such as x-beta";
        return Err(RuleError::Argument { matcher: "Header", value: name.to_string(), advice });
    }
    if value.chars().any(char::is_control) {
        return Err(RuleError::Argument { matcher: "Header", value, advice: "leave control characters out" });
    }
    Ok(Rule::Header { name: name.to_ascii_lowercase(), value })
}
