//! One Rust file, taken apart by a small lexer: the code without comments and literals, the comments alone, the
//! parts that only tests see, and the functions. All keep the byte positions of the text.
//!
//! ```text
//! text      let a = "todo!"; // why
//! code      let a = "     ";
//! comments                   // why
//! ```

use std::ops::Range;

/// A scanned file.
pub(super) struct Source {
    /// The text with comments and the insides of literals replaced by spaces.
    pub(super) code: String,
    /// The text with everything but comments replaced by spaces.
    pub(super) comments: String,
    tests: Vec<Range<usize>>,
}

/// A function with its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// The line of its `fn`, from 1.
    pub(super) line: usize,
    /// From `fn` to the closing brace.
    pub(super) lines: usize,
}

impl Source {
    pub(super) fn scan(text: &str) -> Source {
        let (code, comments) = Lexer::new(text).run();
        let tests = test_parts(&code);
        Source { code, comments, tests }
    }

    /// The code outside of `#[cfg(test)]` items.
    pub(super) fn product_code(&self) -> String {
        let mut code = self.code.clone().into_bytes();
        for part in &self.tests {
            blank(&mut code[part.clone()]);
        }
        String::from_utf8(code).expect("whole items were blanked")
    }

    /// Lines outside of `#[cfg(test)]` items, comments and blank lines included.
    pub(super) fn product_lines(&self) -> usize {
        let tests: usize = self.tests.iter().map(|part| self.code[part.clone()].lines().count()).sum();
        self.code.lines().count().saturating_sub(tests)
    }

    pub(super) fn functions(&self) -> Vec<Function> {
        words(&self.code, "fn").filter_map(|position| self.function(position)).collect()
    }

    fn function(&self, position: usize) -> Option<Function> {
        let rest = self.code[position + 2..].trim_start();
        let name: String = rest.chars().take_while(|&letter| is_word(letter)).collect();
        let body = item_end(&self.code, position);
        let has_body = self.code[..body].ends_with('}');
        let lines = self.code[position..body].lines().count();
        (has_body && !name.is_empty()).then(|| Function { name, line: line_of(&self.code, position), lines })
    }
}

/// The line, from 1, of a byte position.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text.as_bytes()[..position].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// Positions where `pattern` stands as whole words: `rand::` is found in ` rand::random` but not in `operand::`.
pub(super) fn words<'a>(text: &'a str, pattern: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(pattern).map(|(position, _)| position).filter(move |&position| {
        let before = text[..position].chars().next_back();
        let after = text[position + pattern.len()..].chars().next();
        !(joins(before, pattern.chars().next()) || joins(pattern.chars().next_back(), after))
    })
}

fn joins(left: Option<char>, right: Option<char>) -> bool {
    left.is_some_and(is_word) && right.is_some_and(is_word)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The items under `#[cfg(test)]` and `#[cfg(all(test, ...))]`, from the attribute on.
fn test_parts(code: &str) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (position, _) in code.match_indices("#[cfg(") {
        let inside = parts.last().is_some_and(|part| part.contains(&position));
        let attribute = &code[position..];
        if !inside && (attribute.starts_with("#[cfg(test)]") || attribute.starts_with("#[cfg(all(test,")) {
            parts.push(position..item_end(code, position));
        }
    }
    parts
}

/// Where the item that begins at `position` ends: after the brace that closes its first block, or after its `;`.
/// Parentheses and brackets on the way (attributes, parameters, array types) are stepped over.
fn item_end(code: &str, position: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(position) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return block_end(code, offset),
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        depth += i32::from(byte == b'{') - i32::from(byte == b'}');
        if depth == 0 {
            return offset + 1;
        }
    }
    code.len()
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// Walks over the text once and blanks what does not belong into each of the two views.
struct Lexer<'a> {
    text: &'a [u8],
    position: usize,
    code: Vec<u8>,
    comments: Vec<u8>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Lexer<'a> {
        let mut comments = text.as_bytes().to_vec();
        blank(&mut comments);
        Lexer { text: text.as_bytes(), position: 0, code: text.as_bytes().to_vec(), comments }
    }

    fn run(mut self) -> (String, String) {
        while self.position < self.text.len() {
            self.token();
        }
        let view = |bytes| String::from_utf8(bytes).expect("comments and literals are blanked whole");
        (view(self.code), view(self.comments))
    }

    fn token(&mut self) {
        let rest = &self.text[self.position..];
        match rest[0] {
            b'/' if rest.starts_with(b"//") => self.comment(line_comment(rest)),
            b'/' if rest.starts_with(b"/*") => self.comment(block_comment(rest)),
            b'"' => self.literal(string(rest)),
            b'\'' => self.quote(),
            b'r' if !self.continues_a_word() => self.raw_or_word(),
            _ => self.position += 1,
        }
    }

    fn comment(&mut self, length: usize) {
        let part = self.position..self.position + length;
        self.comments[part.clone()].copy_from_slice(&self.text[part.clone()]);
        blank(&mut self.code[part]);
        self.position += length;
    }

    /// Blanks a literal but for its first and last byte.
    fn literal(&mut self, length: usize) {
        let end = self.position + length;
        blank(&mut self.code[self.position + 1..end.saturating_sub(1).max(self.position + 1)]);
        self.position = end;
    }

    /// `'x'` and `'\n'` are literals, `'a` is a lifetime.
    fn quote(&mut self) {
        match char_literal(&self.text[self.position..]) {
            Some(length) => self.literal(length),
            None => self.position += 1,
        }
    }

    fn raw_or_word(&mut self) {
        match raw_string(&self.text[self.position..]) {
            Some(length) => self.literal(length),
            None => self.position += 1,
        }
    }

    /// `br"..."` and `cr"..."` are raw strings too; `for"` and `bar` are not.
    fn continues_a_word(&self) -> bool {
        let word = |index: usize| {
            self.text.get(index).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        let Some(before) = self.position.checked_sub(1) else { return false };
        let prefix = matches!(self.text[before], b'b' | b'c') && !before.checked_sub(1).is_some_and(word);
        word(before) && !prefix
    }
}

fn line_comment(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut position) = (0_usize, 0);
    while position < rest.len() {
        match &rest[position..] {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                position += 1;
                continue;
            }
        }
        position += 2;
        if depth == 0 {
            return position;
        }
    }
    rest.len()
}

fn string(rest: &[u8]) -> usize {
    let mut position = 1;
    while position < rest.len() {
        match rest[position] {
            b'\\' => position += 2,
            b'"' => return position + 1,
            _ => position += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = &rest[2 + hashes..];
    let end = body.windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| 2 + hashes + end + close.len()))
}

fn char_literal(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return rest.get(3..)?.iter().position(|&byte| byte == b'\'').map(|end| end + 4);
    }
    // One character of at most four bytes, then the closing quote.
    let end = (2..=5).find(|&end| rest.get(end) == Some(&b'\''))?;
    let inner = std::str::from_utf8(&rest[1..end]).ok()?;
    (inner.chars().count() == 1).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str) {
        assert_eq!(Source::scan(text).code, code);
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("to\"do", 'x', '\'', b"y")"#, r#"f("      ", ' ', '  ', b" ")"#);
        check(r##"r#"a"b"# c"##, r##"r      # c"##);
        check(r#"br"a\" c"#, r#"br   " c"#);
        check("r#fn 'a str", "r#fn 'a str");
        check("'é' é", "'  ' é");
    }

    #[test]
    fn comments_are_kept_apart() {
        assert_eq!(Source::scan("a // b\n").comments, "  // b\n");
    }

    #[test]
    fn test_items_are_no_product_code() {
        let source = Source::scan(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    use b;\n}\n#[cfg(test)]\nuse c;\nfn d() {}\n",
        );
        let left: Vec<String> = source.product_code().split_whitespace().map(str::to_string).collect();
        assert_eq!(left, ["fn", "a()", "{}", "fn", "d()", "{}"]);
        assert_eq!(source.product_lines(), 2);
    }

    #[test]
    fn a_function_runs_from_its_name_to_its_closing_brace() {
        let source = Source::scan("trait T { fn none(a: [u8; 2]); }\n\nfn three(f: fn() -> u8)\n{\n}\n");
        assert_eq!(source.functions(), [Function { name: "three".to_string(), line: 3, lines: 3 }]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("operand::a rand::b", "rand::").collect::<Vec<_>>(), [11]);
        assert_eq!(words("a.await b.awaiting", ".await").collect::<Vec<_>>(), [1]);
    }
}
